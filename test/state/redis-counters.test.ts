/** What is particular to the counters on Redis: round trips, scripts, time, slots, keys that go away. */
import { afterAll, describe, expect, test } from 'bun:test'
import type { Redis } from 'ioredis'
import type { Take } from '../../src/core/limit.ts'
import { createRedisClient } from '../../src/state/redis-client.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import type { ScriptClient } from '../../src/state/redis-script.ts'
import * as make from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const server = await startRedis()
const client = server && (await connectRedis(server.url))
const cluster = await startRedis({ cluster: true })
afterAll(async () => {
  client?.disconnect()
  await server?.stop()
  await cluster?.stop()
})

const redis = client as Redis
const owner = (name: string) => `${name}-${make.RUN}`

/** Counts what is sent. */
function counting() {
  const sent: string[] = []
  const counted: ScriptClient = {
    evalsha(...args) {
      sent.push('evalsha')
      return redis.evalsha(...args)
    },
    eval(...args) {
      sent.push('eval')
      return redis.eval(...args)
    },
  }
  return { sent, counters: createRedisCounters({ client: counted }) }
}

const step = (owner: string, requestId = 'request') => ({
  owner,
  requestId,
  limits: [make.slots(5), make.window(9), make.rpm(60), make.tpm(1000), make.funds()],
  amounts: make.amounts({ tokens: 10, charge: 5 }),
  acceptsStale: false,
})

describe.skipIf(!client)('counters on Redis', () => {
  test('an admission is one round trip, a settlement is another one', async () => {
    const { sent, counters } = counting()
    // The first of each sends the script's text as well.
    await counters.admit(step(owner('round-trips')))
    await counters.settle({
      owner: owner('round-trips'),
      requestId: 'none',
      actual: make.actual(),
      takes: [],
      isLate: false,
    })
    sent.length = 0
    const limits = [make.slots(5), make.window(9), make.rpm(60), make.tpm(1000)]
    const outcome = await counters.admit({ ...step(owner('round-trips')), limits })
    expect(outcome.kind).toBe('admitted')
    expect(sent).toEqual(['evalsha'])
    const takes: readonly Take[] = outcome.kind === 'admitted' ? outcome.takes : []
    await counters.settle({
      owner: owner('round-trips'),
      requestId: 'request',
      actual: make.actual(),
      takes,
      isLate: false,
    })
    expect(sent).toEqual(['evalsha', 'evalsha'])
  })

  test('a server that has forgotten the scripts is sent them again', async () => {
    const { sent, counters } = counting()
    await redis.script('FLUSH')
    expect((await counters.admit({ ...step(owner('forgetful')), limits: [make.slots(1)] })).kind).toBe('admitted')
    expect((await counters.admit({ ...step(owner('forgetful'), 'second'), limits: [make.slots(1)] })).kind).toBe(
      'refused',
    )
    expect(sent).toEqual(['evalsha', 'eval', 'evalsha'])
  })

  test('time is that of Redis, so that instances need not agree on it (OPS-4)', async () => {
    const [seconds = 0] = await redis.time()
    const { nowMs } = await createRedisCounters({ client: redis }).read('time', [])
    expect(nowMs).toBeGreaterThanOrEqual(Number(seconds) * 1000)
    expect(nowMs).toBeLessThan(Number(seconds) * 1000 + 5000)
  })

  test('another instance can settle, and then the first one can not any more (BIL-8)', async () => {
    const [one, other] = [createRedisCounters({ client: redis }), createRedisCounters({ client: redis })]
    const admission = { ...step(owner('two-instances')), limits: [make.slots(1)] }
    const outcome = await one.admit(admission)
    const takes = outcome.kind === 'admitted' ? outcome.takes : []
    const settlement = {
      owner: owner('two-instances'),
      requestId: 'request',
      actual: make.actual(),
      takes,
      isLate: false,
    }
    expect(await other.settle(settlement)).toBe(true)
    expect(await one.settle(settlement)).toBe(false)
    expect((await other.admit({ ...admission, requestId: 'next' })).kind).toBe('admitted')
    expect((await one.admit({ ...admission, requestId: 'after' })).kind).toBe('refused')
  })

  test('keys go away by themselves, also those of a window that is longer than others are kept', async () => {
    const counters = createRedisCounters({ client: redis })
    const days = (count: number) => count * make.DAY_MS
    await counters.admit({ ...step(owner('short')), limits: [make.slots(1)] })
    await counters.admit({ ...step(owner('long')), limits: [make.window(1, days(30))] })
    expect(await redis.pttl(`tp:{${owner('short')}}:counters`)).toBeWithin(days(7), days(8) + 1)
    expect(await redis.pttl(`tp:{${owner('long')}}:counters`)).toBeWithin(days(30), days(31) + 1)
    for (const name of ['records', 'due'])
      expect(await redis.pttl(`tp:{${owner('short')}}:${name}`)).toBeGreaterThan(days(7))
    await counters.settle({
      owner: owner('short'),
      requestId: 'request',
      actual: make.actual(),
      takes: [],
      isLate: false,
    })
    expect(await redis.pttl(`tp:{${owner('short')}}:done`)).toBeGreaterThan(days(7))
    expect(await redis.exists(`tp:{${owner('short')}}:records`, `tp:{${owner('short')}}:due`)).toBe(0)
  })

  test('thousands of abandoned requests are given back in one step (KEY-8)', async () => {
    const clock = make.manualClock()
    const counters = createRedisCounters({ client: redis, nowMs: clock.nowMs, leaseMs: 1000 })
    const many = Array.from({ length: 2500 }, (_, index) => ({
      ...step(owner('abandoned'), `request-${index}`),
      limits: [make.slots(2500), make.slots(9999, `slots-${index}`)],
    }))
    for (let at = 0; at < many.length; at += 100) {
      await Promise.all(many.slice(at, at + 100).map((admission) => counters.admit(admission)))
    }
    expect((await counters.read(owner('abandoned'), ['slots'])).buckets[0]?.reserved).toBe(2500)
    clock.advance(1000)
    const names = ['slots', ...many.map((_, index) => `slots-${index}`)]
    const { buckets } = await counters.read(owner('abandoned'), names)
    expect(buckets.map((bucket) => bucket?.reserved)).toEqual(names.map(() => 0))
  })

  test('a script’s own error is an error, not an answer', async () => {
    await redis.set(`tp:{${owner('broken')}}:counters`, 'not a hash')
    expect(createRedisCounters({ client: redis }).admit(step(owner('broken')))).rejects.toThrow('WRONGTYPE')
  })
})

describe.skipIf(!cluster)('counters on a Redis Cluster (OPS-4)', () => {
  test('every step stays in its owner’s slot', async () => {
    const url = cluster?.url ?? ''
    const node = (await connectRedis(url)) as Redis
    await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    while (!String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) await Bun.sleep(20)
    const client = createRedisClient({ url: `${url},${url}`, onError: () => {} })
    await new Promise((resolve) => client.once('ready', resolve))
    const counters = createRedisCounters({ client })
    for (const owner of ['user-a', 'user-b', 'user-c']) {
      const limits = [make.slots(1), make.funds()]
      const asked = await counters.admit({ ...step(owner), limits })
      if (asked.kind !== 'unknown') throw new Error(asked.kind)
      const seeds = [{ counter: 'funds', span: { kind: 'total' } as const, startMs: 0, used: 0, most: 100 }]
      expect(await counters.seed({ owner, epoch: asked.epoch, seeds, recordedIds: ['other'], isGuess: false })).toBe(
        true,
      )
      const outcome = await counters.admit({ ...step(owner), limits })
      const takes = outcome.kind === 'admitted' ? outcome.takes : []
      expect((await counters.admit({ ...step(owner, 'second'), limits })).kind).toBe('refused')
      expect(await counters.renew(owner, ['request', 'lost'])).toEqual(['lost'])
      await counters.restore({ owner, requestId: 'lost', takes })
      await counters.settle({ owner, requestId: 'request', actual: make.actual({ charge: 7 }), takes, isLate: false })
      await counters.flushed(owner, [{ requestId: 'request', counters: ['funds'] }])
      await counters.forget(owner, ['funds'])
      expect((await counters.read(owner, ['funds'])).buckets[0]).toMatchObject({ used: 7, reserved: 5 })
    }
    const slots = await Promise.all((await node.keys('*')).map((key) => node.cluster('KEYSLOT', key)))
    expect(new Set(slots).size).toBe(3)
    client.disconnect()
    node.disconnect()
  })
})
