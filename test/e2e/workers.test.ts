/** `--workers`: several processes on one port that behave as one, and are replaced without a dropped stream (OPS-2, OPS-4). Needs a Redis. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { CHAT } from '../support/dialects.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { answer, beginStream, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(60_000)
const redis: RedisServer | null = await startRedis()
let running: Gateway | null = null

beforeAll(async () => {
  if (redis === null) return
  if (!redis.isOwn) await (await connectRedis(redis.url)).flushdb()
  running = await startGateway({ WORKERS: '2', REDIS_URL: redis.url, FLUSH_INTERVAL_MS: '20' })
  await until(() => workersOf(running?.pid ?? 0).length === 2 && readyLines() >= 2, {
    what: 'two workers',
    withinMs: 30_000,
  })
}, 180_000)
afterAll(async () => {
  await running?.remove()
  await redis?.stop()
}, 60_000)

function gateway(): Gateway {
  if (running === null) throw new Error('the gateway is not started')
  return running
}

/** Children of the process that are the gateway itself, not its database. */
function workersOf(pid: number): number[] {
  const isWorker = (child: string) => {
    try {
      const [, , , parent] = readFileSync(`/proc/${child}/stat`, 'utf8')
        .replace(/\(.*\)/, 'x')
        .split(' ')
      return Number(parent) === pid && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('turnpike')
    } catch {
      return false
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isWorker(name))
    .map(Number)
}

function readyLines(): number {
  return (
    gateway()
      .log()
      .match(/"ready"/g)?.length ?? 0
  )
}

/** On a connection of its own, so that the kernel chooses a worker anew. */
async function ask({ key }: Scene, body: string = CHAT.wholeRequest): Promise<number> {
  const response = await fetch(gateway().url + CHAT.wholePath, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
    body,
    keepalive: false,
  })
  await response.text()
  return response.status
}

async function play(name: string, key: Record<string, unknown> = {}) {
  const upstream = await startUpstream((_, reply) => answer(reply, 200, CHAT.body))
  return { upstream, scene: await openScene(gateway(), upstream, { name, key }) }
}

describe.skipIf(redis === null)('two workers on one port', () => {
  test('a limit of 20 requests lets exactly 20 of 60 through, whichever worker they meet (KEY-7, OPS-4)', async () => {
    const { upstream, scene } = await play('limit', { rate_limit_window: 60, rate_limit_requests: 20 })
    const statuses = await Promise.all(Array.from({ length: 60 }, () => ask(scene)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.filter((status) => status === 429)).toHaveLength(40)
    await upstream.stop()
  })

  test('a disabled key is refused by every worker within 2 s (KEY-3, OPS-4)', async () => {
    const { upstream, scene } = await play('disabled')
    expect(await ask(scene)).toBe(200)
    await gateway().admin('PATCH', `/admin/keys/${scene.keyId}`, { active: false })
    const disabledAt = performance.now()
    await until(async () => (await Promise.all(Array.from({ length: 16 }, () => ask(scene)))).every((s) => s === 401), {
      what: 'every worker refuses the key',
      withinMs: 2000,
    })
    expect(performance.now() - disabledAt).toBeLessThan(2500)
    await upstream.stop()
  })

  test('a worker that is killed is replaced, and the others serve meanwhile (OPS-4)', async () => {
    const { upstream, scene } = await play('killed')
    const [victim = 0] = workersOf(gateway().pid)
    const before = readyLines()
    process.kill(victim, 'SIGKILL')
    await until(() => !workersOf(gateway().pid).includes(victim), { what: 'the worker is gone' })
    // Until the kernel has closed its socket, it may still be given a connection.
    await until(async () => (await ask(scene).catch(() => null)) === 200, { what: 'the other serves', withinMs: 900 })
    await until(() => readyLines() > before && workersOf(gateway().pid).length === 2, {
      what: 'a new worker',
      withinMs: 30_000,
    })
    await upstream.stop()
  })

  test('SIGHUP replaces every worker; a stream that runs is finished by the old one (OPS-2, OPS-4)', async () => {
    const { upstream, scene } = await play('replaced')
    const rest = Promise.withResolvers<void>()
    upstream.script = async (_, reply) => {
      beginStream(reply)
      void reply.write([...CHAT.opening, ...CHAT.content].join(''))
      await rest.promise
      void reply.write(CHAT.closing.join(''))
      reply.end()
    }
    const stream = await scene.send(CHAT.path, CHAT.request)
    const old = workersOf(gateway().pid)
    process.kill(gateway().pid, 'SIGHUP')
    await until(() => workersOf(gateway().pid).filter((pid) => !old.includes(pid)).length === 2, {
      what: 'two new workers',
      withinMs: 40_000,
    })
    rest.resolve()
    expect(await stream.text()).toBe([...CHAT.opening, ...CHAT.content, ...CHAT.closing].join(''))
    await until(() => workersOf(gateway().pid).every((pid) => !old.includes(pid)), {
      what: 'the old ones end',
      withinMs: 30_000,
    })
    upstream.script = (_, reply) => answer(reply, 200, CHAT.body)
    expect(await ask(scene)).toBe(200)
    await upstream.stop()
  })

  test('SIGTERM ends all of them with exit code 0 (OPS-2)', async () => {
    const workers = workersOf(gateway().pid)
    expect(await gateway().stop()).toBe(0)
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow()
  })
})

test('more than one worker without REDIS_URL is refused, naming the variable (OPS-4)', async () => {
  const failure = await startGateway({ WORKERS: '2' }).catch((error: Error) => error.message)
  expect(failure).toContain('REDIS_URL')
  expect(failure).toContain('ended with 2')
})
