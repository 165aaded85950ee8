/**
 * The pauses between one user's or key's consecutive completed requests (USE-15): how many fall into which class, and their percentiles.
 * Read from records, as only they know the order of requests; within a window of days.
 */
import { type SQL, sql } from 'drizzle-orm'
import { MINUTE_MS, PAUSE_BOUNDS_MINUTES, type Percentiles } from '../core/cache-ttl.ts'
import type { Span } from '../core/report-buckets.ts'
import type { Db } from './client.ts'
import { OWNER_TABLES } from './owner-names.ts'
import { asId, cleanText } from './page.ts'

export interface PauseQuery extends Span {
  platform?: string
  model?: string
}

export interface AffinityQuery extends PauseQuery {
  groupBy: 'user' | 'key'
  /** Only this one. */
  ownerId?: string
}

export interface Pauses extends Percentiles {
  meanMs: number
  minMs: number
  maxMs: number
}

export interface AffinityRow {
  ownerId: string
  name: string | null
  requests: number
  /** Pauses by class: ≤ 5, ≤ 15, ≤ 30, ≤ 60 and more minutes. */
  counts: number[]
  /** Null: there was but one request. */
  pauses: Pauses | null
}

/** Those with two requests or more, the busiest first; one that is asked for by its id also with one, which has no pause. */
export async function listCacheAffinity(db: Db, query: AffinityQuery): Promise<AffinityRow[]> {
  const { table, name } = OWNER_TABLES[query.groupBy]
  const rows = await executeSorting(
    db,
    sql`
    with affinity as (
      select owner_id, count(*)::int as requests, ${sql.raw(COUNTS)},
        percentile_cont(0.5) within group (order by pause_ms) as p50,
        percentile_cont(0.75) within group (order by pause_ms) as p75,
        percentile_cont(0.9) within group (order by pause_ms) as p90,
        avg(pause_ms) as mean, min(pause_ms) as least, max(pause_ms) as most
      from (${pauses(query)}) as pause
      group by owner_id having count(*) > ${query.ownerId === undefined ? 1 : 0}
    )
    select affinity.*, owner.${sql.identifier(name)} as name
    from affinity left join ${sql.identifier(table)} as owner on owner.id = owner_id
    order by requests desc, owner_id`,
  )
  return rows.map((row) => toAffinity(row as unknown as Stored))
}

/** A week of records is put in order by user and time: in memory, some 20 MB for 200,000 of them, where the usual 4 MB would spill to disk. */
export function executeSorting(db: Db, query: SQL): Promise<Record<string, unknown>[]> {
  return db.transaction(async (transaction) => {
    await transaction.execute(sql`set local work_mem = '64MB'`)
    return transaction.execute(query)
  })
}

/** One row a request: how long before it the same owner's last one was made; null for the first of the window. */
function pauses(query: AffinityQuery): SQL {
  const owner = sql.identifier(query.groupBy === 'user' ? 'user_id' : 'key_id')
  const conditions = [completedIn(query), sql`${owner} is not null`]
  if (query.ownerId !== undefined) conditions.push(sql`${owner} = ${asId(query.ownerId)}::uuid`)
  return sql`select ${owner} as owner_id, ${pauseMs(owner)} as pause_ms
    from usage_records where ${sql.join(conditions, sql` and `)}`
}

export function completedIn({ fromMs, toMs, platform, model }: PauseQuery): SQL {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
  const conditions = [
    sql`status = 'completed' and created_at >= ${from}::timestamptz and created_at < ${to}::timestamptz`,
  ]
  if (platform !== undefined) conditions.push(sql`platform = ${platform}`)
  if (model !== undefined) conditions.push(sql`model = ${cleanText(model)}`)
  return sql.join(conditions, sql` and `)
}

/** Whole milliseconds, as a double: `extract` would reckon in numeric, three times as slow. */
export function pauseMs(owner: SQL | ReturnType<typeof sql.identifier>): SQL {
  return sql`round(date_part('epoch', created_at - lag(created_at) over (partition by ${owner} order by created_at, id)) * 1000)`
}

const EDGES_MS = [Number.NEGATIVE_INFINITY, ...PAUSE_BOUNDS_MINUTES.map((bound) => bound * MINUTE_MS)]
const COUNTS = EDGES_MS.map((over, index) => {
  const upTo = EDGES_MS[index + 1]
  const above = index === 0 ? '' : `pause_ms > ${over}`
  const below = upTo === undefined ? '' : `pause_ms <= ${upTo}`
  return `count(*) filter (where ${[above, below].filter(Boolean).join(' and ')})::int as class${index}`
}).join(', ')

type Stored = Record<'owner_id' | 'name', string> & Record<string, number>

function pausesOf(row: Stored): Pauses | null {
  const { p50 = 0, p75 = 0, p90 = 0, mean = 0, least = 0, most = 0 } = row
  if (row.requests === 1) return null
  return { p50Ms: p50, p75Ms: p75, p90Ms: p90, meanMs: mean, minMs: least, maxMs: most }
}

function toAffinity(row: Stored): AffinityRow {
  return {
    ownerId: row.owner_id,
    name: row.name,
    requests: row.requests as number,
    counts: EDGES_MS.map((_, index) => row[`class${index}`] as number),
    pauses: pausesOf(row),
  }
}
