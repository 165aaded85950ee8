/**
 * May this request go ahead, as far as counting can tell? One admission is one step over all limits of its key and the hold on its payer's
 * money (KEY-7, BIL-7); one settlement puts what it really used in the place of what was taken (BIL-8).
 *
 * Knows which counters a key and a payer have (core/key-limits) and in what words they refuse (core/limit-denial); how and where things are
 * counted is the business of ./counters. A request of a key without limits whose payer has none is not counted at all.
 *
 * If it fails: when totals can't be read, durable counters go on as they were last known, and those never known from a guess; both are read
 * as soon as the database can be asked again (OPS-5). `settle` and `cancel` never reject.
 */
import { dayBoundaries, weekBoundaries } from '../core/calendar.ts'
import type { Denial } from '../core/denial.ts'
import type { ApiKey } from '../core/entities.ts'
import { type CalendarBoundaries, keyLimits, ownerOf, payerLimits, toCount } from '../core/key-limits.ts'
import { type Amounts, CANCELLED, type Limit, MOST_COUNT, type Take } from '../core/limit.ts'
import { denyLimit, denyUncounted } from '../core/limit-denial.ts'
import type { Nano } from '../core/money.ts'
import type { Payer } from '../core/quota.ts'
import type { SubscriptionLimits } from '../core/subscription.ts'
import { andThenWith, type Later } from '../lib/later.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { AdmissionOutcome, AdmissionStep, Counters } from './counters.ts'
import { type KeyUsage, readKeyUsages } from './key-usage.ts'
import { guessTotals, type Totals, type TotalsLoader, type TotalsQuery, toSeeds, toTotalsQuery } from './totals.ts'

/** What a request is expected to use, or used. */
export interface Spend {
  tokens: number
  /** At list price: what cost limits and subscriptions count. */
  costNano: Nano
  /** What the payer pays. */
  chargeNano: Nano
}

export interface AdmissionRequest {
  requestId: string
  key: ApiKey
  payer: Payer
  /** Of the group, when a subscription pays. */
  subscriptionLimits: SubscriptionLimits | null
  /** Asked for only when something is counted. */
  estimate(): Spend
}

/** What a request holds. It is given back once, by whichever is called first; later calls do nothing (BIL-8). */
export interface Admission {
  settle(actual: Spend): Later<unknown>
  /** Nothing was sent: as if it had never been. */
  cancel(): Later<unknown>
}

export interface Limiter {
  /** At once when the counters are in this process. */
  admit(request: AdmissionRequest): Later<Admission | Denial>
  /** The keys' counts by key id, as far as they are known here (KEY-6, KEY-13): one round trip for all of them. */
  usagesOf(keys: readonly ApiKey[]): Promise<Map<string, KeyUsage>>
  /**
   * Changes may have been missed (a gap in hearing, a Redis that may have forgotten or gone back in time): each durable counter is read
   * from the database again before it is next relied on.
   */
  distrust(): void
}

export interface LimiterDeps {
  counters: Counters
  loadTotals: TotalsLoader
  nowMs(): number
  timeZone: string
  onLoadFailure(error: unknown): void
}

/** Readings that are overtaken by a settlement are made again; in the end no request under way is left to overtake them. */
const MOST_READINGS = 10
/** While the database is away it is not asked for every request. */
const PAUSE_MS = 1000
const UNCOUNTED: Admission = { settle: () => undefined, cancel: () => undefined }

/** What somebody asks for, and the step over the counters that it takes. */
interface Asked {
  request: AdmissionRequest
  step: AdmissionStep
}

/** The limits of a key and its payer, and for whom they were made. */
interface KnownLimits {
  calendar: CalendarBoundaries
  payerKind: Payer['kind']
  /** Null: nobody whose money is limited. */
  payerId: string | null
  ofGroup: SubscriptionLimits | null
  limits: readonly Limit[]
}

export function createLimiter(deps: LimiterDeps): Limiter {
  const { counters } = deps
  const calendarNow = createCalendar(deps)
  const limitsByKey = new WeakMap<ApiKey, KnownLimits>()
  const readings = createSingleFlight<boolean>()
  let readAgainAtMs = 0
  /** Key → counters that were told to be read again since the last gap. A key that is loaded anew is another key. Null: there was none. */
  let trusted: WeakMap<ApiKey, Set<string>> | null = null

  /**
   * Money first: nobody waits for a window only to hear that the money is gone. A key is replaced whole when it is edited, and nearly always
   * has one payer: the list is made once a day.
   */
  function limitsOf({ key, payer, subscriptionLimits }: AdmissionRequest): readonly Limit[] {
    const calendar = calendarNow()
    const payerId = payer.kind === 'none' || payer.availableNano === null ? null : payer.id
    const before = limitsByKey.get(key)
    const hasSamePayer =
      before?.payerKind === payer.kind && before.payerId === payerId && before.ofGroup === subscriptionLimits
    if (hasSamePayer && before.calendar === calendar) return before.limits
    const limits = [...payerLimits(payer, subscriptionLimits), ...keyLimits(key, calendar)]
    limitsByKey.set(key, { calendar, payerKind: payer.kind, payerId, ofGroup: subscriptionLimits, limits })
    return limits
  }

  function admit(request: AdmissionRequest): Later<Admission | Denial> {
    const { key, requestId } = request
    const limits = limitsOf(request)
    if (limits.length === 0) return UNCOUNTED
    const amounts = toAmounts(request.estimate(), 1)
    const acceptsStale = deps.nowMs() < readAgainAtMs
    const step: AdmissionStep = { owner: ownerOf(key), requestId, limits, amounts, acceptsStale }
    const told = trusted === null ? undefined : tellDoubtful(trusted, key, step)
    return andThenWith<Asked, unknown, Admission | Denial>(told, { request, step }, take)
  }

  function tellDoubtful(known: WeakMap<ApiKey, Set<string>>, key: ApiKey, { owner, limits }: AdmissionStep) {
    const doubtful = doubtfulCounters(known, key, limits)
    return doubtful.length === 0 ? undefined : counters.forget(owner, doubtful)
  }

  function take(asked: Asked): Later<Admission | Denial> {
    return andThenWith(counters.admit(asked.step), asked, conclude)
  }

  function conclude({ request, step }: Asked, outcome: AdmissionOutcome): Later<Admission | Denial> {
    if (outcome.kind === 'unknown') return readAndRetry(request, step, outcome)
    if (outcome.kind === 'refused') return denyLimit(outcome.refusal)
    return outcome.kind === 'unavailable' ? denyUncounted() : new HeldAdmission(counters, step, outcome.takes)
  }

  async function readAndRetry(
    request: AdmissionRequest,
    step: AdmissionStep,
    first: Extract<AdmissionOutcome, { kind: 'unknown' }>,
  ): Promise<Admission | Denial> {
    let outcome: AdmissionOutcome = first
    for (let reading = 0; reading < MOST_READINGS && outcome.kind === 'unknown'; reading++) {
      const { counters: unknown, requestIds, epoch } = outcome
      const wasRead = await readings.run(`${step.owner} ${unknown.join(' ')}`, () =>
        read(request, { step, unknown, requestIds, epoch }),
      )
      outcome = await counters.admit(wasRead ? step : { ...step, acceptsStale: true })
    }
    return outcome.kind === 'unknown' ? denyUncounted() : conclude({ request, step }, outcome)
  }

  interface Reading {
    step: AdmissionStep
    unknown: readonly string[]
    requestIds: readonly string[]
    epoch: string
  }

  /** False: the database could not be asked, so there is a guess. Whether the counters took the answer shows when they are asked again. */
  async function read(request: AdmissionRequest, { step, unknown, requestIds, epoch }: Reading): Promise<boolean> {
    const of = { key: request.key, payer: request.payer, calendar: calendarNow(), requestIds }
    const limits = step.limits.filter((limit) => unknown.includes(limit.counter))
    const totals = await load(toTotalsQuery(of, limits))
    const seeds = toSeeds(of, limits, totals ?? guessTotals(of))
    const { recordedIds } = totals ?? { recordedIds: [] }
    await counters.seed({ owner: step.owner, epoch, seeds, recordedIds, isGuess: totals === null })
    return totals !== null
  }

  async function load(query: TotalsQuery): Promise<Totals | null> {
    if (deps.nowMs() < readAgainAtMs) return null
    try {
      return await deps.loadTotals(query)
    } catch (error) {
      readAgainAtMs = deps.nowMs() + PAUSE_MS
      deps.onLoadFailure(error)
      return null
    }
  }

  return {
    admit,
    usagesOf: (keys) => readKeyUsages(counters, keys, calendarNow()),
    distrust() {
      trusted = new WeakMap()
    },
  }
}

class HeldAdmission implements Admission {
  private isOver = false

  constructor(
    private readonly counters: Counters,
    private readonly step: AdmissionStep,
    private readonly takes: readonly Take[],
  ) {}

  settle(actual: Spend): Later<unknown> {
    return this.end(toAmounts(actual, 0))
  }

  cancel(): Later<unknown> {
    return this.end(CANCELLED)
  }

  private end(actual: Amounts): Later<unknown> {
    if (this.isOver) return
    this.isOver = true
    const { owner, requestId } = this.step
    return this.counters.settle({ owner, requestId, actual, takes: this.takes, isLate: false })
  }
}

/** Marks them as told: two requests of a key at once doubt its counters once. */
function doubtfulCounters(trusted: WeakMap<ApiKey, Set<string>>, key: ApiKey, limits: readonly Limit[]): string[] {
  let known = trusted.get(key)
  if (!known) {
    known = new Set()
    trusted.set(key, known)
  }
  const doubtful: string[] = []
  for (const { durable, counter } of limits) {
    if (!durable || known.has(counter)) continue
    known.add(counter)
    doubtful.push(counter)
  }
  return doubtful
}

function toAmounts({ tokens, costNano, chargeNano }: Spend, slots: number): Amounts {
  return {
    slots,
    requests: 1,
    tokens: Number.isFinite(tokens) ? Math.min(MOST_COUNT, Math.max(0, Math.trunc(tokens))) : 0,
    cost: Math.max(0, toCount(costNano)),
    charge: Math.max(0, toCount(chargeNano)),
  }
}

/** Today's and this week's boundaries: worked out once a day, about 20 µs. */
function createCalendar({ nowMs, timeZone }: Pick<LimiterDeps, 'nowMs' | 'timeZone'>): () => CalendarBoundaries {
  const make = (now: number) => ({ day: dayBoundaries(now, timeZone), week: weekBoundaries(now, timeZone) })
  let calendar: CalendarBoundaries | null = null
  return () => {
    const now = nowMs()
    if (!calendar || now < calendar.day[1] || now >= calendar.day[2]) calendar = make(now)
    return calendar
  }
}
