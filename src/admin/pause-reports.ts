/**
 * The reports on the time between requests (USE-15, USE-17): how long caches should live, and the points of a scatter plot. Made from the
 * records of a window of hours that ends now, as sums don't tell in which order requests came. Only completed requests count in both.
 */
import { adviseTtl, type CacheTtlMinutes, PAUSE_BOUNDS_MINUTES, type TtlAdvice } from '../core/cache-ttl.ts'
import type { Span } from '../core/report-buckets.ts'
import { type AffinityRow, listCacheAffinity } from '../db/cache-affinity.ts'
import type { Db } from '../db/client.ts'
import { findOwnerName } from '../db/owner-names.ts'
import { type Intervals, listIntervals } from '../db/request-intervals.ts'
import type { Clock } from '../lib/clock.ts'

interface WindowWish {
  hours: number
  platform?: string
  model?: string
  limit: number
}

export interface AffinityGroup extends AffinityRow {
  advice: TtlAdvice
}

export interface AffinityReport {
  span: Span
  groups: AffinityGroup[]
  /** Groups of two requests or more, also those beyond the limit; what they were advised. */
  groupCount: number
  recommendations: Record<CacheTtlMinutes, number>
}

const HOUR_MS = 3_600_000

export function createPauseReports({ db, clock }: { db: Db; clock: Clock }) {
  const spanOf = (hours: number): Span => ({ fromMs: clock.nowMs() - hours * HOUR_MS, toMs: clock.nowMs() })

  async function cacheAffinity(
    wish: WindowWish & { groupBy: 'user' | 'key'; ownerId?: string },
  ): Promise<AffinityReport> {
    const span = spanOf(wish.hours)
    const { groupBy, ownerId, platform, model, limit } = wish
    const rows = await listCacheAffinity(db, { ...span, groupBy, ownerId, platform, model })
    const judged = rows.filter(({ pauses }) => pauses !== null).map(withAdvice)
    const recommendations: Record<CacheTtlMinutes, number> = { 5: 0, 15: 0, 30: 0, 60: 0 }
    for (const { advice } of judged) recommendations[advice.ttlMinutes] += 1
    const groups = judged.length === 0 && ownerId !== undefined ? await unjudged(rows, groupBy, ownerId) : judged
    return { span, groups: groups.slice(0, limit), groupCount: judged.length, recommendations }
  }

  /** Who asks about one that made no two requests gets the advice for that. */
  async function unjudged(rows: AffinityRow[], groupBy: 'user' | 'key', ownerId: string): Promise<AffinityGroup[]> {
    if (rows.length > 0) return rows.map(withAdvice)
    const name = await findOwnerName(db, groupBy, ownerId)
    const counts = [0, ...PAUSE_BOUNDS_MINUTES.map(() => 0)]
    return name === null ? [] : [withAdvice({ ownerId, name, requests: 0, counts, pauses: null })]
  }

  async function intervals(wish: WindowWish & { userId?: string }): Promise<Intervals & { span: Span }> {
    const span = spanOf(wish.hours)
    const { userId, platform, model, limit } = wish
    return { span, ...(await listIntervals(db, { ...span, userId, platform, model, limit })) }
  }

  return { cacheAffinity, intervals }
}

function withAdvice(row: AffinityRow): AffinityGroup {
  return { ...row, advice: adviseTtl(row.pauses) }
}
