/**
 * What a limit is, and the arithmetic of one counter under it (KEY-5 to KEY-7, BIL-7). Pure: `state/memory-counters` keeps the counters of
 * one process with these functions; `state/scripts/common.lua` is their twin for Redis, and one test feeds both the same.
 *
 * A counter has what was used and what is reserved by requests under way. A request reserves its estimate when it is admitted; its
 * settlement turns the reservation into what it really used. A slot is a reservation of one that nothing is used of in the end, so that
 * concurrency, requests, tokens and money are one mechanism, and all of a key's limits one step.
 *
 * Counts are integers. Money is in nanodollars as a number, not a bigint, because Redis' Lua has doubles only: exact to 2^53. Every count
 * is kept at or below 2^52 (4.5 million USD), so that sums of two are exact; more counts as that much. That errs on the safe side: a
 * larger balance shows 4.5 million to spend, a larger use has used up every limit.
 */
import { type Boundaries, boundaryAfter, boundaryAt } from './calendar.ts'

export const MOST_COUNT = 2 ** 52

/** `cost` is at list price, `charge` what the payer pays (BIL-6). Their order is that of the scripts' arguments. */
export const MEASURES = ['slots', 'requests', 'tokens', 'cost', 'charge'] as const
export type Measure = (typeof MEASURES)[number]
export type Amounts = Readonly<Record<Measure, number>>

/** Nothing was sent: all of it is given back. */
export const CANCELLED: Amounts = { slots: 0, requests: 0, tokens: 0, cost: 0, charge: 0 }
/** Nobody came back to settle: it was a request, and that is all that is known. */
export const ABANDONED: Amounts = { slots: 0, requests: 1, tokens: 0, cost: 0, charge: 0 }

/** Over which time a counter counts. */
export type Span =
  | { kind: 'total' }
  /** Starts with the first request in it (KEY-6). */
  | { kind: 'window'; lengthMs: number }
  | { kind: 'calendar'; boundaries: Boundaries }
  /** Sliding minute, see core/rate. */
  | { kind: 'rate' }

/**
 * When is there room?
 *
 * `whole`: the amount has to fit (requests, slots). `hold`: likewise, but far from the limit nothing is reserved (BIL-7: trusted).
 * `estimate`: the amount has to fit too; but the estimate is a worst case, often many times the truth, and must not lock a key out of
 * what it has left: while no other request is under way, one is let in as long as anything is left. So the limit is overrun by one
 * request at most, and never by parallel ones.
 */
export type Rule = 'whole' | 'estimate' | 'hold'

export interface Limit {
  /** What is told when it refuses, see core/key-limits. */
  name: string
  /** The counter's name, unique within its owner. */
  counter: string
  measure: Measure
  span: Span
  /** Null: counted, never refused; with rule `hold`, the limit is the counter's own (money known from the ledger). */
  most: number | null
  rule: Rule
  /** Does the count outlive every process? Then the database knows it, and an unknown counter must be read from there first. */
  durable: boolean
}

/** `unread`: only what was restored is known. `stale`: something else moved it; to be read again. */
export type Standing = 'known' | 'stale' | 'unread'

export interface Bucket {
  /** 0: not started, or never starts (span `total`). */
  startMs: number
  used: number
  reserved: number
  standing: Standing
  /** Only with rule `hold`: what may be spent, as the database knew it when the counter was read. */
  most: number | null
}

/** What one request has taken of one counter: enough to give it back. */
export interface Take {
  counter: string
  measure: Measure
  kind: 'bucket' | 'rate'
  /** Start of the counter's window; of a rate: when it was taken. */
  startMs: number
  amount: number
  /** Of a rate; else 0. */
  perMinute: number
  durable: boolean
}

/** Start of the counter's time at `nowMs`. Differs from the stored start: what was counted is over. Never goes back. */
export function currentStart(span: Span, storedMs: number, nowMs: number): number {
  if (span.kind === 'window') return isLive(span.lengthMs, storedMs, nowMs) ? storedMs : nowMs
  if (span.kind === 'calendar') return Math.max(storedMs, boundaryAt(span.boundaries, nowMs))
  return 0
}

export function isLive(lengthMs: number, startMs: number, nowMs: number): boolean {
  return startMs > 0 && nowMs < startMs + lengthMs
}

export function endOf(span: Span, startMs: number): number | null {
  if (span.kind === 'window') return startMs + span.lengthMs
  return span.kind === 'calendar' ? boundaryAfter(span.boundaries, startMs) : null
}

export interface Room {
  most: number | null
  used: number
  reserved: number
}

export function hasRoom(rule: Rule, room: Room, amount: number): boolean {
  if (room.most === null) return true
  const taken = room.used + room.reserved
  if (taken + amount <= room.most) return rule !== 'estimate' || taken < room.most
  return rule === 'estimate' && room.reserved === 0 && taken < room.most
}

/** More than this many estimates to spare: no hold is made (BIL-7). */
const TRUST_FACTOR = 100

export function reservation(rule: Rule, room: Room, amount: number): number {
  if (rule !== 'hold') return amount
  return room.most === null || room.most - room.used - room.reserved > TRUST_FACTOR * amount ? 0 : amount
}

export interface Refusal {
  limit: Limit
  /** Until there may be room; null: time alone won't help. */
  waitMs: number | null
  /** It is not used up: requests under way hold what is left. */
  isHeld: boolean
}

/** Requests end when they end: a client that is told to try again in a second neither idles nor hammers. */
const HELD_WAIT_MS = 1000

export function refuse(limit: Limit, room: Room & { startMs: number }, nowMs: number): Refusal {
  const isHeld = limit.measure === 'slots' || (limit.rule === 'estimate' && room.used < (room.most ?? 0))
  if (isHeld) return { limit, waitMs: HELD_WAIT_MS, isHeld }
  const endMs = limit.rule === 'hold' ? null : endOf(limit.span, room.startMs)
  return { limit, waitMs: endMs === null ? null : Math.max(0, endMs - nowMs), isHeld }
}

/** Null before the first request; 0 and zero counts once the window is over (KEY-6). */
export interface WindowView {
  requests: number
  tokens: number
  cost: number
  startMs: number | null
  endMs: number | null
  remainingSeconds: number | null
}

export interface WindowBuckets {
  requests: Bucket | null
  tokens: Bucket | null
  cost: Bucket | null
}

export function viewWindow(buckets: WindowBuckets, lengthMs: number, nowMs: number): WindowView {
  const startMs = buckets.requests?.startMs || null
  const endMs = startMs === null ? null : startMs + lengthMs
  if (endMs === null) return { requests: 0, tokens: 0, cost: 0, startMs: null, endMs: null, remainingSeconds: null }
  if (nowMs >= endMs) return { requests: 0, tokens: 0, cost: 0, startMs, endMs, remainingSeconds: 0 }
  return {
    requests: (buckets.requests?.used ?? 0) + (buckets.requests?.reserved ?? 0),
    tokens: buckets.tokens?.used ?? 0,
    cost: buckets.cost?.used ?? 0,
    startMs,
    endMs,
    remainingSeconds: Math.ceil((endMs - nowMs) / 1000),
  }
}
