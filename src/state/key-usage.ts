/** What a key has used of its limits, as its holder and operators are shown it (KEY-6, KEY-13). */
import type { ApiKey } from '../core/entities.ts'
import { type CalendarBoundaries, keyLimits, ownerOf } from '../core/key-limits.ts'
import { type Bucket, currentStart, type Limit, viewWindow, type WindowView } from '../core/limit.ts'
import type { CounterReading, Counters } from './counters.ts'

/** Null: there is no such limit, or nothing is known here since the start; totals are in the database. Costs in nanodollars. */
export interface KeyUsage {
  window: WindowView | null
  dayCost: number | null
  weekCost: number | null
  totalCost: number | null
  tokens: number | null
  /** Requests under way. */
  concurrency: number | null
}

/** Of any number of keys, in one round trip: keys of one owner are one step, and the steps of all owners go out together. */
export async function readKeyUsages(
  counters: Counters,
  keys: readonly ApiKey[],
  calendar: CalendarBoundaries,
): Promise<Map<string, KeyUsage>> {
  const usages = new Map<string, KeyUsage>()
  const readOwner = async (owner: string, owned: readonly ApiKey[]) => {
    const limits = owned.map((key) => keyLimits(key, calendar).filter((limit) => limit.span.kind !== 'rate'))
    const names = limits.flat().map((limit) => limit.counter)
    const { nowMs, buckets } = await counters.read(owner, names)
    let at = 0
    for (const [index, key] of owned.entries()) {
      const own = limits[index] ?? []
      usages.set(key.id, usageOf(key, own, { nowMs, buckets: buckets.slice(at, at + own.length) }))
      at += own.length
    }
  }
  await Promise.all(Array.from(Map.groupBy(keys, ownerOf), ([owner, owned]) => readOwner(owner, owned)))
  return usages
}

function usageOf(key: ApiKey, limits: readonly Limit[], { nowMs, buckets }: CounterReading): KeyUsage {
  const found = new Map(limits.map((limit, index) => [limit.name, { limit, bucket: buckets[index] ?? null }]))
  const used = (name: string) => usedNow(found.get(name), nowMs)
  const slots = found.get('slots')
  return {
    window: windowOf(key, (name) => found.get(name)?.bucket ?? null, nowMs),
    dayCost: used('day'),
    weekCost: used('week'),
    totalCost: used('total'),
    tokens: used('tokens'),
    concurrency: slots ? (slots.bucket?.reserved ?? 0) : null,
  }
}

function usedNow(found: { limit: Limit; bucket: Bucket | null } | undefined, nowMs: number): number | null {
  if (!found?.bucket || found.bucket.standing === 'unread') return null
  const { limit, bucket } = found
  return currentStart(limit.span, bucket.startMs, nowMs) === bucket.startMs ? bucket.used : 0
}

function windowOf(key: ApiKey, bucketOf: (name: string) => Bucket | null, nowMs: number): WindowView | null {
  if (key.rateLimitWindowMinutes <= 0) return null
  const [requests, tokens, cost] = ['window-requests', 'window-tokens', 'window-cost'].map(bucketOf)
  const buckets = { requests: requests ?? null, tokens: tokens ?? null, cost: cost ?? null }
  return viewWindow(buckets, key.rateLimitWindowMinutes * 60_000, nowMs)
}
