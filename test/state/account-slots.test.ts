/** What both kinds of account slots guarantee: one suite, run in one process, over shared counters in memory, and on Redis. */
import { afterAll, describe, expect, test } from 'bun:test'
import { createAccountPool } from '../../src/core/account-pool.ts'
import { andThen, type Later } from '../../src/lib/later.ts'
import { createWaitQueue, type WaitEnd } from '../../src/lib/wait-queue.ts'
import { type AccountSlot, createAccountSlots } from '../../src/state/account-slots.ts'
import type { Bus } from '../../src/state/bus.ts'
import { createLeases } from '../../src/state/leases.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import { createSharedAccountSlots } from '../../src/state/shared-account-slots.ts'
import { createTestBus } from '../support/bus.ts'
import { manualClock, RUN } from '../support/counters.ts'
import { makeAccount } from '../support/make.ts'
import { connectRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const LEASE_MS = 30_000
const server = await startRedis()
const client = server && (await connectRedis(server.url))
afterAll(async () => {
  client?.disconnect()
  await server?.stop()
})

const clock = manualClock()
let runs = 0

/** A pool of its own with one account, a queue, and a way to take slots of it. */
function instance(open: (deps: InstanceDeps) => Slots, most: number) {
  const pool = createAccountPool((account) => account.groupIds, 0)
  pool.put(makeAccount({ id: `account-${runs}-${RUN}`, concurrency: most }))
  const queue = createWaitQueue({ most: 100, schedule: () => () => undefined })
  const slots = open({ pool, onFree: () => void queue.offer(), anyoneWaits: () => queue.size > 0 })
  const entry = [...pool.entries()][0]
  if (!entry) throw new Error('no account')
  const choose = () =>
    pool.choose({ poolId: 'g', model: 'm', nowMs: 0, excluded: new Set(), offers: () => true })?.entry ?? null
  const take = async () => {
    const chosen = choose()
    return chosen ? await slots.take(chosen) : null
  }
  const attempt = () => {
    const chosen = choose()
    return chosen ? slots.take(chosen) : null
  }
  /** Takes one, or joins the queue the moment that it was refused, as a request does. */
  const wait = async (): Promise<AccountSlot> => {
    const waited = await andThen(attempt(), (slot): Later<WaitEnd<AccountSlot>> => {
      if (slot) return { kind: 'served', value: slot }
      return queue.wait<AccountSlot>({ lane: 'key', timeoutMs: 1, attempt })?.end ?? { kind: 'left' }
    })
    if (waited.kind !== 'served') throw new Error(waited.kind)
    return waited.value
  }
  return { choose, entry, pool, queue, slots, take, wait }
}

interface InstanceDeps {
  pool: ReturnType<typeof createAccountPool>
  onFree(): void
  anyoneWaits(): boolean
}

type Slots = ReturnType<typeof createAccountSlots> & { recheck?(): void }

const onMemory = () => createMemoryCounters({ nowMs: clock.nowMs, leaseMs: LEASE_MS })
const onRedis = () => createRedisCounters({ client: client as never, nowMs: clock.nowMs, leaseMs: LEASE_MS })
let ids = 0

/** Instances that share an account of `most` slots; `die`: its leases are renewed no longer (they never are in here). */
function cluster(makeCounters: typeof onMemory | typeof onRedis, most: number, yieldMs?: number) {
  runs++
  const bus = createTestBus()
  const counters = makeCounters()
  const open = (own: Bus) => () =>
    instance(
      (deps) =>
        createSharedAccountSlots({
          ...deps,
          bus: own,
          leases: createLeases({ counters, newId: () => `slot-${RUN}-${ids++}` }),
          recheckEveryMs: 0,
          yieldMs,
        }),
      most,
    )
  return { bus, instances: [open(bus.join())(), open(bus.join())()] as const }
}

describe.each<[string, (most: number) => ReturnType<typeof instance>, boolean]>([
  ['in one process', (most) => instance(createAccountSlots, most), false],
  ['shared, counted in memory', (most) => cluster(onMemory, most).instances[0], false],
  ['shared, counted on Redis', (most) => cluster(onRedis, most).instances[0], !client],
])('slots of accounts %s (ACC-7)', (_name, open, isSkipped) => {
  test.skipIf(isSkipped)('never more at a time than the account allows, and each comes back', async () => {
    const { take, entry, wait } = open(3)
    const taken = await Promise.all([take(), take(), take(), take(), take()])
    expect(taken.filter(Boolean)).toHaveLength(3)
    expect(entry.inFlight).toBe(3)
    for (const slot of taken) slot?.release()
    expect(entry.inFlight).toBe(0)
    expect(await wait()).toBeDefined()
  })

  test.skipIf(isSkipped)('a slot is given back once, however often it is released', async () => {
    const { take, entry } = open(2)
    const [first] = [await take(), await take()]
    first?.release()
    first?.release()
    expect(entry.inFlight).toBe(1)
    expect([await take(), await take()].map(Boolean)).toEqual([true, false])
  })

  test.skipIf(isSkipped)('who waits is served by the slot that comes free, in the order of waiting', async () => {
    const { take, wait, queue } = open(1)
    const first = await take()
    const ends: number[] = []
    const waiting = [1, 2].map((number) =>
      wait().then((slot) => {
        ends.push(number)
        return slot
      }),
    )
    first?.release()
    for (const slot of waiting) (await slot).release()
    expect(ends).toEqual([1, 2])
    expect(queue.size).toBe(0)
  })

  test.skipIf(isSkipped)('an account without a limit is taken without a trip', () => {
    const { slots, entry, pool } = open(0)
    const taken = Array.from({ length: 50 }, () => slots.take(entry))
    expect(taken.some((slot) => slot === null || slot instanceof Promise)).toBe(false)
    expect(entry.inFlight).toBe(50)
    expect(pool.size).toBe(1)
  })
})

test('in one process a slot is there at once: nothing is awaited (ACC-7)', () => {
  const { slots, entry } = instance(createAccountSlots, 1)
  expect(slots.take(entry)).not.toBeInstanceOf(Promise)
})

describe.each<[string, typeof onMemory | typeof onRedis, boolean]>([
  ['in memory', onMemory, false],
  ['on Redis', onRedis, !client],
])('slots of accounts that instances share, counted %s (OPS-4)', (_name, makeCounters, isSkipped) => {
  test.skipIf(isSkipped)('one’s slots are not the other’s, and a full account is out of both pools', async () => {
    const [one, other] = cluster(makeCounters, 2).instances
    expect([await one.take(), await one.take()].map(Boolean)).toEqual([true, true])
    expect(await other.take()).toBeNull()
    expect(other.choose()).toBeNull()
    const asked = { poolId: 'g', model: 'm', nowMs: 0, excluded: new Set<string>(), offers: () => true }
    expect(other.pool.explain(asked).passedOver).toEqual({ full: 1 })
    expect(other.entry.inFlight).toBe(0)
  })

  test.skipIf(isSkipped)('a slot given back on one instance wakes the queue of the other (ACC-7)', async () => {
    const [one, other] = cluster(makeCounters, 1).instances
    const held = await one.take()
    expect(await other.take()).toBeNull()
    const waiting = other.wait()
    held?.release()
    expect(await waiting).toBeDefined()
    expect(await one.take()).toBeNull()
  })

  test.skipIf(isSkipped)('news that overtakes the answer “full” are not lost (ACC-7)', async () => {
    const { bus, instances } = cluster(makeCounters, 1)
    const [one, other] = instances
    const held = await one.take()
    const asking = other.wait()
    // On Redis the refusal is still on its way.
    bus.deliver('slot', other.entry.account.id)
    held?.release()
    expect(await asking).toBeDefined()
  })

  test.skipIf(isSkipped)('instances whose requests wait for the same account take turns (ACC-7, OPS-4)', async () => {
    // Longer than the test: what others are told makes them go on, not the time.
    const [one, other] = cluster(makeCounters, 1, 60_000).instances
    const held = await one.take()
    const served: string[] = []
    const serve = async (name: string, slot: Promise<AccountSlot>) => {
      const taken = await slot
      served.push(name)
      taken.release()
    }
    const all = [1, 2, 3, 4].flatMap(() => [serve('one', one.wait()), serve('other', other.wait())])
    await until(() => one.queue.size + other.queue.size === 8, { what: 'eight that wait' })
    held?.release()
    await Promise.all(all)
    expect(served).toEqual(['other', 'one', 'other', 'one', 'other', 'one', 'other', 'one'])
  })

  test.skipIf(isSkipped)(
    'slots of an instance that died come back when its leases have lapsed (KEY-8, ACC-7)',
    async () => {
      const [dead, other] = cluster(makeCounters, 2).instances
      await dead.take()
      await dead.take()
      expect(await other.take()).toBeNull()
      clock.advance(LEASE_MS - 1)
      other.slots.recheck?.()
      expect(await other.take()).toBeNull()
      const waiting = other.wait()
      expect(other.queue.size).toBe(1)
      clock.advance(1)
      other.slots.recheck?.()
      expect(await waiting).toBeDefined()
      expect(await other.take()).not.toBeNull()
    },
  )
})
