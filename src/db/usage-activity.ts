/** Requests, tokens and costs by day (USE-13), from rollups. Days without any have no row. */
import { sql } from 'drizzle-orm'
import type { Db } from './client.ts'
import { type RollupQuery, rollupPieces, type Sums, sumColumns } from './rollup-source.ts'
import { TOKEN_LEAVES, TOTAL_TOKENS } from './token-sum.ts'

const SUMMED = ['requests', 'costNano', 'upstreamCostNano'] as const

export interface ActivityRow extends Sums<(typeof SUMMED)[number]> {
  bucket: number
  totalTokens: bigint
}

export async function listUsageActivity(db: Db, query: RollupQuery): Promise<ActivityRow[]> {
  const rows = await db.execute(sql`
    select bucket, ${sql.raw(TOTAL_TOKENS)}::bigint as "totalTokens", ${sumColumns(SUMMED)}
    from ${rollupPieces(query, [...TOKEN_LEAVES, ...SUMMED])} group by bucket`)
  return rows as unknown as ActivityRow[]
}
