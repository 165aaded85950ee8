/**
 * Points for a scatter plot: when a completed request was made, and how long after the same user's previous one (USE-17). From records.
 *
 * When there are more points than wanted, they are lined up by user and time, and every (total ÷ limit)th is taken: exactly `limit` of
 * them, of each user its share (give or take one), and each user's spread over the whole time.
 */
import { sql } from 'drizzle-orm'
import { MINUTE_MS } from '../core/cache-ttl.ts'
import { completedIn, executeSorting, type PauseQuery, pauseMs } from './cache-affinity.ts'
import type { Db } from './client.ts'
import { asId } from './page.ts'

const LONGEST_INTERVAL_MINUTES = 120
const LONGEST_MS = LONGEST_INTERVAL_MINUTES * MINUTE_MS

export interface IntervalQuery extends PauseQuery {
  userId?: string
  limit: number
}

export interface IntervalPoint {
  atMs: number
  intervalMs: number
  model: string
  userId: string
}

export interface Intervals {
  /** Oldest first; at most `limit`. */
  points: IntervalPoint[]
  /** Of all points, sampled or not; those with the most first. */
  users: { id: string; name: string | null; points: number }[]
  models: { model: string; points: number }[]
}

interface Stored {
  kind: 'point' | 'user' | 'model'
  atMs: number | null
  intervalMs: number | null
  model: string | null
  userId: string | null
  name: string | null
  points: number | null
}

export async function listIntervals(db: Db, query: IntervalQuery): Promise<Intervals> {
  // The first point of the window needs the request before it.
  const seen = { ...query, fromMs: query.fromMs - LONGEST_MS }
  const user = query.userId === undefined ? sql`user_id is not null` : sql`user_id = ${asId(query.userId)}::uuid`
  const { limit } = query
  const rows = (await executeSorting(
    db,
    sql`
    with point as materialized (
      select *, row_number() over (order by user_id, created_at, id) as rank from (
        select id, user_id, model, created_at, ${pauseMs(sql.identifier('user_id'))} as interval_ms
        from usage_records where ${completedIn(seen)} and ${user}
      ) as request
      where interval_ms <= ${LONGEST_MS} and created_at >= ${new Date(query.fromMs).toISOString()}::timestamptz
    ), counted as (select count(*) as total from point)
    select 'point' as kind, date_part('epoch', created_at) * 1000 as "atMs", interval_ms as "intervalMs", model,
      user_id as "userId", null as name, null::int as points
    from point cross join counted where total <= ${limit}::bigint or rank * ${limit}::bigint / total > (rank - 1) * ${limit}::bigint / total
    union all
    select 'user', null, null, null, user_id, username, points from (
      select user_id, count(*)::int as points from point group by user_id
    ) as busy left join users on users.id = user_id
    union all
    select 'model', null, null, model, null, null, count(*)::int from point group by model
    order by kind, points desc nulls last, "atMs", model, "userId"`,
  )) as unknown as Stored[]
  return {
    points: rows.filter(({ kind }) => kind === 'point').map(toPoint),
    users: rows
      .filter(({ kind }) => kind === 'user')
      .map((row) => ({ id: row.userId as string, name: row.name, points: row.points as number })),
    models: rows
      .filter(({ kind }) => kind === 'model')
      .map((row) => ({ model: row.model as string, points: row.points as number })),
  }
}

function toPoint({ atMs, intervalMs, model, userId }: Stored): IntervalPoint {
  return {
    atMs: Math.round(atMs as number),
    intervalMs: intervalMs as number,
    model: model as string,
    userId: userId as string,
  }
}
