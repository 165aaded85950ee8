/**
 * Shared counters that survive the absence of what they are shared through (OPS-5): the same `Counters`, with a memory of this instance's own
 * requests. While Redis is away each instance goes on with counters of its own (`local`), or refuses (`refuse`), and says so in `mode`.
 *
 * What is remembered of a request is told again to whichever counters take over: to local ones when Redis goes, to Redis when it is back, or
 * when it restarted and forgot. Telling twice changes nothing (see ./counters), so a step that failed without saying whether it was done is
 * simply told again.
 *
 * If it fails: steps never reject. Any error of Redis means "away": no answer and a wrong answer are alike to a caller. While it is away it is
 * tried once a second, driven by the requests themselves, and whenever the connection is new.
 */
import type { Later } from '../lib/later.ts'
import type { AdmissionOutcome, AdmissionStep, Counters, SettlementStep } from './counters.ts'
import { createOwnRequests, type OwnRequest } from './own-requests.ts'
import { LEASE_MS } from './redis-counters.ts'

export interface SharedCountersOptions {
  shared: Counters
  createLocal(): Counters
  whenDown: 'local' | 'refuse'
  nowMs(): number
  /** A change of mode, with the error that led to it; for the log. */
  onModeChange(mode: SharedMode, error: unknown): void
  /** How often leases are renewed; 0: by hand, in tests. */
  renewEveryMs?: number
}

/** `shared`: all is well. `local`: own counters. `refusing`: none. */
export type SharedMode = 'shared' | 'local' | 'refusing'

export interface SharedCounters extends Counters {
  readonly mode: SharedMode
  /** Requests remembered: under way, or not yet in the database. */
  readonly remembered: number
  /** The connection is new: Redis may have restarted and forgotten. */
  connected(): Promise<void>
  /** Requests that take longer than a lease keep their slots and holds. */
  renewLeases(): Promise<void>
  /** What to do while Redis is away, also if it is just now. */
  setWhenDown(whenDown: 'local' | 'refuse'): void
  stop(): void
}

interface Answer<T> {
  value: T
  generation: number
  /** Redis answered, and has not been away since. */
  isShared: boolean
}

const PROBE_EVERY_MS = 1000

export function createSharedCounters(options: SharedCountersOptions): SharedCounters {
  const { shared, nowMs } = options
  const own = createOwnRequests()
  let modeWhenDown = toMode(options.whenDown)
  let mode: SharedMode = 'shared'
  let local: Counters | null = null
  let generation = 0
  let nextProbeMs = 0
  let healing: Promise<void> | null = null
  const renewEveryMs = options.renewEveryMs ?? LEASE_MS / 3
  const timer =
    renewEveryMs > 0 ? setInterval(() => void (mode === 'shared' ? renewLeases() : heal()), renewEveryMs) : null
  timer?.unref()

  function change(next: SharedMode, error: unknown): void {
    generation++
    mode = next
    local = next === 'local' ? options.createLocal() : null
    if (local) own.copyTo(local)
    options.onModeChange(next, error)
  }

  function fail(error: unknown): void {
    if (mode !== 'shared') return
    nextProbeMs = nowMs() + PROBE_EVERY_MS
    change(modeWhenDown, error)
  }

  /** Null: no counters to ask. */
  async function ask<T>(step: (counters: Counters) => Later<T>): Promise<Answer<T> | null> {
    if (mode === 'shared') {
      const before = generation
      try {
        const value = await step(shared)
        return { value, generation: before, isShared: generation === before }
      } catch (error) {
        fail(error)
      }
    } else if (nowMs() >= nextProbeMs) void heal()
    return local ? { value: await step(local), generation, isShared: false } : null
  }

  function heal(): Promise<void> {
    nextProbeMs = nowMs() + PROBE_EVERY_MS
    healing ??= tellAll().finally(() => {
      healing = null
    })
    return healing
  }

  async function tellAll(): Promise<void> {
    try {
      await shared.read('probe', [])
      await own.tell(shared)
      if (mode === 'shared') return
      change('shared', null)
      // What ended between the last answer and the change.
      await own.tell(shared)
    } catch (error) {
      fail(error)
    }
  }

  async function admit(step: AdmissionStep): Promise<AdmissionOutcome> {
    const answer = await ask((counters) => counters.admit(step))
    if (!answer) return { kind: 'unavailable' }
    const { value: outcome, isShared } = answer
    if (outcome.kind === 'unknown') return { ...outcome, epoch: `${answer.generation} ${outcome.epoch}` }
    if (outcome.kind !== 'admitted') return outcome
    const { owner, requestId } = step
    own.admitted({ owner, requestId, takes: outcome.takes, actual: null, isTold: isShared })
    return outcome
  }

  async function settle(step: SettlementStep): Promise<boolean> {
    const { owner, requestId, actual } = step
    const known = own.get(requestId)
    if (known?.actual) return false
    const takes = known?.takes ?? step.takes
    const request: OwnRequest = known ?? { owner, requestId, takes, actual, isTold: false }
    request.actual = actual
    own.settled(request)
    const answer = await ask((counters) => counters.settle({ ...step, takes }))
    if (answer?.isShared && (known || answer.value)) own.told(request)
    else if (answer?.isShared) own.delete(requestId)
    return answer?.value ?? true
  }

  async function renewLeases(): Promise<void> {
    if (mode !== 'shared') return
    const byOwner = Map.groupBy(own.open(), (request) => request.owner)
    try {
      for (const [owner, requests] of byOwner) {
        const ids = requests.map((request) => request.requestId)
        const lost = new Set(await shared.renew(owner, ids))
        for (const request of requests) {
          if (lost.has(request.requestId) && !request.actual) await shared.restore(request)
        }
      }
    } catch (error) {
      fail(error)
    }
  }

  return {
    admit,
    settle,
    async restore(record) {
      await ask((counters) => counters.restore(record))
    },
    async renew(owner, requestIds) {
      return (await ask((counters) => counters.renew(owner, requestIds)))?.value ?? []
    },
    async seed(step) {
      // Epochs of different counters must not be taken for one another.
      const [of, epoch = ''] = step.epoch.split(' ')
      const answer = await ask((counters) => of === String(generation) && counters.seed({ ...step, epoch }))
      if (answer?.value) for (const requestId of step.recordedIds) own.delete(requestId)
      return answer?.value ?? false
    },
    async flushed(owner, requests) {
      const answer = await ask((counters) => counters.flushed(owner, requests))
      for (const { requestId, counters } of requests) {
        own.delete(requestId)
        if (!answer?.isShared) own.moved(owner, counters)
      }
    },
    async forget(owner, counters) {
      const answer = await ask((asked) => asked.forget(owner, counters))
      if (!answer?.isShared) own.moved(owner, counters)
    },
    async read(owner, counters) {
      const answer = await ask((asked) => asked.read(owner, counters))
      return answer?.value ?? { nowMs: nowMs(), buckets: counters.map(() => null) }
    },
    renewLeases,
    async connected() {
      generation++
      own.distrust()
      await heal()
    },
    setWhenDown(whenDown) {
      modeWhenDown = toMode(whenDown)
      if (mode !== 'shared' && mode !== modeWhenDown) change(modeWhenDown, null)
    },
    stop() {
      if (timer) clearInterval(timer)
    },
    get mode() {
      return mode
    },
    get remembered() {
      return own.size
    },
  }
}

function toMode(whenDown: 'local' | 'refuse'): SharedMode {
  return whenDown === 'local' ? 'local' : 'refusing'
}
