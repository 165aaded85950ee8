/**
 * A Redis for one test file: `redis-server` from the PATH on a free port, without persistence; else the one at REDIS_URL. Null: there is
 * neither, and tests that need it skip, visibly:
 *
 *     const server = await startRedis()
 *     test.skipIf(!server)('…', …)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedisClient, type RedisClient } from '../../src/state/redis-client.ts'

export interface RedisServer {
  url: string
  /** False: it was there before (REDIS_URL), and may be in use. */
  isOwn: boolean
  /** Kills it, without warning. */
  stop(): Promise<void>
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>
}

export interface RedisServerOptions {
  /** As the only node of a Redis Cluster: a script may then touch keys of one slot only. */
  cluster?: boolean
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer | null> {
  const program = Bun.which('redis-server')
  if (!program) return process.env.REDIS_URL && !options.cluster ? existing(process.env.REDIS_URL) : null
  // Between finding a free port and Redis taking it, somebody else may: then another one.
  for (let attempt = 0; attempt < 10; attempt++) {
    const port = freePort()
    const launch = () => spawn(program, { port, cluster: options.cluster === true })
    const child = await launch()
    if (child) return ownServer(port, launch, child)
  }
  throw new Error('redis-server is installed but does not start')
}

function existing(url: string): RedisServer {
  const nothing = () => Promise.resolve()
  return { url, isOwn: false, stop: nothing, start: nothing }
}

function ownServer(port: number, launch: () => Promise<Bun.Subprocess | null>, first: Bun.Subprocess): RedisServer {
  let child: Bun.Subprocess | null = first
  return {
    url: `redis://127.0.0.1:${port}`,
    isOwn: true,
    async stop() {
      child?.kill('SIGKILL')
      await child?.exited
      child = null
    },
    async start() {
      child = await launch()
      if (!child) throw new Error('redis-server does not start again')
    },
  }
}

async function spawn(program: string, at: { port: number; cluster: boolean }): Promise<Bun.Subprocess | null> {
  const { port, cluster } = at
  const dir = mkdtempSync(join(tmpdir(), 'redis-'))
  const node = { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1', 'cluster-port': port - 10_000 }
  const options = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir, ...(cluster ? node : {}) }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = Bun.spawn([program, ...args], { stdio: ['ignore', 'ignore', 'ignore'] })
  child.unref()
  void child.exited.then(() => rmSync(dir, { recursive: true, force: true }))
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

/** A client that is connected, and patient: tests share the machine with others. */
export async function connectRedis(url: string): Promise<RedisClient> {
  const client = createRedisClient({ url, onError: () => {}, commandTimeoutMs: 10_000 })
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve))
  return client
}
