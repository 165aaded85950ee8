/**
 * How often caches were hit and what that saved (USE-16), from rollups. The saving was worked out with each request's cost, at the rates that
 * priced it (core/call-cost): here it is only added up.
 */
import { sql } from 'drizzle-orm'
import type { CacheGroup } from '../schema/cache-report-views.ts'
import type { RollupScope } from '../schema/usage-rollups.ts'
import type { Db } from './client.ts'
import { OWNER_TABLES } from './owner-names.ts'
import { type RollupQuery, rollupRows, type Sums, sumColumns } from './rollup-source.ts'

const SUMMED = [
  'requests',
  'completedRequests',
  'cacheHitRequests',
  'inputTokens',
  'cacheReadTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'costNano',
  'cacheReadCostNano',
  'cacheWriteCostNano',
  'cacheSavingNano',
  'cacheSurchargeNano',
] as const

export type CacheSums = Sums<(typeof SUMMED)[number]>

export interface CacheHitsRow extends CacheSums {
  /** The model, the platform, or an id. */
  of: string
  /** Of a user, key, account or group, deleted or not (KEY-12). */
  name: string | null
}

/** The groups that read most from a cache first. */
export async function listCacheHits(
  db: Db,
  query: RollupQuery & { groupBy: CacheGroup; limit: number },
): Promise<CacheHitsRow[]> {
  const { groupBy } = query
  const isOwner = groupBy !== 'model' && groupBy !== 'platform'
  const column = sql.identifier(isOwner ? 'scope_id' : groupBy)
  const named = isOwner ? namedBy(groupBy) : sql`null::text as name from hits`
  const rows = await db.execute(sql`
    with hits as (
      select ${column} as of, ${sumColumns(SUMMED)} from ${rollupRows(query, SUMMED)}
      group by ${column} order by sum(cache_read_tokens) desc, ${column} limit ${query.limit}
    )
    select hits.*, ${named} order by "cacheReadTokens" desc, of`)
  return rows as unknown as CacheHitsRow[]
}

/** Of everything that the query is about, whatever the groups. */
export async function sumCacheHits(db: Db, query: RollupQuery): Promise<CacheSums> {
  const zeros = SUMMED.map((name) => `coalesce("${name}", 0) as "${name}"`).join(', ')
  const [row] = await db.execute(
    sql`select ${sql.raw(zeros)} from (select ${sumColumns(SUMMED)} from ${rollupRows(query, SUMMED)}) as sums`,
  )
  return row as unknown as CacheSums
}

function namedBy(scope: Exclude<RollupScope, 'all'>) {
  const { table, name } = OWNER_TABLES[scope]
  return sql`owner.${sql.identifier(name)} as name from hits left join ${sql.identifier(table)} as owner on owner.id = hits.of::uuid`
}
