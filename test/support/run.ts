/**
 * `npm test`: starts Postgres once, runs `bun test` (its arguments are ours), ends it, and passes its exit code on. A
 * test file that needs Redis starts its own (./redis.ts). Without redis-server and as root it is installed first, within a
 * minute; without both, Redis tests are skipped and it says so.
 */
import { SOCKET_DIRECTORY_VARIABLE, startTestServer } from './postgres-server.ts'

const INSTALL_LIMIT_MS = 60_000
/** Of a test or hook, on a machine that does other things too. Only this option holds for hooks of all files. */
const TIMEOUT = ['--timeout', '60000']

const variables: Record<string, string> = {}
const steps: (() => Promise<void>)[] = []

if (!process.env.TEST_DATABASE_URL) {
  const { target, stop } = await startTestServer()
  variables[SOCKET_DIRECTORY_VARIABLE] = target.host
  steps.push(stop)
}
if (!process.env.REDIS_URL && Bun.which('redis-server') === null) {
  if (process.getuid?.() === 0) installRedis()
  if (Bun.which('redis-server') === null)
    console.error('No redis-server here: tests that need Redis are skipped. Set REDIS_URL or install it.')
}

const tests = Bun.spawn([process.execPath, 'test', ...TIMEOUT, ...process.argv.slice(2)], {
  stdio: ['inherit', 'inherit', 'inherit'],
  env: { ...process.env, ...variables },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tests.kill(signal))
const code = await tests.exited
for (const step of steps) await step()
process.exit(code)

function installRedis(): void {
  const apt = (...args: string[]) =>
    Bun.spawnSync(['apt-get', '-qq', '-y', ...args], {
      stdout: 'ignore',
      stderr: 'ignore',
      timeout: INSTALL_LIMIT_MS / 2,
    })
  try {
    apt('update')
    apt('install', '--no-install-recommends', 'redis-server')
  } catch {
    // No apt-get on this system.
  }
}
