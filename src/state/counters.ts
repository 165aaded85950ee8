/**
 * Counters behind every limit: what keys, payers and accounts have used and what requests under way hold (KEY-5 to KEY-8, BIL-7, BIL-8,
 * ACC-7). One interface, two implementations that pass one test: `memory-counters` (one process, no await) and `redis-counters` (shared,
 * one script = one round trip). `shared-counters` puts the second before the first and survives Redis' absence (OPS-5).
 *
 * **One step.** An admission checks and takes from all counters given to it, or from none (KEY-7). It leaves a record under the request's
 * id; the settlement finds that record, turns reservations into use, and can happen once (BIL-8). A record whose lease ran out belonged to
 * a process that died: the next step of the same owner gives back what it held (KEY-8).
 *
 * **Owner.** Counters and records live under an owner, and a step never spans two: a key's owner is its user (else itself), and whoever can
 * pay for it – that user, one of the user's subscriptions, the key – has the same owner. All Redis keys of an owner carry it as hash tag
 * (`tp:{owner}:…`), so a step is one script in one slot on Redis Cluster as well (OPS-4). A key that moves to another user starts anew there:
 * durable counts are read from the database, the short-lived ones begin at zero.
 *
 * **What the database knows.** Postgres has the last word on money and totals, but learns of a request only when its receipt is flushed, a
 * second later, or hours later when it was away. A `durable` counter therefore is: what the database knew when it was read
 * (`seed`), plus settled requests that were not in there yet, plus reservations. So that each request is in it exactly once:
 *
 * 1. A settled request keeps its record, with its amounts, until somebody reports it `flushed`.
 * 2. `admit` on a counter that is not known answers with the ids of these records and an epoch. The caller reads the totals and, *in the
 *    same snapshot of the database*, which of the ids are in it; then it seeds: what was read + amounts of the records that were not.
 * 3. Whatever could make that answer wrong meanwhile – a settlement, a flush, an edit – raises the epoch; the seed is turned away and the
 *    caller reads again.
 *
 * Example. Balance 10 USD, all of it in the database; instances A and B.
 *
 *     A admits r1, estimate 2            used 0   reserved 2   free 8
 *     B admits r2, estimate 7            used 0   reserved 9   free 1     a third one for 2 is refused
 *     r1 settles at 0.5                  used 0.5 reserved 7   free 2.5   record r1 stays; A's journal has the receipt
 *     Redis restarts and forgets.        A and B notice the new connection and restore: A record r1 (0.5), B the hold r2 (7)
 *     B admits r3: unknown, ids [r1]     B reads: balance 10, r1 not there;     seed: used 0 + 0.5, reserved 7, free 2.5
 *       or, A flushed just before        B reads: balance 9.5, r1 is there;     seed: used 0, reserved 7, free 2.5
 *       or, A flushes just after B read  `flushed r1` raised the epoch:         seed turned away, B reads 9.5, r1 is there
 *     B is killed; its lease runs out    r2's hold of 7 is given back by the next step; free 9.5
 *     B restarts, its journal flushes r2's receipt (6): no record of r2, the counter becomes `stale`; the next admission reads 3.5
 *
 * Nothing is lost or invented but the holds of a process that died, until its journal is read. A top-up or any other movement of money
 * behind the counters' back is one `forget`: the counter is stale, the next admission reads it again.
 *
 * Time is the implementation's own: Redis' for all instances, so that they need not agree on the time.
 */
import type { Amounts, Bucket, Limit, Refusal, Take } from '../core/limit.ts'
import type { Seed } from '../core/seed.ts'
import type { Later } from '../lib/later.ts'

export interface AdmissionStep {
  owner: string
  /** Unique; the same request twice takes once. */
  requestId: string
  limits: readonly Limit[]
  /** Estimates; `slots` and `requests` are 1. */
  amounts: Amounts
  /** The database can't be asked: go on with what was known, where something was. */
  acceptsStale: boolean
}

export type AdmissionOutcome =
  | { kind: 'admitted'; takes: readonly Take[] }
  | { kind: 'refused'; refusal: Refusal }
  /** Counters to read from the database, requests to look for there, and the epoch to seed with. */
  | { kind: 'unknown'; counters: readonly string[]; requestIds: readonly string[]; epoch: string }
  /** No counters to ask (OPS-5, `redis_down` = `refuse`). */
  | { kind: 'unavailable' }

export interface SettlementStep {
  owner: string
  requestId: string
  actual: Amounts
  /** As admitted: used when the record is gone (its lease ran out, Redis forgot). */
  takes: readonly Take[]
  /** It may have reached the database already: counters that it moves are to be read again. */
  isLate: boolean
}

export interface OpenRecord {
  owner: string
  requestId: string
  takes: readonly Take[]
}

export interface SeedStep {
  owner: string
  /** As `unknown` said it. */
  epoch: string
  seeds: readonly Seed[]
  /** Of the ids that `unknown` named: those that the read totals contain. */
  recordedIds: readonly string[]
  /** The database can't be asked: the best guess for counters of which nothing at all is known, to be read as soon as it can. */
  isGuess: boolean
}

export interface FlushedRequest {
  requestId: string
  /** Durable counters that its receipt moved: to be read again if there is no record of it. */
  counters: readonly string[]
}

export interface CounterReading {
  /** The clock that the starts were read from. */
  nowMs: number
  /** In the order asked; null: nothing is known. May be over: see core/limit `currentStart`. */
  buckets: readonly (Bucket | null)[]
}

export interface Counters {
  admit(step: AdmissionStep): Later<AdmissionOutcome>
  /** False: that request was settled before; nothing changed. */
  settle(step: SettlementStep): Later<boolean>
  /** Puts back an open request that was lost. Takes nothing for counters that have moved on. */
  restore(record: OpenRecord): Later<void>
  /** The requests are still under way. Returns those that nothing is known of: to be restored. */
  renew(owner: string, requestIds: readonly string[]): Later<readonly string[]>
  /** False: something changed since `unknown`; read again. Counters that are known by now stay as they are. */
  seed(step: SeedStep): Later<boolean>
  /** Their receipts are in the database. */
  flushed(owner: string, requests: readonly FlushedRequest[]): Later<void>
  /** Something else moved these durable counters (top-up, edit, repricing). */
  forget(owner: string, counters: readonly string[]): Later<void>
  read(owner: string, counters: readonly string[]): Later<CounterReading>
}
