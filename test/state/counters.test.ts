/** What every implementation of the counters guarantees: one suite, run in memory and on Redis (the manual clock takes the place of its own). */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { CANCELLED, type Limit, MOST_COUNT, type Take } from '../../src/core/limit.ts'
import type { AdmissionOutcome, Counters } from '../../src/state/counters.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import * as make from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const LEASE_MS = 30_000
const server = await startRedis()
const client = server && (await connectRedis(server.url))
afterAll(async () => {
  client?.disconnect()
  await server?.stop()
})

const clock = make.manualClock()
const times = { nowMs: clock.nowMs, leaseMs: LEASE_MS, rememberMs: 50_000 }
const implementations: [string, () => Counters, boolean][] = [
  ['in memory', () => createMemoryCounters(times), false],
  ['on Redis', () => createRedisCounters({ client: client as never, ...times }), !client],
]

let counters: Counters
let owner = ''
let owners = 0
let requests = 0

interface Ask {
  id?: string
  tokens?: number
  cost?: number
  charge?: number
  acceptsStale?: boolean
}

async function admit(
  limits: Limit[],
  { id, acceptsStale = false, ...over }: Ask = {},
): Promise<AdmissionOutcome & { id: string }> {
  const requestId = id ?? `request-${requests++}`
  const outcome = await counters.admit({ owner, requestId, limits, amounts: make.amounts(over), acceptsStale })
  return { ...outcome, id: requestId }
}

type Admitted = Extract<AdmissionOutcome, { kind: 'admitted' }> & { id: string }

async function admitted(limits: Limit[], ask: Ask = {}): Promise<Admitted> {
  const outcome = await admit(limits, ask)
  if (outcome.kind !== 'admitted') throw new Error(`not admitted: ${JSON.stringify(outcome)}`)
  return outcome
}

async function settle(
  request: { id: string; takes?: readonly Take[] },
  used: Partial<typeof CANCELLED> = {},
  isLate = false,
) {
  const { id: requestId, takes = [] } = request
  return counters.settle({ owner, requestId, actual: make.actual(used), takes, isLate })
}

const cancel = ({ id: requestId, takes = [] }: { id: string; takes?: readonly Take[] }) =>
  counters.settle({ owner, requestId, actual: CANCELLED, takes, isLate: false })

/** Asks, and answers with what the database is said to know. */
async function know(
  limits: Limit[],
  known: { used?: number; most?: number; startMs?: number; recordedIds?: string[] } = {},
) {
  const outcome = await admit(limits)
  if (outcome.kind !== 'unknown') throw new Error(`known already: ${JSON.stringify(outcome)}`)
  return seed(limits, outcome, known)
}

function seed(
  limits: Limit[],
  { epoch, counters: names }: { epoch: string; counters: readonly string[] },
  {
    used = 0,
    most,
    startMs,
    recordedIds = [],
  }: { used?: number; most?: number; startMs?: number; recordedIds?: string[] } = {},
) {
  const seeds = limits
    .filter((limit) => names.includes(limit.counter))
    .map(({ counter, span }) => {
      const start = startMs ?? (span.kind === 'calendar' ? span.boundaries[1] : 0)
      return { counter, span, startMs: start, used, most: counter.startsWith('funds') ? (most ?? 0) : null }
    })
  return counters.seed({ owner, epoch, seeds, recordedIds, isGuess: false })
}

async function bucket(name: string) {
  return (await counters.read(owner, [name])).buckets[0] ?? null
}

async function kinds(outcomes: Promise<AdmissionOutcome>[]) {
  return (await Promise.all(outcomes)).map((outcome) => outcome.kind)
}

describe.each(implementations)('counters %s', (_name, build, isMissing) => {
  beforeEach(() => {
    counters = build()
    owner = `owner-${owners++}-${make.RUN}`
  })
  const it = test.skipIf(isMissing)

  it('all limits agree or nothing is taken from any (KEY-7)', async () => {
    const limits = [make.window(5), make.tpm(1000), make.slots(1)]
    await admitted(limits, { tokens: 100 })
    const before = await counters.read(owner, ['window', 'slots'])
    expect((await admit(limits, { tokens: 100 })).kind).toBe('refused')
    expect(await counters.read(owner, ['window', 'slots'])).toEqual(before)
    // Nor of the sliding minute: 900 of its 1000 tokens are still there.
    expect((await admit([make.tpm(1000)], { tokens: 900 })).kind).toBe('admitted')
  })

  it('the first limit of the list that refuses is named, with the time until it may not (KEY-4)', async () => {
    const limits = [make.window(1, 60_000), make.slots(1)]
    await admitted(limits)
    clock.advance(20_000)
    expect(await admit(limits)).toMatchObject({ refusal: { limit: limits[0], waitMs: 40_000, isHeld: false } })
    expect(await admit([make.slots(1)])).toMatchObject({ refusal: { waitMs: 1000, isHeld: true } })
  })

  it('a window starts with its first request and ends after its length; the next request starts a new one (KEY-6)', async () => {
    const limits = [make.window(2, 60_000)]
    const first = await admitted(limits)
    const startMs = clock.nowMs()
    clock.advance(59_999)
    await admitted(limits)
    expect((await admit(limits)).kind).toBe('refused')
    clock.advance(1)
    await admitted(limits)
    expect(await bucket('window')).toMatchObject({ startMs: startMs + 60_000, reserved: 1 })
    // The first one ends now: it belonged to the window before.
    await settle(first)
    expect(await bucket('window')).toMatchObject({ used: 0, reserved: 1 })
  })

  it('a settlement puts what was used in the place of what was reserved, in every counter (BIL-8)', async () => {
    const limits = [make.slots(2), make.window(9), make.tokens(10_000), make.funds()]
    await know(limits, { used: 0, most: 1000 })
    const request = await admitted(limits, { tokens: 5000, charge: 400 })
    expect(await bucket('tokens')).toMatchObject({ used: 0, reserved: 5000 })
    expect(await bucket('funds')).toMatchObject({ used: 0, reserved: 400 })
    expect(await settle(request, { tokens: 1234, charge: 555 })).toBe(true)
    expect(await bucket('slots')).toMatchObject({ used: 0, reserved: 0 })
    expect(await bucket('window')).toMatchObject({ used: 1, reserved: 0 })
    expect(await bucket('tokens')).toMatchObject({ used: 1234, reserved: 0 })
    expect(await bucket('funds')).toMatchObject({ used: 555, reserved: 0 })
  })

  it('a cancelled request leaves no trace (KEY-7, BIL-8)', async () => {
    const limits = [make.slots(1), make.window(1), make.rpm(1), make.tpm(100), make.funds()]
    await know(limits, { most: 500 })
    for (let round = 0; round < 3; round++) await cancel(await admitted(limits, { tokens: 100, charge: 500 }))
    expect(await bucket('funds')).toMatchObject({ used: 0, reserved: 0 })
    expect(await bucket('window')).toMatchObject({ used: 0, reserved: 0 })
  })

  it('settling twice changes nothing, nor does cancelling what was settled (BIL-8)', async () => {
    const limits = [make.slots(2), make.tokens(1000)]
    await know(limits)
    const request = await admitted(limits, { tokens: 500 })
    expect(await settle(request, { tokens: 100 })).toBe(true)
    expect(await settle(request, { tokens: 900 })).toBe(false)
    expect(await cancel(request)).toBe(false)
    await counters.flushed(owner, [{ requestId: request.id, counters: ['tokens'] }])
    expect(await settle(request, { tokens: 900 })).toBe(false)
    expect(await bucket('tokens')).toMatchObject({ used: 100, reserved: 0, standing: 'known' })
  })

  it('admitting the same request twice takes once', async () => {
    const first = await admitted([make.slots(2)], { id: 'same' })
    const second = await admitted([make.slots(2)], { id: 'same' })
    expect(second.takes).toEqual(first.takes)
    expect(await bucket('slots')).toMatchObject({ reserved: 1 })
    await settle(first)
    expect(await admitted([make.slots(2)], { id: 'same' })).toMatchObject({ takes: [] })
    expect(await bucket('slots')).toMatchObject({ reserved: 0 })
  })

  it('a lease that is not renewed ends by itself and gives back slot, hold and reservation (KEY-8)', async () => {
    const limits = [make.slots(1), make.window(9), make.tokens(1000), make.funds()]
    await know(limits, { most: 100 })
    const lost = await admitted(limits, { tokens: 900, charge: 80 })
    clock.advance(LEASE_MS - 1)
    expect((await admit(limits)).kind).toBe('refused')
    clock.advance(1)
    expect(await bucket('slots')).toMatchObject({ reserved: 0 })
    expect(await bucket('funds')).toMatchObject({ used: 0, reserved: 0 })
    expect(await bucket('tokens')).toMatchObject({ used: 0, reserved: 0 })
    // It was a request, whatever became of it.
    expect(await bucket('window')).toMatchObject({ used: 1, reserved: 0 })
    // If it comes back after all, what it used counts, once; its slot is not freed a second time.
    await admitted(limits, { tokens: 10 })
    expect(await settle(lost, { tokens: 300, charge: 50 })).toBe(true)
    expect(await settle(lost, { tokens: 300, charge: 50 })).toBe(false)
    expect(await bucket('slots')).toMatchObject({ reserved: 1 })
    expect(await bucket('tokens')).toMatchObject({ used: 300, reserved: 10, standing: 'stale' })
  })

  it('a renewed lease goes on; what nobody knows is named (KEY-8)', async () => {
    const limits = [make.slots(1)]
    const request = await admitted(limits)
    clock.advance(LEASE_MS - 1)
    expect(await counters.renew(owner, [request.id, 'unheard of'])).toEqual(['unheard of'])
    clock.advance(LEASE_MS - 1)
    expect((await admit(limits)).kind).toBe('refused')
    clock.advance(1)
    expect((await admit(limits)).kind).toBe('admitted')
  })

  it('a hold needs its whole amount; with more than 100 times that to spare none is made (BIL-7)', async () => {
    await know([make.funds()], { most: 10_000 })
    expect((await admitted([make.funds()], { charge: 99 })).takes[0]?.amount).toBe(0)
    expect((await admitted([make.funds()], { charge: 100 })).takes[0]?.amount).toBe(100)
    expect((await admitted([make.funds()], { charge: 98 })).takes[0]?.amount).toBe(0)
    expect((await admit([make.funds()], { charge: 9901 })).kind).toBe('refused')
    expect((await admitted([make.funds()], { charge: 9900 })).takes[0]?.amount).toBe(9900)
    expect((await admit([make.funds()], { charge: 1 })).kind).toBe('refused')
  })

  it('a charge may exceed its hold; then there is less than nothing, and no more requests (BIL-8)', async () => {
    await know([make.funds()], { most: 100 })
    await settle(await admitted([make.funds()], { charge: 90 }), { charge: 130 })
    expect(await bucket('funds')).toMatchObject({ used: 130, reserved: 0 })
    expect(await admit([make.funds()], { charge: 0 })).toMatchObject({ kind: 'refused', refusal: { waitMs: null } })
  })

  it('of an estimated limit the last request may take more than is left, alone (KEY-7)', async () => {
    const limits = [make.tokens(1000)]
    await know(limits, { used: 900 })
    const large = await admitted(limits, { tokens: 5000 })
    expect(await admit(limits, { tokens: 1 })).toMatchObject({ refusal: { isHeld: true, waitMs: 1000 } })
    await settle(large, { tokens: 60 })
    await settle(await admitted(limits, { tokens: 5000 }), { tokens: 40 })
    expect(await admit(limits, { tokens: 0 })).toMatchObject({ refusal: { isHeld: false, waitMs: null } })
  })

  it('a sliding minute lets in no second burst at a boundary, and what has drained (KEY-6)', async () => {
    const limits = [make.rpm(60)]
    clock.advance(59_000)
    const burst = await kinds(Array.from({ length: 70 }, () => admit(limits)))
    expect(burst.filter((kind) => kind === 'admitted')).toHaveLength(60)
    clock.advance(2000)
    const next = await kinds(Array.from({ length: 70 }, () => admit(limits)))
    expect(next.filter((kind) => kind === 'admitted')).toHaveLength(2)
    expect(await admit(limits)).toMatchObject({ refusal: { waitMs: 1000 } })
  })

  it('tokens per minute are corrected by the settlement, into debt if need be (KEY-6)', async () => {
    const limits = [make.tpm(6000)]
    const overlapping = await admitted(limits, { tokens: 2000 })
    clock.advance(1)
    const first = await admitted(limits, { tokens: 3000 })
    await settle(overlapping, { tokens: 0 })
    await settle(first, { tokens: 1000 })
    const second = await admitted(limits, { tokens: 5000 })
    expect((await admit(limits, { tokens: 1 })).kind).toBe('refused')
    await settle(second, { tokens: 11_000 })
    // 12,000 were used: 6,000 beyond what the minute holds, a minute's worth of debt.
    expect(await admit(limits, { tokens: 0 })).toMatchObject({ refusal: { waitMs: 59_999 } })
    clock.advance(59_999)
    expect((await admit(limits, { tokens: 0 })).kind).toBe('admitted')
  })

  it('what has drained since can not be given back (KEY-6)', async () => {
    const limits = [make.tpm(6000)]
    const slow = await admitted(limits, { tokens: 6000 })
    for (let waited = 0; waited < 60; waited += 20) {
      clock.advance(20_000)
      await counters.renew(owner, [slow.id])
    }
    await admitted(limits, { tokens: 6000 })
    await settle(slow, { tokens: 0 })
    expect((await admit(limits, { tokens: 100 })).kind).toBe('refused')
  })

  it('days and totals start from what the database knows, not at zero (KEY-5)', async () => {
    const limits = [make.daily(1000, clock.nowMs()), make.tokens(500)]
    expect(await admit(limits)).toMatchObject({ kind: 'unknown', counters: ['day', 'tokens'], requestIds: [] })
    await know(limits, { used: 400 })
    expect((await admit(limits, { cost: 601 })).kind).toBe('admitted')
    expect(await bucket('day')).toMatchObject({ used: 400, reserved: 601 })
  })

  it('a new day starts at zero; what ends later belongs to the day that it began in (KEY-5)', async () => {
    clock.advance(make.DAY_MS - (clock.nowMs() % make.DAY_MS) - 1)
    const evening = clock.nowMs()
    const day = () => [make.daily(1000, clock.nowMs())]
    await know(day(), { used: 900 })
    const late = await admitted(day(), { cost: 50 })
    clock.advance(1)
    await admitted(day(), { cost: 700 })
    await settle(late, { cost: 80 })
    expect(await bucket('day')).toMatchObject({ used: 0, reserved: 700, standing: 'known' })
    // Neither an instance whose clock is behind nor a clock that is set back brings yesterday back.
    await admitted([make.daily(1000, evening)], { cost: 1 })
    clock.advance(-1)
    await admitted(day(), { cost: 1 })
    clock.advance(1)
    expect(await bucket('day')).toMatchObject({ used: 0, reserved: 702 })
  })

  it('what is reserved of yesterday is not reserved of today, also when today is read from the database (KEY-5)', async () => {
    clock.advance(make.DAY_MS - (clock.nowMs() % make.DAY_MS) - 1)
    const day = () => [make.daily(1000, clock.nowMs())]
    await know(day())
    await admitted(day(), { cost: 600 })
    await counters.forget(owner, ['day'])
    clock.advance(1)
    await know(day(), { used: 1 })
    expect(await bucket('day')).toMatchObject({ used: 1, reserved: 0 })
  })

  it('a request that settled is counted once, whether or not the database had it when it was asked (BIL-8, BIL-13)', async () => {
    const limits = [make.funds()]
    await know(limits, { most: 1000 })
    const early = await admitted(limits, { charge: 300 })
    const late = await admitted(limits, { charge: 300 })
    await settle(early, { charge: 200 })
    await settle(late, { charge: 100 })
    await counters.forget(owner, ['funds'])
    const asked = await admit(limits)
    if (asked.kind !== 'unknown') throw new Error(asked.kind)
    expect(asked.requestIds.toSorted()).toEqual([early.id, late.id].toSorted())
    // The database has booked the first: 800 are left of 1000.
    expect(await seed(limits, asked, { most: 800, recordedIds: [early.id] })).toBe(true)
    expect(await bucket('funds')).toMatchObject({ most: 800, used: 100, standing: 'known' })
    await counters.flushed(owner, [{ requestId: late.id, counters: ['funds'] }])
    expect(await bucket('funds')).toMatchObject({ most: 800, used: 100, standing: 'known' })
  })

  it('an answer that was overtaken is turned away: by a settlement, a flush, an edit (BIL-8)', async () => {
    const limits = [make.funds()]
    await know(limits, { most: 1000 })
    const [first, second] = [await admitted(limits, { charge: 300 }), await admitted(limits, { charge: 300 })]
    await counters.forget(owner, ['funds'])
    const overtake = [
      () => settle(first, { charge: 10 }),
      () => counters.flushed(owner, [{ requestId: first.id, counters: ['funds'] }]),
      () => counters.forget(owner, ['funds']),
      () => counters.flushed(owner, [{ requestId: 'of an earlier life', counters: ['funds'] }]),
      () => counters.flushed(owner, [{ requestId: second.id, counters: ['funds'] }]),
    ]
    for (const event of overtake) {
      const asked = await admit(limits)
      if (asked.kind !== 'unknown') throw new Error(asked.kind)
      await event()
      expect(await seed(limits, asked, { most: 1000 })).toBe(false)
    }
    expect(await know(limits, { most: 990 })).toBe(true)
    expect(await bucket('funds')).toMatchObject({ used: 0, reserved: 0, most: 990 })
  })

  it('a record that one reading resolves is not lost to another that is under way (BIL-8)', async () => {
    const [funds, tokens] = [make.funds(), make.tokens(9000)]
    await know([funds, tokens], { most: 1000 })
    const request = await admitted([funds, tokens], { charge: 100, tokens: 70 })
    await counters.forget(owner, ['funds', 'tokens'])
    await settle(request, { charge: 50, tokens: 60 })
    const askedTokens = await admit([tokens])
    const askedFunds = await admit([funds])
    if (askedFunds.kind !== 'unknown' || askedTokens.kind !== 'unknown') throw new Error('known')
    // The tokens were looked up before the request was booked, the funds after.
    expect(await seed([funds], askedFunds, { most: 950, recordedIds: [request.id] })).toBe(true)
    expect(await seed([tokens], askedTokens, { used: 0 })).toBe(false)
  })

  it('a receipt of which there is no record makes its counters be read again (BIL-13)', async () => {
    const limits = [make.funds()]
    await know(limits, { most: 1000 })
    await counters.flushed(owner, [{ requestId: 'of an earlier life', counters: ['funds'] }])
    expect((await admit(limits)).kind).toBe('unknown')
    expect(await settle({ id: 'of an earlier life' }, { charge: 5 })).toBe(false)
  })

  it('while the database is away, what was known serves, and what never was does not', async () => {
    expect((await admit([make.funds()], { acceptsStale: true })).kind).toBe('unknown')
    await know([make.funds()], { most: 1000 })
    await counters.forget(owner, ['funds'])
    expect((await admit([make.funds()], { charge: 1 })).kind).toBe('unknown')
    expect((await admit([make.funds()], { charge: 1, acceptsStale: true })).kind).toBe('admitted')
  })

  it('a guess serves while the database is away, never in the place of what was known, and is read again', async () => {
    const limits = [make.funds()]
    const guess = async (most: number) => {
      const { epoch } = (await admit(limits)) as { epoch: string } & AdmissionOutcome
      const seeds = [{ counter: 'funds', span: make.funds().span, startMs: 0, used: 0, most }]
      return counters.seed({ owner, epoch, seeds, recordedIds: [], isGuess: true })
    }
    expect(await guess(100)).toBe(true)
    expect(await bucket('funds')).toMatchObject({ most: 100, standing: 'stale' })
    expect(await guess(5000)).toBe(true)
    expect((await admit(limits, { charge: 101, acceptsStale: true })).kind).toBe('refused')
    await settle(await admitted(limits, { charge: 30, acceptsStale: true }), { charge: 30 })
    await know(limits, { most: 70 })
    expect(await bucket('funds')).toMatchObject({ most: 70, used: 30, standing: 'known' })
  })

  it('a restored request holds what it held, and settles as ever (KEY-8, OPS-5)', async () => {
    const limits = [make.slots(1), make.window(5), make.funds()]
    await know(limits, { most: 100 })
    const request = await admitted(limits, { charge: 60 })
    owner = `owner-${owners++}-${make.RUN}`
    const record = { owner, requestId: request.id, takes: request.takes }
    await counters.restore(record)
    await counters.restore(record)
    expect((await admit([make.slots(1)])).kind).toBe('refused')
    expect(await bucket('window')).toMatchObject({ reserved: 1 })
    await know([make.funds()], { most: 100 })
    expect((await admit([make.funds()], { charge: 50 })).kind).toBe('refused')
    expect(await settle(request, { charge: 30 })).toBe(true)
    expect(await bucket('funds')).toMatchObject({ used: 30, reserved: 0 })
    expect(await bucket('slots')).toMatchObject({ reserved: 0 })
    await counters.restore(record)
    expect(await bucket('slots')).toMatchObject({ reserved: 0 })
  })

  it('a subscription’s window is the one that the database knows, or the one that has begun here (BIL-10)', async () => {
    const limits = [make.subscription(1000)]
    const startMs = clock.nowMs() - 1000
    await know(limits, { used: 300, startMs })
    const request = await admitted(limits, { cost: 700 })
    expect(await bucket('subscription')).toMatchObject({ startMs, used: 300, reserved: 700 })
    await settle(request, { cost: 100 })
    await counters.forget(owner, ['subscription'])
    // The database's start is a little later than ours, and it has not booked the last request.
    await know(limits, { used: 300, startMs: startMs + 5 })
    expect(await bucket('subscription')).toMatchObject({ startMs, used: 400, reserved: 0 })
    clock.advance(make.DAY_MS)
    expect((await admit(limits, { cost: 1000 })).kind).toBe('admitted')
  })

  it('counts beyond their bound stay at it, on the safe side', async () => {
    await know([make.tokens(MOST_COUNT)], { used: MOST_COUNT - 10 })
    await settle(await admitted([make.tokens(MOST_COUNT)], { tokens: 1 }), { tokens: MOST_COUNT })
    expect(await bucket('tokens')).toMatchObject({ used: MOST_COUNT })
    expect((await admit([make.tokens(MOST_COUNT)])).kind).toBe('refused')
  })

  it('owners have nothing in common', async () => {
    await admitted([make.slots(1)], { id: 'same' })
    owner = `owner-${owners++}-${make.RUN}`
    expect((await admit([make.slots(1)], { id: 'same' })).kind).toBe('admitted')
  })
})
