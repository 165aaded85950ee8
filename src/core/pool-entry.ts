/** One account in the pool from which requests are served: what it holds, in which order it is taken, why it may not be (ACC-1, ACC-3). Pure. */
import type { IndexedHeap } from '../lib/indexed-heap.ts'
import type { Account } from './entities.ts'
import type { ModelMapper } from './model-mapping.ts'

export type ParkCause =
  | 'disabled'
  | 'error'
  | 'unschedulable'
  | 'expired'
  | 'rate_limited'
  | 'overloaded'
  | 'cooling_down'
  | 'broken'

export interface PoolEntry {
  account: Account
  mapper: ModelMapper
  /** Order of use: 0 = never used. Higher is later. */
  usedAt: number
  inFlight: number
  /** After its circuit opened: one request at a time, until one succeeds (ACC-6). */
  probing: boolean
  /** Other instances hold the slots that are not held here, as far as is known (OPS-4). */
  fullElsewhere: boolean
  /** Why it is out, and until when (null: until somebody changes it). */
  park: { cause: ParkCause; untilMs: number | null } | null
  kinds: PoolKind[]
  /** What `kinds` have counted it as. */
  countedAs: ParkCause | 'full' | null
}

/** The accounts of one pool and priority that are alike in what they can serve: same provider, same names. */
export interface PoolKind {
  mapper: ModelMapper
  sample: Account
  ready: IndexedHeap<PoolEntry>
  members: Set<PoolEntry>
  /** How many members are out, by cause: kept up to date, so that explaining a choice costs nothing per account (ACC-17). */
  out: Map<string, number>
}

/** Least recently used first; ties (never used) by load, then id, so that a burst spreads (ACC-3). */
export function usedBefore(a: PoolEntry, b: PoolEntry): boolean {
  if (a.usedAt !== b.usedAt) return a.usedAt < b.usedAt
  const loadA = a.account.concurrency > 0 ? a.inFlight / a.account.concurrency : a.inFlight
  const loadB = b.account.concurrency > 0 ? b.inFlight / b.account.concurrency : b.inFlight
  return loadA !== loadB ? loadA < loadB : a.account.id < b.account.id
}

export function isFull(entry: PoolEntry): boolean {
  if (entry.fullElsewhere) return true
  if (entry.probing) return entry.inFlight >= 1
  return entry.account.concurrency > 0 && entry.inFlight >= entry.account.concurrency
}

/** Accounts with equal kind names serve the same models in the same way. */
export function kindName(account: Account): string {
  return `${account.platform}:${account.type}:${Object.keys(account.modelMapping).sort().join('\n')}`
}

/** What the stored account itself says about being chosen (ACC-1). Of several times, the latest. */
export function storedPark(account: Account, nowMs: number): PoolEntry['park'] {
  if (account.status !== 'active') return { cause: account.status, untilMs: null }
  if (!account.schedulable) return { cause: 'unschedulable', untilMs: null }
  if (account.expiresAtMs !== null && account.expiresAtMs <= nowMs) return { cause: 'expired', untilMs: null }
  const times: [ParkCause, number | null][] = [
    ['rate_limited', account.rateLimitedUntilMs],
    ['overloaded', account.overloadedUntilMs],
    ['cooling_down', account.unschedulableUntilMs],
  ]
  let park: PoolEntry['park'] = null
  for (const [cause, untilMs] of times) {
    if (untilMs !== null && untilMs > nowMs && untilMs > (park?.untilMs ?? 0)) park = { cause, untilMs }
  }
  return park
}
