/**
 * One Redis for a run of tests: REDIS_URL if set (`npm test` sets it), else `redis-server` from the PATH, started on a
 * free port, without persistence, and killed at the end. Null: there is none; tests that need it skip, visibly:
 *
 *     const redisUrl = await testRedis()
 *     test.skipIf(redisUrl === null)('…', …)
 */
import { connect } from 'node:net'
import { atEnd } from './teardown.ts'

let own: Promise<string | null> | undefined

export function testRedis(): Promise<string | null> {
  if (process.env.REDIS_URL) return Promise.resolve(process.env.REDIS_URL)
  own ??= startTestRedis().then((server) => {
    if (server !== null) atEnd(server.stop)
    return server?.url ?? null
  })
  return own
}

export async function startTestRedis(): Promise<{ url: string; stop(): Promise<void> } | null> {
  const program = Bun.which('redis-server')
  if (program === null) return null
  // Between finding a free port and Redis taking it, somebody else may: then another try.
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = freePort()
    const settings = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      '/tmp',
    ]
    const child = Bun.spawn([program, ...settings], { stdio: ['ignore', 'ignore', 'ignore'] })
    child.unref()
    const stop = async () => {
      child.kill('SIGKILL')
      await child.exited
    }
    if (await answersPing(port, () => child.exitCode === null)) return { url: `redis://127.0.0.1:${port}`, stop }
    await stop()
  }
  throw new Error('redis-server is installed but does not start')
}

function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  probe.stop(true)
  return probe.port
}

async function answersPing(port: number, alive: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 500 && alive(); tries++) {
    if (await ping(port)) return true
    await Bun.sleep(5)
  }
  return false
}

function ping(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'))
  socket.once('data', (data) => resolve(data.toString().startsWith('+PONG')))
  socket.once('error', () => resolve(false))
  socket.once('close', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
