/** The admission step over one owner's counters in memory: what is unknown, what refuses, what is taken. Twin of scripts/admit.lua. */
import {
  type Bucket,
  currentStart,
  hasRoom,
  type Limit,
  type Refusal,
  type Room,
  refuse,
  reservation,
  type Take,
} from '../core/limit.ts'
import { type RateDecision, takeRate } from '../core/rate.ts'
import type { AdmissionStep } from './counters.ts'
import type { MemoryOwner } from './memory-owner.ts'

export function unknownCounters(owner: MemoryOwner, step: AdmissionStep): string[] {
  const unknown: string[] = []
  for (const { counter, durable } of step.limits) {
    if (!durable) continue
    const standing = owner.buckets.get(counter)?.standing
    if (standing !== 'known' && !(standing === 'stale' && step.acceptsStale)) unknown.push(counter)
  }
  return unknown
}

/** Nothing is taken before every limit has agreed (KEY-7). */
export function firstRefusal(owner: MemoryOwner, step: AdmissionStep, nowMs: number): Refusal | null {
  for (const limit of step.limits) {
    const amount = step.amounts[limit.measure]
    if (limit.span.kind === 'rate') {
      const decision = rate(owner, limit, { amount, nowMs })
      if (!decision.ok) return { limit, waitMs: decision.waitMs, isHeld: false }
      continue
    }
    const room = roomOf(owner.buckets.get(limit.counter), limit, nowMs)
    if (!hasRoom(limit.rule, room, amount)) return refuse(limit, room, nowMs)
  }
  return null
}

export function takeAll(owner: MemoryOwner, step: AdmissionStep, nowMs: number): Take[] {
  const takes: Take[] = []
  for (const limit of step.limits) {
    const request = { amount: step.amounts[limit.measure], nowMs }
    takes.push(limit.span.kind === 'rate' ? takeOfRate(owner, limit, request) : takeOfBucket(owner, limit, request))
  }
  return takes
}

interface RequestedAmount {
  amount: number
  nowMs: number
}

function takeOfBucket(owner: MemoryOwner, limit: Limit, { amount, nowMs }: RequestedAmount): Take {
  const { counter, measure, durable } = limit
  const bucket = owner.buckets.get(counter)
  const room = roomOf(bucket, limit, nowMs)
  const reserved = reservation(limit.rule, room, amount)
  if (bucket && bucket.startMs === room.startMs) bucket.reserved += reserved
  else {
    const { standing = 'known', most = null } = bucket ?? {}
    owner.buckets.set(counter, { startMs: room.startMs, used: 0, reserved, standing, most })
  }
  return { counter, measure, kind: 'bucket', startMs: room.startMs, amount: reserved, perMinute: 0, durable }
}

function takeOfRate(owner: MemoryOwner, limit: Limit, { amount, nowMs }: RequestedAmount): Take {
  const { counter, measure, durable } = limit
  const decision = rate(owner, limit, { amount, nowMs })
  if (decision.ok) owner.rates.set(counter, decision.state)
  const perMinute = limit.most ?? 0
  return { counter, measure, kind: 'rate', startMs: nowMs, amount: Math.min(amount, perMinute), perMinute, durable }
}

function rate(owner: MemoryOwner, limit: Limit, { amount, nowMs }: RequestedAmount): RateDecision {
  const perMinute = limit.most ?? 0
  return takeRate(owner.rates.get(limit.counter), { perMinute, amount: Math.min(amount, perMinute), nowMs })
}

/** A counter whose time is over has all its room again; its own limit (money) stays. */
function roomOf(bucket: Bucket | undefined, limit: Limit, nowMs: number): Room & { startMs: number } {
  const startMs = currentStart(limit.span, bucket?.startMs ?? 0, nowMs)
  const most = limit.most ?? (limit.rule === 'hold' ? (bucket?.most ?? null) : null)
  if (bucket?.startMs !== startMs) return { startMs, used: 0, reserved: 0, most }
  return { startMs, used: bucket.used, reserved: bucket.reserved, most }
}
