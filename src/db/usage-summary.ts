/**
 * Usage per period × platform × model (USE-12), from rollups, page by page: a year of days and forty models are 15,000 rows. A record exists
 * only of what ended: pending and streaming are in no sum.
 */
import { sql } from 'drizzle-orm'
import { type Fault, invalid } from '../core/fault.ts'
import type { Bucket } from '../core/report-buckets.ts'
import type { Db } from './client.ts'
import { cleanText, encodeCursor } from './page.ts'
import { type RollupQuery, rollupRows, type Sums, sumColumns } from './rollup-source.ts'

const SUMMARY_SUMS = [
  'requests',
  'completedRequests',
  'failedRequests',
  'cacheHitRequests',
  'unpricedRequests',
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'reasoningTokens',
  'costNano',
  'chargedNano',
  'upstreamCostNano',
  'durationMs',
  'firstTokenMs',
  'firstTokenRequests',
] as const

/** Where a row stands: by period, then by name. */
export interface SummaryPlace {
  /** Index of the period. */
  bucket: number
  platform: string
  model: string
}

export interface SummaryRow extends SummaryPlace, Sums<(typeof SUMMARY_SUMS)[number]> {}

export async function listUsageSummary(
  db: Db,
  query: RollupQuery & { after: SummaryPlace | null; limit: number },
): Promise<SummaryRow[]> {
  const { after, limit } = query
  const place =
    after && sql`where (bucket, platform, model) > (${after.bucket}::int, ${after.platform}, ${after.model})`
  const rows = await db.execute(sql`
    select bucket, platform, model, ${sumColumns(SUMMARY_SUMS)} from ${rollupRows(query, SUMMARY_SUMS)} ${place ?? sql``}
    group by bucket, platform, model order by bucket, platform, model limit ${limit}`)
  return rows as unknown as SummaryRow[]
}

/** Names the period by its day: what was the first yesterday may be the second today. */
export function encodePlace({ bucket, platform, model }: SummaryPlace, buckets: readonly Bucket[]): string {
  return encodeCursor(buckets[bucket]?.day ?? '', platform, model)
}

export function decodePlace(cursor: string | null, buckets: readonly Bucket[]): SummaryPlace | null | Fault {
  if (cursor === null || cursor === '') return null
  const text = Buffer.from(cursor, 'base64url').toString()
  const [day = '', platform = '', ...model] = text.split('|')
  const bucket = buckets.findIndex((each) => each.day === day)
  if (bucket === -1 || model.length === 0 || cleanText(text) !== text) {
    return invalid('cursor', 'cursor is not one that this report gave out')
  }
  return { bucket, platform, model: model.join('|') }
}
