/**
 * A Redis for one test file: `redis-server` from the PATH on a free port, without persistence. Null: there is none, and tests that need it
 * skip, visibly:
 *
 *     const server = await startRedis()
 *     test.skipIf(!server)('…', …)
 */
import { createRedisClient, type RedisClient } from '../../src/state/redis-client.ts'

export interface RedisServer {
  url: string
  /** Kills it, without warning. */
  stop(): Promise<void>
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>
}

export async function startRedis(): Promise<RedisServer | null> {
  const program = Bun.which('redis-server')
  if (!program) return process.env.REDIS_URL ? existing(process.env.REDIS_URL) : null
  // Between finding a free port and Redis taking it, somebody else may: then another one.
  for (let attempt = 0; attempt < 10; attempt++) {
    const port = freePort()
    const child = await spawn(program, port)
    if (child) return ownServer(program, port, child)
  }
  throw new Error('redis-server is installed but does not start')
}

/** A server that is not ours can't be stopped; tests that need that check `canStop`. */
function existing(url: string): RedisServer {
  const refuse = () => Promise.reject(new Error('this Redis was not started by the test'))
  return { url, stop: refuse, start: refuse }
}

function ownServer(program: string, port: number, first: Bun.Subprocess): RedisServer {
  let child: Bun.Subprocess | null = first
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      child?.kill('SIGKILL')
      await child?.exited
      child = null
    },
    async start() {
      child = await spawn(program, port)
      if (!child) throw new Error('redis-server does not start again')
    },
  }
}

async function spawn(program: string, port: number): Promise<Bun.Subprocess | null> {
  const options = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir: '/tmp' }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = Bun.spawn([program, ...args], { stdio: ['ignore', 'ignore', 'ignore'] })
  child.unref()
  for (let attempt = 0; attempt < 400 && child.exitCode === null; attempt++) {
    if (await answersPing(port)) return child
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  child.kill('SIGKILL')
  return null
}

/** Below the range that the system gives to outgoing connections. */
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
      return port
    } catch {}
  }
}

function answersPing(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      open: (socket) => void socket.write('PING\r\n'),
      data(socket, data) {
        resolve(data.toString().startsWith('+PONG'))
        socket.end()
      },
      close: () => resolve(false),
      connectError: () => resolve(false),
    },
  }).catch(() => resolve(false))
  return promise
}

/** A client that is connected. */
export async function connectRedis(url: string): Promise<RedisClient> {
  const client = createRedisClient({ url, onError: () => {} })
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve))
  return client
}
