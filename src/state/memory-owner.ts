/**
 * The counters and records of one owner in memory, and what a request does to them when it ends (see ./counters).
 * Twin of scripts/common.lua.
 */
import { ABANDONED, type Amounts, type Bucket, MOST_COUNT, type Take } from '../core/limit.ts'
import { correctRate, type RateState } from '../core/rate.ts'

export type RequestRecord =
  | { phase: 'open'; takes: readonly Take[]; dueMs: number }
  /** Only durable takes, with what was really used of them: kept until the database has them. */
  | { phase: 'settled'; takes: readonly Take[] }

export interface MemoryOwner {
  buckets: Map<string, Bucket>
  rates: Map<string, RateState>
  records: Map<string, RequestRecord>
  /**
   * Settled requests of which no record is left → until when they are remembered. Two generations, the older of which is dropped whole: taking
   * single ones from the front of a Map leaves holes that every look at the front has to pass (54 instead of 12 µs a request with 100,000
   * of them).
   */
  done: Map<string, number>
  doneBefore: Map<string, number>
  /** From then on nothing in `doneBefore` is to be remembered any more. */
  nextGenerationMs: number
  /** Not later than the first open record's due time. */
  nextDueMs: number
  /** Counts doubts, from a number that no earlier life of this owner can have had. */
  epoch: number
  /** When it was used last; until when its short-lived counters matter. */
  touchedMs: number
  keepUntilMs: number
}

export function newMemoryOwner(nowMs: number): MemoryOwner {
  const maps = { buckets: new Map(), rates: new Map(), records: new Map(), done: new Map(), doneBefore: new Map() }
  const times = { nextGenerationMs: 0, nextDueMs: Number.POSITIVE_INFINITY, touchedMs: 0, keepUntilMs: 0 }
  return { ...maps, ...times, epoch: nowMs * 1000 }
}

export function isDone(owner: MemoryOwner, requestId: string, nowMs: number): boolean {
  return (owner.done.get(requestId) ?? owner.doneBefore.get(requestId) ?? 0) > nowMs
}

export function putDone(owner: MemoryOwner, requestId: string, at: { nowMs: number; rememberMs: number }): void {
  owner.records.delete(requestId)
  if (at.nowMs >= owner.nextGenerationMs) {
    owner.doneBefore = owner.done
    owner.done = new Map()
    owner.nextGenerationMs = at.nowMs + at.rememberMs
  }
  owner.done.set(requestId, at.nowMs + at.rememberMs)
}

/** Something about a durable counter changed that a reading under way may have missed; it is not to be trusted until read again. */
export function doubt(owner: MemoryOwner, counter: string): void {
  owner.epoch++
  const bucket = owner.buckets.get(counter)
  if (bucket?.standing === 'known') bucket.standing = 'stale'
}

/** What an open request reserved becomes what it really used. What was counted in a window that is over is gone. */
export function release(
  owner: MemoryOwner,
  takes: readonly Take[],
  end: { actual: Amounts; nowMs: number; isLate: boolean },
): void {
  const { nowMs } = end
  for (const take of takes) {
    const actual = end.actual[take.measure]
    if (take.kind === 'rate') {
      const state = owner.rates.get(take.counter)
      const { perMinute, amount: taken, startMs: takenAtMs } = take
      if (state) owner.rates.set(take.counter, correctRate(state, { perMinute, taken, takenAtMs, actual, nowMs }))
      continue
    }
    const bucket = owner.buckets.get(take.counter)
    if (bucket?.startMs === take.startMs) {
      bucket.reserved = Math.max(0, bucket.reserved - take.amount)
      bucket.used = Math.min(MOST_COUNT, bucket.used + actual)
    }
    if (take.durable && actual > 0 && (end.isLate || bucket?.standing !== 'known')) doubt(owner, take.counter)
  }
}

/** A request of which there is no record any more has ended: nothing is reserved for it, its use still counts. */
export function addLate(owner: MemoryOwner, takes: readonly Take[], actual: Amounts): void {
  for (const take of takes) {
    const amount = actual[take.measure]
    if (take.kind === 'rate' || take.measure === 'slots' || take.measure === 'requests' || amount === 0) continue
    const bucket = owner.buckets.get(take.counter)
    if (bucket?.startMs === take.startMs) bucket.used = Math.min(MOST_COUNT, bucket.used + amount)
    if (take.durable) doubt(owner, take.counter)
  }
}

/** What the database has to learn of a request; empty: nothing. */
export function durableUse(takes: readonly Take[], actual: Amounts): Take[] {
  const used: Take[] = []
  for (const take of takes) {
    const amount = actual[take.measure]
    if (take.durable && amount > 0) used.push({ ...take, amount })
  }
  return used
}

/** Gives back what requests held whose lease ran out (KEY-8). */
export function reap(owner: MemoryOwner, nowMs: number): void {
  if (nowMs < owner.nextDueMs) return
  owner.nextDueMs = Number.POSITIVE_INFINITY
  for (const [requestId, record] of owner.records) {
    if (record.phase !== 'open') continue
    if (record.dueMs > nowMs) {
      owner.nextDueMs = Math.min(owner.nextDueMs, record.dueMs)
      continue
    }
    owner.records.delete(requestId)
    release(owner, record.takes, { actual: ABANDONED, nowMs, isLate: false })
  }
}
