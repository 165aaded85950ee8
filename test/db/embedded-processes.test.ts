/**
 * Several gateway processes, and what is left when one is killed. Each is a real process:
 * test/fixtures/embedded-user.ts.
 */
import { afterAll, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startEmbedded } from '../../src/db/embedded.ts'
import { isAlive } from '../support/embedded-place.ts'
import { spaciousDirectory } from '../support/spacious-directory.ts'

const isRoot = process.geteuid?.() === 0
const root = mkdtempSync(join(spaciousDirectory(), 'turnpike-processes-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const quiet = { info: () => {}, warn: () => {} }
const FIXTURE = join(import.meta.dir, '../fixtures/embedded-user.ts')

/** A data directory with a copy of a ready cluster, owned by whoever copied it, as when a backup is put back. */
function copyOf(dataDir: string, name: string): string {
  cpSync(join(dataDir, 'postgres/cluster'), join(root, name, 'postgres/cluster'), { recursive: true })
  return join(root, name)
}

function startUser(dataDir: string, prefix: string[] = [], detached = false) {
  const child = Bun.spawn([...prefix, process.execPath, FIXTURE, dataDir], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
    detached,
  })
  const reader = child.stdout.getReader()
  return {
    child,
    said: async () => {
      const { value } = await reader.read()
      return JSON.parse(new TextDecoder().decode(value)) as { started: boolean; serverPid: number }
    },
    leave: async () => {
      child.stdin.end()
      return await child.exited
    },
  }
}

test('of several first starts at once one makes the database, all use it, and it ends with the last (OPS-3)', async () => {
  const dataDir = join(root, 'together')
  const users = [startUser(dataDir), startUser(dataDir), startUser(dataDir)]
  const said = await Promise.all(users.map((user) => user.said()))
  expect(said.filter(({ started }) => started)).toHaveLength(1)
  const pid = said[0]?.serverPid ?? 0
  expect(said.map(({ serverPid }) => serverPid)).toEqual([pid, pid, pid])
  for (const user of users) {
    expect(isAlive(pid)).toBe(true)
    expect(await user.leave()).toBe(0)
  }
  expect(isAlive(pid)).toBe(false)
})

test('a server whose gateway was killed is taken over by the next, and stopped by it (OPS-3)', async () => {
  const dataDir = copyOf(join(root, 'together'), 'killed')
  const user = startUser(dataDir)
  const { serverPid } = await user.said()
  user.child.kill('SIGKILL')
  await user.child.exited
  expect(isAlive(serverPid)).toBe(true)
  const database = await startEmbedded({ dataDir, log: quiet, watchEveryMs: 0 })
  expect(database.started).toBe(false)
  await database.stop()
  expect(isAlive(serverPid)).toBe(false)
})

test('Ctrl-C reaches every process of the terminal, but the gateway decides when its server ends (OPS-2)', async () => {
  const dataDir = copyOf(join(root, 'together'), 'terminal')
  const user = startUser(dataDir, [], true)
  const { serverPid } = await user.said()
  process.kill(-user.child.pid, 'SIGINT')
  await user.child.exited
  const database = await startEmbedded({ dataDir, log: quiet, watchEveryMs: 0 })
  expect([database.started, isAlive(serverPid)]).toEqual([false, true])
  await database.stop()
})

test.skipIf(!isRoot || Bun.which('setpriv') === null)(
  'root without the right to trace, as in a plain container, stops the server too (OPS-2)',
  async () => {
    const user = startUser(copyOf(join(root, 'together'), 'container'), ['setpriv', '--bounding-set=-sys_ptrace'])
    const { serverPid } = await user.said()
    expect(await user.leave()).toBe(0)
    expect(isAlive(serverPid)).toBe(false)
    expect(existsSync(join(root, 'container/postgres/cluster/postmaster.pid'))).toBe(false)
  },
)
