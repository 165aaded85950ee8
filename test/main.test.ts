import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { RUNTIME } from '../src/runtime.ts'

const ROOT = join(import.meta.dir, '..')
const LIMIT = 'BUN_CONFIG_MAX_HTTP_REQUESTS'
const NAMES = Object.keys(RUNTIME)
const NONE = Object.fromEntries(NAMES.map((name) => [name, null]))
/** Of an operator, other than ours. */
const OWN: Record<string, string> = Object.fromEntries(NAMES.map((name) => [name, '1000']))

async function runMain(args: string[], environment: Record<string, string> = {}) {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !(name in OWN)))
  const preload = `--preload=${join(ROOT, 'test/fixtures/main-with-toy-cli.ts')}`
  const child = Bun.spawn([process.execPath, preload, 'src/main.ts', ...args], {
    cwd: ROOT,
    env: { ...inherited, ...environment },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const lines = async (stream: ReadableStream) => (await new Response(stream).text()).trim().split('\n')
  const [out, err] = await Promise.all([lines(child.stdout), lines(child.stderr)])
  return { pid: child.pid, code: await child.exited, out: out.map((line) => JSON.parse(line)), err }
}

test('the process sets up its runtime before it does anything, keeping its pid and arguments', async () => {
  const { pid, code, out } = await runMain(['serve', '--port', '1 2'])
  expect(out).toEqual([{ pid, settings: NONE }, { pid, settings: RUNTIME }, { argv: ['serve', '--port', '1 2'] }])
  expect(code).toBe(7)
})

test("an operator's own settings of the runtime are kept; with all of them there is no second start", async () => {
  const some = await runMain(['version'], { [LIMIT]: '1000' })
  const before = { pid: some.pid, settings: { ...NONE, [LIMIT]: '1000' } }
  const after = { pid: some.pid, settings: { ...RUNTIME, [LIMIT]: '1000' } }
  expect(some.out).toEqual([before, after, { argv: ['version'] }])
  const all = await runMain(['version'], OWN)
  expect(all.out).toEqual([{ pid: all.pid, settings: OWN }, { argv: ['version'] }])
})

test('a rejection that nobody awaits is logged in one line and the gateway lives on', async () => {
  const { code, err } = await runMain(['reject'])
  expect(err).toHaveLength(1)
  expect(JSON.parse(err[0] ?? '')).toMatchObject({ level: 'error', event: 'unhandled rejection' })
  expect(err[0]).toContain('a stray rejection')
  expect(JSON.parse(err[0] ?? '').stack).toContain('runCli')
  expect(code).toBe(7)
})

test('an exception that nobody catches is logged in one line and ends the process with 1', async () => {
  const { code, err } = await runMain(['throw'])
  expect(err).toHaveLength(1)
  expect(JSON.parse(err[0] ?? '')).toMatchObject({ level: 'error', event: 'uncaught exception' })
  expect(code).toBe(1)
})
