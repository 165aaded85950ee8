/** Who used most (USE-14), from rollups. Deleted users keep their names (KEY-12). */
import { sql } from 'drizzle-orm'
import type { TopBy } from '../schema/usage-report-views.ts'
import type { Db } from './client.ts'
import { type RollupQuery, rollupRows, type Sums, sumColumns } from './rollup-source.ts'
import { TOKEN_LEAVES, TOTAL_TOKENS } from './token-sum.ts'

const ORDER: Record<TopBy, string> = { cost: '"costNano"', tokens: '"totalTokens"', requests: 'requests' }
const SUMMED = ['requests', 'failedRequests', 'costNano', 'chargedNano', 'upstreamCostNano'] as const

export interface TopUserRow extends Sums<(typeof SUMMED)[number]> {
  userId: string
  /** Null: there is no such user in the database. */
  username: string | null
  email: string | null
  deleted: boolean
  totalTokens: bigint
}

export async function listTopUsers(
  db: Db,
  query: Omit<RollupQuery, 'scope'> & { by: TopBy; limit: number },
): Promise<TopUserRow[]> {
  const rows = await db.execute(sql`
    select top.*, users.username, users.email, users.deleted_at is not null as deleted
    from (
      select scope_id as "userId", ${sql.raw(TOTAL_TOKENS)}::bigint as "totalTokens", ${sumColumns(SUMMED)}
      from ${rollupRows({ ...query, scope: 'user' }, [...TOKEN_LEAVES, ...SUMMED])}
      group by scope_id order by ${sql.raw(ORDER[query.by])} desc, scope_id limit ${query.limit}
    ) as top
    left join users on users.id = top."userId"::uuid
    order by ${sql.raw(ORDER[query.by])} desc, "userId"`)
  return rows as unknown as TopUserRow[]
}
