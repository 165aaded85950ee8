/** What becomes of shared counters when what they are shared through goes away, forgets, or answers too late (OPS-5). */
import { describe, expect, test } from 'bun:test'
import type { CANCELLED, Limit } from '../../src/core/limit.ts'
import type { Counters } from '../../src/state/counters.ts'
import { createMemoryCounters, type MemoryCounters } from '../../src/state/memory-counters.ts'
import { openCounters } from '../../src/state/open-counters.ts'
import { createSharedCounters, type SharedMode } from '../../src/state/shared-counters.ts'
import * as make from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const OWNER = `owner-${make.RUN}`
const LEASE_MS = 60_000

/** Counters at the other end of a connection. `silent`: it does what it is told, and the answer is lost. */
function createRemote(nowMs: () => number) {
  const build = () => createMemoryCounters({ nowMs, leaseMs: LEASE_MS })
  const remote = { counters: build(), state: 'up' as 'up' | 'down' | 'silent' }
  const call = (name: keyof Counters) => {
    return async (...args: never[]) => {
      if (remote.state === 'down') throw new Error('connection refused')
      const answer = await (remote.counters[name] as (...given: never[]) => unknown)(...args)
      if (remote.state === 'silent') throw new Error('Command timed out')
      return answer
    }
  }
  const names = ['admit', 'settle', 'restore', 'renew', 'seed', 'flushed', 'forget', 'read'] as const
  const connection = Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as Counters
  return { remote, connection, restart: () => void Object.assign(remote, { counters: build() }) }
}

function setUp(whenDown: 'local' | 'refuse' = 'local') {
  const clock = make.manualClock()
  const { remote, connection, restart } = createRemote(clock.nowMs)
  const modes: SharedMode[] = []
  const instance = () =>
    createSharedCounters({
      shared: connection,
      createLocal: () => createMemoryCounters({ nowMs: clock.nowMs }),
      whenDown,
      nowMs: clock.nowMs,
      onModeChange: (mode) => modes.push(mode),
      renewEveryMs: 0,
    })
  return { clock, remote, restart, modes, instance, counters: instance() }
}

let requests = 0
async function admit(counters: Counters, limits: Limit[], over: Partial<typeof CANCELLED> = {}) {
  const requestId = `request-${requests++}`
  const outcome = await counters.admit({
    owner: OWNER,
    requestId,
    limits,
    amounts: make.amounts(over),
    acceptsStale: false,
  })
  return { requestId, outcome, kind: outcome.kind, takes: outcome.kind === 'admitted' ? outcome.takes : [] }
}

type Request = Awaited<ReturnType<typeof admit>>
const settle = (counters: Counters, { requestId, takes }: Request, used: Partial<typeof CANCELLED> = {}) =>
  counters.settle({ owner: OWNER, requestId, actual: make.actual(used), takes, isLate: false })

/** Answers for the database: so much money, and these requests booked. */
async function know(counters: Counters, limits: Limit[], { most = 1000, recordedIds = [] as string[] } = {}) {
  const { outcome } = await admit(counters, limits)
  if (outcome.kind !== 'unknown') throw new Error(outcome.kind)
  const seeds = limits.map(({ counter, span }) => ({ counter, span, startMs: 0, used: 0, most }))
  const { epoch, requestIds } = outcome
  return { wasSeeded: await counters.seed({ owner: OWNER, epoch, seeds, recordedIds, isGuess: false }), requestIds }
}

const bucket = (remote: { counters: MemoryCounters }, name: string) => remote.counters.read(OWNER, [name]).buckets[0]
/** Lets everything that was set going in the background come to its end. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('shared counters', () => {
  test('Redis away: the instance goes on with its own counters, and says so (OPS-5)', async () => {
    const { counters, remote, modes } = setUp()
    await admit(counters, [make.slots(2)])
    remote.state = 'down'
    expect(counters.mode).toBe('shared')
    // What is under way still counts: one slot is left, not two.
    expect((await admit(counters, [make.slots(2)])).kind).toBe('admitted')
    expect((await admit(counters, [make.slots(2)])).kind).toBe('refused')
    expect(counters.mode).toBe('local')
    expect(modes).toEqual(['local'])
  })

  test('what is done while Redis is away can be changed, also while it is (OPS-5)', async () => {
    const { counters, remote, modes } = setUp('refuse')
    remote.state = 'down'
    expect((await admit(counters, [make.slots(2)])).kind).toBe('unavailable')
    counters.setWhenDown('local')
    expect((await admit(counters, [make.slots(2)])).kind).toBe('admitted')
    counters.setWhenDown('refuse')
    expect((await admit(counters, [make.slots(2)])).kind).toBe('unavailable')
    expect(modes).toEqual(['refusing', 'local', 'refusing'])
    remote.state = 'up'
    await counters.connected()
    counters.setWhenDown('local')
    expect(counters.mode).toBe('shared')
  })

  test('Redis back: it is told what happened meanwhile, and all is shared again (OPS-5)', async () => {
    const { counters, remote, clock, modes } = setUp()
    await know(counters, [make.funds()])
    const limits = [make.slots(9), make.funds()]
    const before = await admit(counters, limits, { charge: 300 })
    const throughout = await admit(counters, limits, { charge: 200 })
    remote.state = 'down'
    await settle(counters, before, { charge: 250 })
    await know(counters, [make.funds()])
    const during = await admit(counters, limits, { charge: 100 })
    const shortly = await admit(counters, limits, { charge: 100 })
    await settle(counters, shortly, { charge: 40 })
    remote.state = 'up'
    clock.advance(1000)
    await admit(counters, [make.slots(9)])
    await settled()
    expect(modes).toEqual(['local', 'shared'])
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 3 })
    expect(bucket(remote, 'funds')).toMatchObject({ used: 290, reserved: 300, standing: 'stale' })
    const { requestIds } = await know(counters, [make.funds()], { most: 750, recordedIds: [before.requestId] })
    expect(requestIds.toSorted()).toEqual([before.requestId, shortly.requestId].toSorted())
    expect(bucket(remote, 'funds')).toMatchObject({ most: 750, used: 40, reserved: 300, standing: 'known' })
    expect(await settle(counters, throughout, { charge: 1 })).toBe(true)
    expect(await settle(counters, during, { charge: 1 })).toBe(true)
    expect(bucket(remote, 'funds')).toMatchObject({ used: 42, reserved: 0 })
  })

  test('Redis away is tried once a second, not by every request', async () => {
    const { counters, remote, clock } = setUp()
    remote.state = 'down'
    await admit(counters, [make.slots(99)])
    remote.state = 'up'
    clock.advance(999)
    await admit(counters, [make.slots(99)])
    await settled()
    expect(counters.mode).toBe('local')
    clock.advance(1)
    await admit(counters, [make.slots(99)])
    await settled()
    expect(counters.mode).toBe('shared')
  })

  test('`refuse`: nothing is admitted while Redis is away, and what ends meanwhile is told later (OPS-5)', async () => {
    const { counters, remote, modes } = setUp('refuse')
    const request = await admit(counters, [make.slots(1)])
    remote.state = 'down'
    expect((await admit(counters, [make.slots(1)])).kind).toBe('unavailable')
    expect(await settle(counters, request)).toBe(true)
    expect(await settle(counters, request)).toBe(false)
    remote.state = 'up'
    await counters.connected()
    expect(modes).toEqual(['refusing', 'shared'])
    expect((await admit(counters, [make.slots(1)])).kind).toBe('admitted')
  })

  test('Redis restarted empty: each instance tells it again what is under way and not yet booked (BIL-8, OPS-5)', async () => {
    const { counters, remote, restart, instance } = setUp()
    const other = instance()
    await know(counters, [make.funds()])
    const limits = [make.slots(3), make.funds()]
    const spent = await admit(counters, limits, { charge: 500 })
    await admit(other, limits, { charge: 200 })
    await settle(counters, spent, { charge: 400 })
    restart()
    await Promise.all([counters.connected(), other.connected()])
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 1 })
    const { requestIds } = await know(other, [make.funds()])
    expect(requestIds).toEqual([spent.requestId])
    expect(bucket(remote, 'funds')).toMatchObject({ most: 1000, used: 400, reserved: 200 })
  })

  test('a step whose answer was lost is not done twice (BIL-8)', async () => {
    const { counters, remote } = setUp()
    await know(counters, [make.funds()])
    const limits = [make.slots(9), make.funds()]
    const request = await admit(counters, limits, { charge: 300 })
    remote.state = 'silent'
    await settle(counters, request, { charge: 100 })
    await know(counters, [make.funds()])
    const second = await admit(counters, limits, { charge: 300 })
    remote.state = 'up'
    await counters.connected()
    expect(bucket(remote, 'funds')).toMatchObject({ used: 100, reserved: 300 })
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 1 })
    await settle(counters, second, { charge: 20 })
    expect(bucket(remote, 'funds')).toMatchObject({ used: 120, reserved: 0 })
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 0 })
  })

  test('a top-up and a flush that Redis did not hear of make it read again (BIL-13)', async () => {
    for (const news of ['forget', 'flushed'] as const) {
      const { counters, remote } = setUp()
      await know(counters, [make.funds()])
      expect(bucket(remote, 'funds')).toMatchObject({ standing: 'known' })
      remote.state = 'down'
      if (news === 'forget') await counters.forget(OWNER, ['funds'])
      else await counters.flushed(OWNER, [{ requestId: 'of an earlier life', counters: ['funds'] }])
      remote.state = 'up'
      await counters.connected()
      expect(bucket(remote, 'funds')).toMatchObject({ standing: 'stale' })
    }
  })

  test('what the database was asked for one kind of counters does not serve the other', async () => {
    const { counters, remote } = setUp()
    const { outcome } = await admit(counters, [make.funds()])
    if (outcome.kind !== 'unknown') throw new Error(outcome.kind)
    remote.state = 'down'
    await admit(counters, [make.slots(1)])
    const seeds = [{ counter: 'funds', span: { kind: 'total' } as const, startMs: 0, used: 0, most: 5 }]
    expect(await counters.seed({ owner: OWNER, epoch: outcome.epoch, seeds, recordedIds: [], isGuess: false })).toBe(
      false,
    )
    expect((await admit(counters, [make.funds()])).kind).toBe('unknown')
  })

  test('requests that take longer than a lease keep it; one that Redis lost is put back (KEY-8)', async () => {
    const { counters, remote, clock, restart } = setUp()
    const request = await admit(counters, [make.slots(1)])
    for (let minutes = 0; minutes < 10; minutes++) {
      clock.advance(LEASE_MS / 3)
      await counters.renewLeases()
    }
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 1 })
    restart()
    await counters.renewLeases()
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 1 })
    await settle(counters, request)
    await counters.renewLeases()
    expect(bucket(remote, 'slots')).toMatchObject({ reserved: 0 })
  })

  test('a request is remembered until it is settled, one that moved money until that is booked', async () => {
    const { counters } = setUp()
    await know(counters, [make.funds()])
    const free = await admit(counters, [make.slots(9)])
    const paying = await admit(counters, [make.funds()], { charge: 30 })
    expect(counters.remembered).toBe(2)
    await settle(counters, free)
    await settle(counters, paying, { charge: 30 })
    expect(counters.remembered).toBe(1)
    await counters.flushed(OWNER, [{ requestId: paying.requestId, counters: ['funds'] }])
    expect(counters.remembered).toBe(0)
  })
})

const server = await startRedis()
test.skipIf(!server?.isOwn)(
  'a Redis that is killed and started again is found and told everything, without anybody’s doing (OPS-5)',
  async () => {
    if (!server) return
    const heard = Promise.withResolvers<void>()
    const opened = openCounters({
      redisUrl: server.url,
      redisDown: 'local',
      nowMs: Date.now,
      onModeChange: (mode) => (mode === 'shared' ? heard.resolve() : undefined),
      onConnectionError() {},
      onConnected() {},
    })
    const { counters } = opened
    await admit(counters, [make.slots(9)])
    await heard.promise
    expect(opened.mode).toBe('shared')
    await server.stop()
    expect((await admit(counters, [make.slots(9)])).kind).toBe('admitted')
    expect(opened.mode).toBe('local')
    await server.start()
    const client = await connectRedis(server.url)
    const isShared = async () => opened.mode === 'shared' && (await client.exists(`tp:{${OWNER}}:counters`)) === 1
    while (!(await isShared())) await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await counters.read(OWNER, ['slots'])).buckets[0]).toMatchObject({ reserved: 2 })
    client.disconnect()
    opened.stop()
    await server.stop()
  },
  20_000,
)
