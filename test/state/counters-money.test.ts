/**
 * Money under everything that can happen to it: holds, settlements, flushes, top-ups, crashes, lost counters and readings that overtake one
 * another, in random order. The database is a number and a set; the counters are the real ones.
 */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { CANCELLED, type Take } from '../../src/core/limit.ts'
import type { AdmissionOutcome } from '../../src/state/counters.ts'
import { createMemoryCounters, type MemoryCounters } from '../../src/state/memory-counters.ts'
import { actual, amounts, funds, manualClock } from '../support/counters.ts'

const OWNER = 'user'
const FUNDS = funds()
const LEASE_MS = 30_000
const START = 1000

interface Request {
  id: string
  instance: number
  hold: number
  takes: readonly Take[]
  state: 'open' | 'settled' | 'committed' | 'cancelled'
  charge: number
  /** Do the counters know it as it is? Not after they were lost, until its instance restores it. */
  isTold: boolean
  /** Committed, and the counters have heard of it. */
  isNoticed: boolean
  /** Its process died between journal and settlement: all that is left of it is its receipt. */
  isOrphan: boolean
}

type Unknown = Extract<AdmissionOutcome, { kind: 'unknown' }>
/** Asked, then looked up in the database, then applied: other things happen in between. */
interface Reading {
  unknown: Unknown
  found: { balance: number; recordedIds: string[] } | null
}

function createWorld() {
  const clock = manualClock()
  const build = () => createMemoryCounters({ nowMs: clock.nowMs, leaseMs: LEASE_MS })
  let counters: MemoryCounters = build()
  let balance = START
  let isToppedUpUnheard = false
  /** What nobody could know of when it was spent again: holds and charges that were lost, until somebody told of them. */
  let lost = 0
  const requests: Request[] = []
  const readings: Reading[] = []
  const of = (state: Request['state'], instance?: number) =>
    requests.filter((request) => request.state === state && (instance === undefined || request.instance === instance))
  const sum = (list: Request[], value: (request: Request) => number) => list.reduce((all, one) => all + value(one), 0)

  function look(reading: Reading): Reading {
    const recordedIds = reading.unknown.requestIds.filter((id) => of('committed').some((one) => one.id === id))
    reading.found = { balance, recordedIds }
    return reading
  }

  function apply({ unknown, found }: Reading): boolean {
    if (!found) return false
    const { balance: most, recordedIds } = found
    const seeds = [{ counter: FUNDS.counter, span: FUNDS.span, startMs: 0, used: 0, most }]
    return counters.seed({ owner: OWNER, epoch: unknown.epoch, seeds, recordedIds, isGuess: false })
  }

  function admit(instance: number, hold: number, readsNow: boolean): void {
    const id = `r${requests.length}`
    const step = {
      owner: OWNER,
      requestId: id,
      limits: [FUNDS],
      amounts: amounts({ charge: hold }),
      acceptsStale: false,
    }
    let outcome = counters.admit(step)
    if (outcome.kind === 'unknown' && !readsNow) readings.push({ unknown: outcome, found: null })
    if (outcome.kind === 'unknown' && readsNow) {
      apply(look({ unknown: outcome, found: null }))
      outcome = counters.admit(step)
      expect(outcome.kind).not.toBe('unknown')
    }
    if (outcome.kind !== 'admitted') return
    const { takes } = outcome
    expect(takes[0]?.amount).toBe(hold)
    requests.push({
      id,
      instance,
      hold,
      takes,
      state: 'open',
      charge: 0,
      isTold: true,
      isNoticed: false,
      isOrphan: false,
    })
  }

  function end(request: Request, charge: number): void {
    request.state = charge === 0 ? 'cancelled' : 'settled'
    request.charge = charge
    const spent = charge === 0 ? CANCELLED : actual({ charge })
    const { id: requestId, takes } = request
    const step = { owner: OWNER, requestId, actual: spent, takes, isLate: false }
    expect(counters.settle(step)).toBe(true)
    expect(counters.settle(step)).toBe(false)
    request.isTold = true
  }

  function commit(request: Request): void {
    request.state = 'committed'
    balance -= request.charge
  }

  function notice(request: Request): void {
    counters.flushed(OWNER, [{ requestId: request.id, counters: [FUNDS.counter] }])
    request.isNoticed = true
  }

  /** The process dies with its open requests. What is in its journal is flushed by its next life. */
  function crash(instance: number, wroteJournal: boolean): void {
    for (const request of of('open', instance)) {
      request.state = wroteJournal ? 'settled' : 'cancelled'
      request.charge = wroteJournal ? Math.ceil(request.hold / 2) : 0
      lost += request.charge
      request.isOrphan = true
      request.isTold = false
    }
    for (const request of of('open')) counters.renew(OWNER, [request.id])
    clock.advance(LEASE_MS - 1)
    for (const request of of('open')) counters.renew(OWNER, [request.id])
    clock.advance(1)
  }

  function lose(): void {
    clock.advance(1)
    counters = build()
    for (const request of [...of('open'), ...of('settled')]) {
      request.isTold = false
      lost += request.state === 'open' ? request.hold : request.charge
    }
  }

  function restore(instance: number): void {
    for (const request of requests) {
      if (request.instance !== instance || request.isTold || request.isOrphan) continue
      const { id: requestId, takes, charge } = request
      if (request.state === 'open') counters.restore({ owner: OWNER, requestId, takes })
      else counters.settle({ owner: OWNER, requestId, actual: actual({ charge }), takes, isLate: true })
      request.isTold = true
    }
  }

  /** What the counters believe is left; null: they know that they don't know. */
  function free(): number | null {
    const bucket = counters.read(OWNER, [FUNDS.counter]).buckets[0]
    return bucket?.standing === 'known' ? (bucket.most ?? 0) - bucket.used - bucket.reserved : null
  }

  /**
   * Never more than there is: the balance, less what is settled and not booked yet, less what is held. Of what nobody told them – lost with
   * the counters and not restored yet, or with a process whose journal is not read yet – they can't know, booked or not.
   */
  function checkNothingInvented(): void {
    const believed = free()
    if (believed === null) return
    const settled = sum(
      of('settled').filter((request) => request.isTold),
      (request) => request.charge,
    )
    const held = sum(
      of('open').filter((request) => request.isTold),
      (request) => request.hold,
    )
    const unheard = of('committed').filter((request) => !request.isTold && !request.isNoticed)
    expect(believed).toBeLessThanOrEqual(balance - settled - held + sum(unheard, (request) => request.charge))
  }

  /** Everybody has said what they know: then it is exactly that. */
  function checkNothingLost(): void {
    for (const instance of [0, 1, 2]) restore(instance)
    for (const request of of('settled')) if (request.isOrphan) commit(request)
    for (const request of of('committed')) if (!request.isNoticed) notice(request)
    if (isToppedUpUnheard) counters.forget(OWNER, [FUNDS.counter])
    for (const reading of readings) apply(reading)
    for (let attempt = 0; free() === null; attempt++) {
      expect(attempt).toBeLessThan(3)
      const limits = [FUNDS]
      const step = {
        owner: OWNER,
        requestId: 'last',
        limits,
        amounts: amounts({ charge: 1 << 20 }),
        acceptsStale: false,
      }
      const outcome = counters.admit(step)
      if (outcome.kind === 'unknown') apply(look({ unknown: outcome, found: null }))
    }
    expect(free()).toBe(
      balance - sum(of('settled'), (request) => request.charge) - sum(of('open'), (request) => request.hold),
    )
    expect(balance).toBeGreaterThanOrEqual(-lost)
  }

  return {
    of,
    readings,
    admit,
    end,
    commit,
    notice,
    crash,
    lose,
    restore,
    look,
    apply,
    topUp(amount: number) {
      balance += amount
      isToppedUpUnheard = true
    },
    hearOfTopUp() {
      counters.forget(OWNER, [FUNDS.counter])
      isToppedUpUnheard = false
    },
    wait: (ms: number) => clock.advance(ms),
    checkNothingInvented,
    checkNothingLost,
  }
}

/** Mostly the newest: what is interesting is what overlaps. */
const pick = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20) })
const instance = fc.nat(2)
const kind = <T extends string>(name: T) => fc.constant(name)
const step = fc.oneof(
  // Never less than a hundredth of what there can be: no request is trusted, every one is held.
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('admit'),
      instance,
      hold: fc.integer({ min: 40, max: 500 }),
      readsNow: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: kind('end'), pick, share: fc.nat(10) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('commit'), pick }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('notice'), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('look'), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('apply'), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('topUp'), amount: fc.nat(300) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('hearOfTopUp') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('crash'), instance, wroteJournal: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('lose') }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('restore'), instance }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function play(world: ReturnType<typeof createWorld>, item: Step): unknown {
  const choose = <T>(list: readonly T[], at: number): T | undefined => list.at(-1 - (at % Math.max(1, list.length)))
  switch (item.kind) {
    case 'admit':
      return world.admit(item.instance, item.hold, item.readsNow)
    case 'end': {
      const request = choose(world.of('open'), item.pick)
      if (request) world.end(request, Math.floor((request.hold * item.share) / 10))
      return null
    }
    case 'commit': {
      const request = choose(world.of('settled'), item.pick)
      if (request) world.commit(request)
      return null
    }
    case 'notice': {
      const request = choose(
        world.of('committed').filter(({ isNoticed }) => !isNoticed),
        item.pick,
      )
      if (request) world.notice(request)
      return null
    }
    case 'look': {
      const reading = choose(
        world.readings.filter(({ found }) => !found),
        item.pick,
      )
      if (reading) world.look(reading)
      return null
    }
    case 'apply': {
      const reading = choose(world.readings, item.pick)
      if (reading) world.apply(reading)
      return null
    }
    case 'topUp':
      return world.topUp(item.amount)
    case 'hearOfTopUp':
      return world.hearOfTopUp()
    case 'crash':
      return world.crash(item.instance, item.wroteJournal)
    case 'lose':
      return world.lose()
    case 'restore':
      return world.restore(item.instance)
  }
}

test('money is neither lost nor invented, whatever fails and in whatever order it is heard of (BIL-7, BIL-8, BIL-13)', () => {
  const manySteps = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })
  fc.assert(
    fc.property(manySteps, (steps) => {
      const world = createWorld()
      for (const item of steps) {
        play(world, item)
        world.checkNothingInvented()
      }
      world.checkNothingLost()
    }),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  )
})
