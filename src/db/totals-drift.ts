/**
 * Are the sums what they are sums of (BIL-12)? In steps, because records are deleted in the end (USE-18) and sums are not: totals of users,
 * keys, accounts, groups and models, and days and months, against the hourly rollups, which are kept; and the hours against the records that
 * are still there. Each is one statement, hence one snapshot: a flush is in both sides or in neither.
 */
import type { Sql } from './client.ts'
import { ROLLUP_COLUMNS } from './usage-sums.ts'

export interface SumDrift {
  /** "user 0198…", "hour 2026-07-24T12:00:00.000Z". */
  of: string
  requests: { stored: bigint; counted: bigint }
  costNano: { stored: bigint; counted: bigint }
}

interface Row {
  of: string
  storedRequests: bigint
  countedRequests: bigint
  storedCost: bigint
  countedCost: bigint
}

/** At most so many are told. */
const MOST = 20

export async function findTotalsDrift(sql: Sql): Promise<SumDrift[]> {
  const rows = await sql<Row[]>`
    with counted as (
      select case scope when 'all' then 'model' else scope end as scope,
        case scope when 'all' then model else scope_id end as scope_id,
        sum(requests)::bigint as requests, sum(cost_nano)::bigint as cost, sum(charged_nano)::bigint as charged,
        sum(upstream_cost_nano)::bigint as upstream
      from usage_hourly group by 1, 2
    ), stored as (
      select scope, scope_id, requests, cost_nano as cost, charged_nano as charged, upstream_cost_nano as upstream
      from usage_totals where period = ''
    )
    select scope || ' ' || scope_id as of, coalesce(stored.requests, 0) as "storedRequests",
      coalesce(counted.requests, 0) as "countedRequests", coalesce(stored.cost, 0) as "storedCost",
      coalesce(counted.cost, 0) as "countedCost"
    from stored full join counted using (scope, scope_id)
    where (coalesce(stored.requests, 0), coalesce(stored.cost, 0), coalesce(stored.charged, 0), coalesce(stored.upstream, 0))
      <> (coalesce(counted.requests, 0), coalesce(counted.cost, 0), coalesce(counted.charged, 0), coalesce(counted.upstream, 0))
    order by 1 limit ${MOST}`
  return rows.map(toDrift)
}

/** Of the oldest hour some records may be gone already: there may be fewer of them than were counted, not more. */
export async function findHourDrift(sql: Sql): Promise<SumDrift[]> {
  const rows = await sql<Row[]>`
    with oldest as (select date_trunc('hour', min(created_at), 'UTC') as since from usage_records),
    counted as (
      select date_trunc('hour', created_at, 'UTC') as hour, count(*) as requests, sum(cost_nano)::bigint as cost,
        sum(charged_nano)::bigint as charged, sum(upstream_cost_nano)::bigint as upstream
      from usage_records group by 1
    ), stored as (
      select hour, sum(requests)::bigint as requests, sum(cost_nano)::bigint as cost, sum(charged_nano)::bigint as charged,
        sum(upstream_cost_nano)::bigint as upstream
      from usage_hourly where scope = 'all' and hour >= (select since from oldest) group by hour
    )
    select 'hour ' || to_char(hour, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as of, coalesce(stored.requests, 0) as "storedRequests",
      coalesce(counted.requests, 0) as "countedRequests", coalesce(stored.cost, 0) as "storedCost",
      coalesce(counted.cost, 0) as "countedCost"
    from stored full join counted using (hour) cross join oldest
    where case when hour = oldest.since
      then coalesce(stored.requests, 0) < counted.requests or (stored.requests = counted.requests
        and (stored.cost, stored.charged, stored.upstream) <> (counted.cost, counted.charged, counted.upstream))
      else (coalesce(stored.requests, 0), coalesce(stored.cost, 0), coalesce(stored.charged, 0), coalesce(stored.upstream, 0))
        <> (coalesce(counted.requests, 0), coalesce(counted.cost, 0), coalesce(counted.charged, 0), coalesce(counted.upstream, 0))
      end
    order by hour limit ${MOST}`
  return rows.map(toDrift)
}

/**
 * Days and months hold each request that the hours hold, column by column (USE-10). Compared over all time: where a day began when it was
 * written depends on what `TIMEZONE` was then.
 */
export async function findRollupDrift(sql: Sql): Promise<SumDrift[]> {
  const sums = ROLLUP_COLUMNS.map((column) => `sum(${column})::bigint as ${column}`).join(', ')
  const of = (table: string) =>
    `${table} as (select scope, scope_id, platform, model, ${sums} from usage_${table} group by 1, 2, 3, 4)`
  const differs = ROLLUP_COLUMNS.map((column) => `coalesce(stored.${column}, 0) <> coalesce(hourly.${column}, 0)`)
  const drift = (table: string) => `
    select 'usage_${table} ' || scope || ' ' || scope_id as of, sum(stored.requests)::bigint as "storedRequests",
      sum(hourly.requests)::bigint as "countedRequests", sum(stored.cost_nano)::bigint as "storedCost",
      sum(hourly.cost_nano)::bigint as "countedCost"
    from ${table} as stored full join hourly using (scope, scope_id, platform, model)
    where ${differs.join(' or ')} group by 1`
  const rows = await sql<Row[]>`
    with ${sql.unsafe(['hourly', 'daily', 'monthly'].map(of).join(', '))}
    select of, coalesce("storedRequests", 0) as "storedRequests", coalesce("countedRequests", 0) as "countedRequests",
      coalesce("storedCost", 0) as "storedCost", coalesce("countedCost", 0) as "countedCost"
    from (${sql.unsafe(`${drift('daily')} union all ${drift('monthly')}`)}) as drift order by of limit ${MOST}`
  return rows.map(toDrift)
}

function toDrift({ of, storedRequests, countedRequests, storedCost, countedCost }: Row): SumDrift {
  return {
    of,
    requests: { stored: storedRequests, counted: countedRequests },
    costNano: { stored: storedCost, counted: countedCost },
  }
}
