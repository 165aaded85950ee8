/** Memory and Redis are one thing twice: fed the same steps on the same clock, they give the same answers and end in the same state. */
import { afterAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dayBoundaries } from '../../src/core/calendar.ts'
import { CANCELLED, type Limit, type Take } from '../../src/core/limit.ts'
import type { AdmissionOutcome, Counters } from '../../src/state/counters.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { createRedisCounters } from '../../src/state/redis-counters.ts'
import * as make from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'

const server = await startRedis()
const client = server && (await connectRedis(server.url))
afterAll(async () => {
  client?.disconnect()
  await server?.stop()
})

const COUNTERS = ['slots', 'window', 'tokens', 'day', 'funds', 'subscription']
/** Long runs: RUNS=2000 npx bun test --timeout 600000 test/state/counters-twins.test.ts */
const RUNS = Number(process.env.RUNS ?? 240)
const TIMES = { leaseMs: 30_000, rememberMs: 50_000 }

/** Limits of three keys of one owner that share some counters. */
function limitSets(nowMs: number): Limit[][] {
  return [
    [make.slots(3), make.window(5, 90_000), make.rpm(6), make.tpm(1000)],
    [make.tokens(5000), make.daily(900, nowMs)],
    [make.funds(), make.subscription(2000), make.slots(2), make.tokens(5000), make.tpm(300)],
  ]
}

// Round numbers, so that limits and ends of windows are hit exactly and not only passed.
const amount = fc.oneof(fc.constantFrom(0, 1, 100, 300, 900), fc.nat(1200))
const counter = fc.constantFrom(...COUNTERS)
/** Of the requests admitted so far, counted from the last. */
const request = fc.nat(4)
const reading = {
  isGuess: fc.nat(3).map((chance) => chance === 0),
  used: amount,
  most: fc.nat(60_000),
  recorded: fc.nat(31),
  skewMs: fc.integer({ min: -100_000, max: 1000 }),
}
const kind = <T extends string>(name: T) => fc.constant(name)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('admit'),
      again: fc.option(request, { freq: 8 }),
      set: fc.nat(2),
      tokens: amount,
      cost: amount,
      isStale: fc.boolean(),
      // Mostly what is unknown is read at once; else the reading comes later, after other steps.
      isRead: fc.nat(3),
      ...reading,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: kind('settle'), request, tokens: amount, cost: amount, isLate: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('cancel'), request }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('seed'), isOld: fc.boolean(), ...reading }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('flushed'), request, counter }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('forget'), counter }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('renew'), request }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('restore'), request }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('advance'),
      ms: fc.constantFrom(1, 1000, 10_000, 30_000, 50_000, 90_000, make.DAY_MS),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Reading = Pick<Extract<Step, { kind: 'seed' }>, keyof typeof reading>
type Unknown = Extract<AdmissionOutcome, { kind: 'unknown' }>

interface Run {
  counters: Counters
  clock: ReturnType<typeof make.manualClock>
  admitted: string[]
  takes: Map<string, readonly Take[]>
  /** Answers `unknown`, the last at the end. */
  unknown: Unknown[]
  limits: Map<string, Limit>
}

function startRun(build: (nowMs: () => number) => Counters): Run {
  const clock = make.manualClock()
  return { counters: build(clock.nowMs), clock, admitted: [], takes: new Map(), unknown: [], limits: new Map() }
}

async function play(run: Run, owner: string, item: Step): Promise<unknown> {
  const { counters, clock } = run
  if (item.kind === 'admit') return playAdmission(run, owner, item)
  if (item.kind === 'advance') return clock.advance(item.ms)
  if (item.kind === 'forget') return counters.forget(owner, [item.counter])
  if (item.kind === 'seed') return playReading(run, owner, { ...item, age: item.isOld ? 1 : 0 })
  const requestId = run.admitted.at(-1 - item.request) ?? 'never admitted'
  const takes = run.takes.get(requestId) ?? []
  switch (item.kind) {
    case 'settle': {
      const actual = make.actual({ tokens: item.tokens, cost: item.cost, charge: item.cost })
      return counters.settle({ owner, requestId, actual, takes, isLate: item.isLate })
    }
    case 'cancel':
      return counters.settle({ owner, requestId, actual: CANCELLED, takes, isLate: false })
    case 'flushed':
      return counters.flushed(owner, [{ requestId, counters: [item.counter] }])
    case 'renew':
      return [...(await counters.renew(owner, [requestId]))]
    case 'restore':
      return counters.restore({ owner, requestId, takes })
  }
}

async function playAdmission(run: Run, owner: string, item: Extract<Step, { kind: 'admit' }>): Promise<unknown> {
  const limits = limitSets(run.clock.nowMs())[item.set] ?? []
  for (const limit of limits) run.limits.set(limit.counter, limit)
  const again = item.again === null ? undefined : run.admitted.at(-1 - item.again)
  const requestId = again ?? `request-${run.admitted.length}`
  const amounts = make.amounts({ tokens: item.tokens, cost: item.cost, charge: item.cost })
  const admission = { owner, requestId, limits, amounts, acceptsStale: item.isStale }
  let outcome = await run.counters.admit(admission)
  if (outcome.kind === 'unknown') {
    const { kind, counters } = outcome
    const requestIds = outcome.requestIds.toSorted()
    run.unknown.push({ ...outcome, requestIds })
    if (item.isRead === 0) return { kind, counters, requestIds }
    const wasSeeded = await playReading(run, owner, { ...item, age: 0 })
    outcome = await run.counters.admit(admission)
    if (outcome.kind === 'unknown') return { wasSeeded, counters: outcome.counters }
  }
  if (outcome.kind === 'admitted' && again === undefined) {
    run.admitted.push(requestId)
    run.takes.set(requestId, outcome.takes)
  }
  return outcome
}

function playReading(run: Run, owner: string, item: Reading & { age: number }) {
  const unknown = run.unknown.at(-1 - item.age)
  if (!unknown) return 'nothing to read'
  const { clock } = run
  const seeds = unknown.counters.map((counter) => {
    const span = run.limits.get(counter)?.span ?? { kind: 'total' }
    const starts = {
      total: 0,
      calendar: dayBoundaries(clock.nowMs(), 'UTC')[1],
      window: clock.nowMs() + item.skewMs,
      rate: 0,
    }
    return { counter, span, startMs: starts[span.kind], used: item.used, most: counter === 'funds' ? item.most : null }
  })
  const recordedIds = unknown.requestIds.filter((_, bit) => item.recorded & (1 << bit))
  return run.counters.seed({ owner, epoch: unknown.epoch, seeds, recordedIds, isGuess: item.isGuess })
}

let runs = 0
const title =
  'memory and Redis give the same answers to the same steps and keep the same counts (KEY-7, BIL-7, BIL-8, OPS-4)'
test.skipIf(!client)(
  title,
  async () => {
    const seen = new Map<string, number>()
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
    const sameAnswers = async (steps: Step[]) => {
      const owner = `owner-${runs++}-${make.RUN}`
      const memory = startRun((nowMs) => createMemoryCounters({ nowMs, ...TIMES }))
      const redis = startRun((nowMs) => createRedisCounters({ client: client as never, nowMs, ...TIMES }))
      for (const item of steps) {
        const here = await play(memory, owner, item)
        const there = await play(redis, owner, item)
        expect({ item, answer: there }).toEqual({ item, answer: here })
        count(item.kind === 'admit' ? ((here as { kind?: string }).kind ?? 'turned away') : `${item.kind} ${here}`)
        const counts = await redis.counters.read(owner, COUNTERS)
        expect({ item, counts }).toEqual({ item, counts: await memory.counters.read(owner, COUNTERS) })
      }
    }
    const manySteps = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' })
    await fc.assert(fc.asyncProperty(manySteps, sameAnswers), { numRuns: RUNS, endOnFailure: true })
    for (const kind of ['admitted', 'refused', 'unknown', 'seed true', 'seed false', 'settle true', 'settle false']) {
      expect({ kind, often: (seen.get(kind) ?? 0) > RUNS / 4 }).toEqual({ kind, often: true })
    }
    if (process.env.RUNS) console.log(Object.fromEntries(seen))
  },
  30_000,
)
