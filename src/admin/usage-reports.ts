/**
 * The reports that are made of stored sums (USE-12, 13, 14, 16): what is asked for → which sums answer it → the answer's numbers.
 *
 * Sums are kept for one user, key, account or group at a time, so a report is about one of them or about all. They lag by the flush, a
 * second (USE-9); what is still under way is in no report. What a standalone key pays itself is its own use, not its user's (BIL-10).
 */
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { Nano } from '../core/money.ts'
import type { Period } from '../core/report-buckets.ts'
import { type Range, type RangeWish, readRange } from '../core/report-range.ts'
import { type CacheHitsRow, type CacheSums, listCacheHits, sumCacheHits } from '../db/cache-hits.ts'
import type { Db } from '../db/client.ts'
import type { Owner } from '../db/owner-names.ts'
import { type Page, type PageQuery, toPage } from '../db/page.ts'
import type { RollupQuery } from '../db/rollup-source.ts'
import { listTopUsers, type TopUserRow } from '../db/top-users.ts'
import { type ActivityRow, listUsageActivity } from '../db/usage-activity.ts'
import { decodePlace, encodePlace, listUsageSummary, type SummaryRow } from '../db/usage-summary.ts'
import type { Clock } from '../lib/clock.ts'
import type { CacheGroup } from '../schema/cache-report-views.ts'
import type { TopBy } from '../schema/usage-report-views.ts'
import type { ActivityCache } from './activity-cache.ts'

export interface UsageReportDeps {
  db: Db
  clock: Clock
  /** Of the daily sums. */
  timeZone: string
  activityCache: ActivityCache
}

/** Whose use: one of these, or everybody's. */
export type OwnerWish = Partial<Record<Owner, string>>

export interface ReportWish extends RangeWish {
  owner: OwnerWish
  platform?: string
  model?: string
}

export interface SummaryPage extends Page<SummaryRow> {
  range: Range
}

export interface ActivityDay {
  day: string
  requests: number
  totalTokens: number
  costNano: Nano
  upstreamCostNano: Nano
}

/** A page needs few of a year's days: the others are not read for it. */
const PERIODS_AT_ONCE = 32
/** Periods of a summary; days of a heat map; the longest span of the others. */
const USUAL: Record<Period, number> = { day: 30, week: 12, month: 12 }
const MOST_PERIODS = 400
const HEAT_MAP_DAYS = 365
const USUAL_DAYS = 30
const MOST_DAYS = 3660

export function createUsageReports(deps: UsageReportDeps) {
  const { db, clock, timeZone: configuredZone } = deps
  const rangeOf = (wish: RangeWish, rules: { period: Period; usual: number; most: number; together?: boolean }) =>
    readRange(wish, { ...rules, nowMs: clock.nowMs(), configuredZone })

  async function summary(wish: ReportWish & PageQuery & { period: Period }): Promise<SummaryPage | Fault> {
    const { period } = wish
    const range = rangeOf(wish, { period, usual: USUAL[period], most: MOST_PERIODS })
    if (isFault(range)) return range
    const query = toQuery(wish, range)
    if (isFault(query)) return query
    const after = decodePlace(wish.cursor ?? null, range.buckets)
    if (isFault(after)) return after
    const { limit } = wish
    const rows: SummaryRow[] = []
    const { length } = range.buckets
    for (let first = after?.bucket ?? 0; first < length && rows.length <= limit; first += PERIODS_AT_ONCE) {
      const pieces = only(query.pieces, (bucket) => bucket >= first && bucket < first + PERIODS_AT_ONCE)
      rows.push(...(await listUsageSummary(db, { ...query, pieces, after, limit: limit + 1 - rows.length })))
    }
    return { range, ...toPage(rows, limit, (row) => encodePlace(row, range.buckets)) }
  }

  async function activity(
    wish: Omit<ReportWish, 'from' | 'to'>,
  ): Promise<{ range: Range; days: ActivityDay[]; maxRequests: number } | Fault> {
    const { timeZone, owner, platform, model } = wish
    const range = rangeOf({ timeZone }, { period: 'day', usual: HEAT_MAP_DAYS, most: HEAT_MAP_DAYS })
    if (isFault(range)) return range
    const query = toQuery(wish, range)
    if (isFault(query)) return query
    const today = range.buckets.length - 1
    const key = JSON.stringify([range.timeZone, range.fromMs, owner, platform, model])
    const past = deps.activityCache.read({ key, userId: owner.user }, () =>
      listUsageActivity(db, { ...query, pieces: only(query.pieces, (bucket) => bucket < today) }),
    )
    const live = listUsageActivity(db, { ...query, pieces: only(query.pieces, (bucket) => bucket === today) })
    return { range, ...fillDays(range, (await Promise.all([past, live])).flat()) }
  }

  async function topUsers(
    wish: Omit<ReportWish, 'owner'> & { by: TopBy; limit: number },
  ): Promise<{ range: Range; rows: TopUserRow[] } | Fault> {
    const range = rangeOf(wish, { period: 'day', usual: USUAL_DAYS, most: MOST_DAYS, together: true })
    if (isFault(range)) return range
    const { by, limit, platform, model } = wish
    return { range, rows: await listTopUsers(db, { pieces: range.pieces, platform, model, by, limit }) }
  }

  async function cacheHits(
    wish: ReportWish & { groupBy: CacheGroup; limit: number },
  ): Promise<{ range: Range; rows: CacheHitsRow[]; total: CacheSums } | Fault> {
    const range = rangeOf(wish, { period: 'day', usual: USUAL_DAYS, most: MOST_DAYS, together: true })
    if (isFault(range)) return range
    const query = toQuery(wish, range)
    if (isFault(query)) return query
    const { groupBy, limit } = wish
    const grouped = scopeFor(query, groupBy)
    if (isFault(grouped)) return grouped
    const [rows, total] = await Promise.all([
      listCacheHits(db, { ...grouped, groupBy, limit }),
      sumCacheHits(db, query),
    ])
    return { range, rows, total }
  }

  return { summary, activity, topUsers, cacheHits }
}

function toQuery({ owner, platform, model }: Omit<ReportWish, 'from' | 'to'>, range: Range): RollupQuery | Fault {
  const { pieces } = range
  const named = (Object.entries(owner) as [Owner, string | undefined][]).filter(([, id]) => id !== undefined)
  const [first, second] = named
  if (second) {
    return invalid(
      `${second[0]}_id`,
      'give one of user_id, key_id, account_id and group_id: sums are kept for each alone',
    )
  }
  if (!first) return { pieces, scope: 'all', platform, model }
  return { pieces, scope: first[0], scopeId: first[1], platform, model }
}

/** Sums by user of one account, say, are not kept. */
function scopeFor(query: RollupQuery, groupBy: CacheGroup): RollupQuery | Fault {
  if (groupBy === 'model' || groupBy === 'platform' || groupBy === query.scope) return query
  if (query.scope === 'all') return { ...query, scope: groupBy }
  return invalid('group_by', `sums of one ${query.scope} are kept by model and platform, not by ${groupBy}`)
}

function only(pieces: Range['pieces'], wanted: (bucket: number) => boolean): Range['pieces'] {
  return {
    months: pieces.months.filter(({ bucket }) => wanted(bucket)),
    days: pieces.days.filter(({ bucket }) => wanted(bucket)),
    hours: pieces.hours.filter(({ bucket }) => wanted(bucket)),
  }
}

/** Days without use are there, with zeros. */
function fillDays(range: Range, rows: readonly ActivityRow[]): { days: ActivityDay[]; maxRequests: number } {
  const byBucket = new Map(rows.map((row) => [row.bucket, row]))
  const days = range.buckets.map(({ day }, bucket) => {
    const { requests = 0n, totalTokens = 0n, costNano = 0n, upstreamCostNano = 0n } = byBucket.get(bucket) ?? {}
    return { day, requests: Number(requests), totalTokens: Number(totalTokens), costNano, upstreamCostNano }
  })
  return { days, maxRequests: Math.max(...days.map(({ requests }) => requests)) }
}
