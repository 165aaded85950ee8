/** Two relays on one Redis behave as one (OPS-4): slots of accounts, their queues, sticky sessions. */
import { afterAll, describe, expect, test } from 'bun:test'
import type { Redis } from 'ioredis'
import { openCounters } from '../../src/state/open-counters.ts'
import { openSharing } from '../../src/state/open-sharing.ts'
import { RUN } from '../support/counters.ts'
import { makeAccount, makeKey } from '../support/make.ts'
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { CHAT, chatAnswer, createTestRelay, type Script, type TestRelayOptions } from '../support/relay.ts'
import { until } from '../support/until.ts'

const server = await startRedis()
const own = server?.isOwn ? await startRedis() : null
const node = await startRedis({ cluster: true })
const stops: (() => void)[] = []
afterAll(async () => {
  for (const stop of stops) stop()
  await Promise.all([server?.stop(), own?.stop(), node?.stop()])
})

const account = (id: string, over = {}) =>
  makeAccount({ id: `${id}-${RUN}`, credentials: { apiKey: `sk-${id}` }, ...over })

type TestRelay = Awaited<ReturnType<typeof createTestRelay>>

/** Two instances as the composition root opens them, connected and hearing each other. */
async function twoInstances(redis: RedisServer, options: Omit<TestRelayOptions, 'share'>) {
  const opened: ReturnType<typeof openCounters>[] = []
  const share: TestRelayOptions['share'] = ({ nowMs, ...own }) => {
    const counters = openCounters({ ...quiet, redisUrl: redis.url, redisDown: 'local', nowMs: Date.now })
    const newId = () => crypto.randomUUID()
    const shared = { ...quiet, redisUrl: redis.url, counters: counters.counters }
    const sharing = openSharing({ ...shared, ...own, nowMs, newId })
    opened.push(counters)
    stops.push(counters.stop, sharing.stop)
    return sharing
  }
  const client = await connectRedis(redis.url)
  const listeners = async () => Number((await client.pubsub('NUMSUB', 'tp:bus'))[1])
  const before = await listeners()
  const open = () => createTestRelay({ settings: { queueTimeoutMs: 30_000 }, ...options, share })
  const relays: [TestRelay, TestRelay] = [await open(), await open()]
  const hears = async () => (await listeners()) >= before + 2
  const shares = async () => {
    for (const { counters } of opened) await counters.read('probe', [])
    return opened.every(({ mode }) => mode === 'shared')
  }
  await until(async () => (await hears()) && (await shares()), { what: 'both instances on Redis' })
  for (const [index, { deps, clock }] of relays.entries()) {
    const name = `ready-${index}-${RUN}`
    const binds = async () => {
      // A client that was not connected yet is left alone for a second.
      clock.nowMs += 2000
      deps.sticky.bind(name, 'account')
      return (await client.exists(`tp:{${name}}:session`)) === 1
    }
    await until(binds, { what: 'bindings on Redis' })
  }
  stops.push(() => client.disconnect())
  /** The sessions that are bound, of all keys. */
  const bindings = () => client.keys('tp:{g:*}:session')
  return { relays, client, bindings }
}

const quiet = { onModeChange: () => undefined, onConnectionError: () => undefined, onConnected: () => undefined }

/** Counts who is upstream at the same time. */
function counting() {
  const seen = { now: 0, most: 0, served: 0 }
  const script: Script = async () => {
    seen.now++
    seen.most = Math.max(seen.most, seen.now)
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    seen.now--
    seen.served++
    return chatAnswer()
  }
  return { seen, script }
}

describe.skipIf(!server)('two instances on one Redis', () => {
  test('50 requests at once on an account with three slots: never more than three upstream, and all are served (ACC-7, OPS-4)', async () => {
    const { seen, script } = counting()
    const accounts = [account('three', { concurrency: 3 })]
    const { relays, client } = await twoInstances(server as RedisServer, { accounts, script })
    const requests = Array.from({ length: 50 }, (_, index) => relays[index % 2]?.call('chat_completions', CHAT))
    const statuses = (await Promise.all(requests)).map((response) => response?.status)
    expect(statuses).toEqual(Array.from({ length: 50 }, () => 200))
    expect([seen.most, seen.served]).toEqual([3, 50])
    for (const { inFlight, queue } of relays) expect([inFlight(accounts[0]?.id ?? ''), queue.size]).toEqual([0, 0])
    const slots = `tp:{lease:${accounts[0]?.id}}`
    await until(async () => (await client.hlen(`${slots}:records`)) === 0, { what: 'the end of all leases' })
    expect(await client.hget(`${slots}:counters`, 'slots')).toBe('0 0 0 k -')
  })

  test('a session bound on one is found on the other, and only by its own key (ACC-4, OPS-4)', async () => {
    const accounts = ['a', 'b', 'c'].map((id) => account(id))
    const keys = [makeKey(), makeKey({ id: 'key-2' })]
    const script = () => chatAnswer()
    const { relays, bindings } = await twoInstances(server as RedisServer, { accounts, keys, script })
    const [one, other] = relays
    const before = (await bindings()).length
    const body = { ...CHAT, prompt_cache_key: 'conversation' }
    // Neither instance would choose the same by itself: their orders of last use differ.
    await one.call('chat_completions', { ...CHAT, prompt_cache_key: 'another' })
    await one.call('chat_completions', body)
    const bound = one.receipts.at(-1)?.accountId
    await until(async () => (await bindings()).length === before + 2, { what: 'the bindings' })
    await other.call('chat_completions', body)
    expect(other.receipts.at(-1)).toMatchObject({ accountId: bound as string, choice: { sticky: 'hit' } })
    await other.call('chat_completions', body, { key: 'key-2' })
    expect(other.receipts.at(-1)?.choice?.sticky).toBe('miss')
  })
})

describe.skipIf(!node)('two instances on a Redis Cluster', () => {
  test('slots, their queues and sessions are shared there too: every step stays within one slot of the cluster (OPS-4)', async () => {
    const redis = node as RedisServer
    const single = (await connectRedis(redis.url)) as Redis
    await single.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await until(async () => String(await single.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
      what: 'the cluster',
    })
    stops.push(() => single.disconnect())
    const { seen, script } = counting()
    const accounts = [account('cluster-a', { concurrency: 2 }), account('cluster-b', { concurrency: 1, priority: 60 })]
    // Two addresses make it a cluster's.
    const url = `${redis.url},${redis.url}`
    const { relays, bindings } = await twoInstances({ ...redis, url }, { accounts, script })
    const [one, other] = relays
    const body = { ...CHAT, prompt_cache_key: 'conversation' }
    expect((await one.call('chat_completions', body)).status).toBe(200)
    await until(async () => (await bindings()).length === 1, { what: 'the binding' })
    expect((await other.call('chat_completions', body)).status).toBe(200)
    expect(other.receipts.at(-1)?.choice?.sticky).toBe('hit')
    const requests = Array.from({ length: 30 }, (_, index) => relays[index % 2]?.call('chat_completions', CHAT))
    expect(new Set((await Promise.all(requests)).map((response) => response?.status))).toEqual(new Set([200]))
    expect(seen.most).toBe(3)
  })
})

describe.skipIf(!own)('two instances whose Redis goes away', () => {
  test('each goes on by itself, and they share again when it is back (OPS-5)', async () => {
    const redis = own as RedisServer
    const accounts = [account('one', { concurrency: 1 })]
    const { seen, script } = counting()
    const { relays } = await twoInstances(redis, { accounts, script })
    const all = () =>
      Promise.all(Array.from({ length: 10 }, (_, index) => relays[index % 2]?.call('chat_completions', CHAT)))
    const statuses = async () => new Set((await all()).map((response) => response?.status))
    expect(await statuses()).toEqual(new Set([200]))
    expect(seen.most).toBe(1)
    await redis.stop()
    expect(await statuses()).toEqual(new Set([200]))
    // Each counts for itself now.
    expect(seen.most).toBeLessThanOrEqual(2)
    await redis.start()
    await until(
      async () => {
        seen.most = 0
        await all()
        return seen.most === 1
      },
      { what: 'one at a time again' },
    )
  })
})
