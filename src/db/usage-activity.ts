/** Requests, tokens and costs by day (USE-13), from rollups. Days without any have no row. */
import { sql } from 'drizzle-orm'
import type { Db } from './client.ts'
import { type RollupQuery, rollupRows, type Sums, sumColumns } from './rollup-source.ts'
import { TOTAL_TOKENS } from './token-sum.ts'

export interface ActivityRow extends Sums<'requests' | 'costNano' | 'upstreamCostNano'> {
  bucket: number
  totalTokens: bigint
}

export async function listUsageActivity(db: Db, query: RollupQuery): Promise<ActivityRow[]> {
  const rows = await db.execute(sql`
    select bucket, ${sql.raw(TOTAL_TOKENS)}::bigint as "totalTokens", ${sumColumns(['requests', 'costNano', 'upstreamCostNano'])}
    from ${rollupRows(query)} group by bucket`)
  return rows as unknown as ActivityRow[]
}
