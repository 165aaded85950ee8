/**
 * Counters of one process (see ./counters): a step is a synchronous function, hence atomic. Nothing is awaited, and nothing expires by
 * itself: a request under way lives and dies with the process, so its lease is endless unless told otherwise.
 *
 * Twin of scripts/*.lua: the same arithmetic (core/limit, core/rate, core/seed) in the same order. Change both.
 */
import { ABANDONED, endOf, type Limit, type Take } from '../core/limit.ts'
import { mergeSeed } from '../core/seed.ts'
import type {
  AdmissionOutcome,
  AdmissionStep,
  CounterReading,
  Counters,
  FlushedRequest,
  OpenRecord,
  SeedStep,
  SettlementStep,
} from './counters.ts'
import { firstRefusal, takeAll, unknownCounters } from './memory-admission.ts'
import {
  addLate,
  doubt,
  durableUse,
  isDone,
  type MemoryOwner,
  newMemoryOwner,
  putDone,
  reap,
  release,
} from './memory-owner.ts'

export interface MemoryCountersOptions {
  nowMs(): number
  leaseMs?: number
  /** For how long a settled request's id is remembered after the database has it. */
  rememberMs?: number
}

/** What a `Counters` of one process answers is there at once. */
export type MemoryCounters = {
  [Step in keyof Counters]: (...args: Parameters<Counters[Step]>) => Awaited<ReturnType<Counters[Step]>>
} & { readonly ownerCount: number }

const SWEEP_EVERY_STEPS = 4096
const IDLE_MS = 86_400_000

export function createMemoryCounters(options: MemoryCountersOptions): MemoryCounters {
  const { nowMs, leaseMs = Number.POSITIVE_INFINITY, rememberMs = 60_000 } = options
  const owners = new Map<string, MemoryOwner>()
  let steps = 0

  function ownerAt(id: string, now: number): MemoryOwner {
    let owner = owners.get(id)
    if (!owner) {
      owner = newMemoryOwner(now)
      owners.set(id, owner)
    }
    owner.touchedMs = now
    reap(owner, now)
    return owner
  }

  const finish = (owner: MemoryOwner, requestId: string, now: number) =>
    putDone(owner, requestId, { nowMs: now, rememberMs })

  function open(owner: MemoryOwner, record: { requestId: string; takes: readonly Take[] }, now: number): void {
    const dueMs = now + leaseMs
    owner.records.set(record.requestId, { phase: 'open', takes: record.takes, dueMs })
    owner.nextDueMs = Math.min(owner.nextDueMs, dueMs)
  }

  function admit(step: AdmissionStep): AdmissionOutcome {
    const now = nowMs()
    if (++steps % SWEEP_EVERY_STEPS === 0) sweep(owners, now)
    const owner = ownerAt(step.owner, now)
    const before = owner.records.get(step.requestId)
    if (before?.phase === 'open') return { kind: 'admitted', takes: before.takes }
    if (before || isDone(owner, step.requestId, now)) return { kind: 'admitted', takes: [] }
    const counters = unknownCounters(owner, step)
    if (counters.length > 0) {
      return { kind: 'unknown', counters, requestIds: settledIds(owner), epoch: String(owner.epoch) }
    }
    const refusal = firstRefusal(owner, step, now)
    if (refusal) return { kind: 'refused', refusal }
    const takes = takeAll(owner, step, now)
    open(owner, { requestId: step.requestId, takes }, now)
    owner.keepUntilMs = Math.max(owner.keepUntilMs, endOfShortLived(step.limits, now))
    return { kind: 'admitted', takes }
  }

  function settle({ owner: ownerId, requestId, actual, takes, isLate }: SettlementStep): boolean {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    const record = owner.records.get(requestId)
    if (record?.phase === 'settled' || isDone(owner, requestId, now)) return false
    if (record) release(owner, record.takes, { actual, nowMs: now, isLate })
    else addLate(owner, takes, actual)
    const used = durableUse(record?.takes ?? takes, actual)
    if (used.length > 0) owner.records.set(requestId, { phase: 'settled', takes: used })
    else finish(owner, requestId, now)
    return true
  }

  function restore({ owner: ownerId, requestId, takes }: OpenRecord): void {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    const record = owner.records.get(requestId)
    if (record?.phase === 'settled' || isDone(owner, requestId, now)) return
    if (!record) for (const take of takes) putBack(owner, take)
    open(owner, { requestId, takes: record?.takes ?? takes }, now)
  }

  function renew(ownerId: string, requestIds: readonly string[]): string[] {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    return requestIds.filter((requestId) => {
      const record = owner.records.get(requestId)
      if (record?.phase === 'open') record.dueMs = now + leaseMs
      return !record && !isDone(owner, requestId, now)
    })
  }

  function seed({ owner: ownerId, epoch, seeds, recordedIds, isGuess }: SeedStep): boolean {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    if (String(owner.epoch) !== epoch) return false
    const seeding = new Set(seeds.map((item) => item.counter))
    for (const requestId of recordedIds) forgetSettled(owner, requestId, { now, seeding })
    for (const item of seeds) {
      const bucket = owner.buckets.get(item.counter)
      if (bucket?.standing === 'known' || (isGuess && bucket?.standing === 'stale')) continue
      const unrecorded = settledTakes(owner, item.counter)
      const merged = mergeSeed({ seed: item, bucket, unrecorded, nowMs: now })
      owner.buckets.set(item.counter, isGuess ? { ...merged, standing: 'stale' } : merged)
    }
    return true
  }

  /** The database has it. Readings under way of counters that it moved may have been made before. */
  function forgetSettled(owner: MemoryOwner, requestId: string, at: { now: number; seeding?: Set<string> }): void {
    const record = owner.records.get(requestId)
    if (record?.phase !== 'settled') return
    finish(owner, requestId, at.now)
    for (const { counter } of record.takes) {
      if (at.seeding?.has(counter)) continue
      if (owner.buckets.get(counter)?.standing !== 'known') doubt(owner, counter)
    }
  }

  function flushed(ownerId: string, requests: readonly FlushedRequest[]): void {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    for (const { requestId, counters } of requests) {
      const record = owner.records.get(requestId)
      if (record?.phase === 'settled') forgetSettled(owner, requestId, { now })
      else if (!isDone(owner, requestId, now)) {
        // Its settlement never came here: what it held is given back, what it used is in the database.
        if (record) release(owner, record.takes, { actual: ABANDONED, nowMs: now, isLate: false })
        const durable = record?.takes.filter((take) => take.durable).map((take) => take.counter)
        for (const counter of durable ?? counters) doubt(owner, counter)
        finish(owner, requestId, now)
      }
    }
  }

  function read(ownerId: string, counters: readonly string[]): CounterReading {
    const now = nowMs()
    const owner = ownerAt(ownerId, now)
    const buckets = counters.map((counter) => {
      const bucket = owner.buckets.get(counter)
      return bucket ? { ...bucket } : null
    })
    return { nowMs: now, buckets }
  }

  return {
    admit,
    settle,
    restore,
    renew,
    seed,
    flushed,
    forget(ownerId, counters) {
      const owner = ownerAt(ownerId, nowMs())
      for (const counter of counters) doubt(owner, counter)
    },
    read,
    get ownerCount() {
      return owners.size
    },
  }
}

function settledIds(owner: MemoryOwner): string[] {
  return [...owner.records].filter(([, record]) => record.phase === 'settled').map(([requestId]) => requestId)
}

function settledTakes(owner: MemoryOwner, counter: string): Take[] {
  const settled = [...owner.records.values()].filter((record) => record.phase === 'settled')
  return settled.flatMap((record) => record.takes.filter((take) => take.counter === counter))
}

/** One restored reservation. A counter that is already in another window no longer has a place for it. */
function putBack(owner: MemoryOwner, take: Take): void {
  if (take.kind === 'rate') return
  const bucket = owner.buckets.get(take.counter)
  if (bucket?.startMs === take.startMs) bucket.reserved += take.amount
  else if (!bucket) {
    const standing = take.durable ? 'unread' : 'known'
    owner.buckets.set(take.counter, {
      startMs: take.startMs,
      used: 0,
      reserved: take.amount,
      standing,
      most: null,
    })
  }
}

function endOfShortLived(limits: readonly Limit[], nowMs: number): number {
  let untilMs = nowMs
  for (const { durable, span } of limits) if (!durable) untilMs = Math.max(untilMs, endOf(span, nowMs) ?? nowMs)
  return untilMs
}

/** Owners that have been away for a day: nothing of theirs is under way, and what they have is over or can be read again. */
function sweep(owners: Map<string, MemoryOwner>, nowMs: number): void {
  for (const [id, owner] of owners) {
    const isIdle = nowMs > owner.touchedMs + IDLE_MS && nowMs > owner.keepUntilMs
    if (isIdle && owner.records.size === 0) owners.delete(id)
  }
}
