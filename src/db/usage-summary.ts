/** Usage per period × platform × model (USE-12), from rollups. A record exists only of what ended: pending and streaming are in no sum. */
import { sql } from 'drizzle-orm'
import type { Db } from './client.ts'
import { type RollupQuery, rollupRows, type Sums, sumColumns } from './rollup-source.ts'

export const SUMMARY_SUMS = [
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

export interface SummaryRow extends Sums<(typeof SUMMARY_SUMS)[number]> {
  /** Index of the period. */
  bucket: number
  platform: string
  model: string
}

/** Periods in order; within one, by platform and model. */
export async function listUsageSummary(db: Db, query: RollupQuery): Promise<SummaryRow[]> {
  const rows = await db.execute(sql`
    select bucket, platform, model, ${sumColumns(SUMMARY_SUMS)} from ${rollupRows(query)}
    group by bucket, platform, model order by bucket, platform, model`)
  return rows as unknown as SummaryRow[]
}
