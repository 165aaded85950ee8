/**
 * A record of a lost request is provisional (core/lost-request): when the real receipt comes after all, it takes its place. Part of a flush's
 * transaction, and asked only when receipts of a batch were there already, which is rare: otherwise it costs nothing.
 *
 * Why not skip what is there: the real receipt may carry a charge. Why not keep lost requests out of the log: nobody would see them fail.
 * Marks are written in batches of their own: within one, a mark and the receipt of the same request never meet.
 * A lost record cost nothing, so that it has no ledger entry and moved no window; the counts that it did move are moved back.
 */
import { LOST_CODE } from '../core/lost-request.ts'
import type { Receipt } from '../core/receipt.ts'
import type { SqlTransaction } from './client.ts'
import { ROLLUP_OWNERS, totalOwners } from './usage-sums.ts'

/** Removes the lost records of the receipts that are no marks themselves; how many. The flush then inserts its batch once more. */
export async function takeBackLost(
  sql: SqlTransaction,
  receipts: readonly Pick<Receipt, 'id' | 'createdAtMs' | 'errorCode'>[],
  timeZone: string,
): Promise<number> {
  const real = receipts.filter(({ errorCode }) => errorCode !== LOST_CODE)
  if (real.length === 0) return 0
  const json = JSON.stringify(real.map(({ id, createdAtMs }) => ({ id, created_at: new Date(createdAtMs) })))
  const [row] = await sql<{ gone: number }[]>`
    with given as materialized (
      select id, created_at from json_to_recordset(${json}::text::json) as record (id uuid, created_at timestamptz)
    ), gone as (
      delete from usage_records using given
      where usage_records.id = given.id and usage_records.created_at = given.created_at
        and error_code = ${LOST_CODE} and status = 'failed' and cost_nano = 0
      returning usage_records.*
    ), totals as (
      insert into usage_totals as total (scope, scope_id, period, requests, failed_requests)
      select scope, scope_id, period, -count(*), -count(*)
      from gone cross join lateral (values ${sql.unsafe(totalOwners("to_char(created_at at time zone 'UTC', 'YYYY-MM')"))}) as owner (scope, scope_id, period)
      where scope_id is not null
      group by scope, scope_id, period order by scope, scope_id, period
      on conflict (scope, scope_id, period) do update set
        requests = total.requests + excluded.requests,
        failed_requests = total.failed_requests + excluded.failed_requests
    ), hours as (
      ${rollup(sql, 'usage_hourly', 'hour', sql`date_trunc('hour', created_at, 'UTC')`)}
    ), days as (
      ${rollup(sql, 'usage_daily', 'day', sql`(created_at at time zone ${timeZone}::text)::date`)}
    ), months as (
      ${rollup(sql, 'usage_monthly', 'month', sql`date_trunc('month', created_at at time zone ${timeZone}::text)::date`)}
    )
    select count(*)::int as gone from gone`
  return row?.gone ?? 0
}

type Fragment = ReturnType<SqlTransaction>

function rollup(sql: SqlTransaction, table: string, bucket: string, expression: Fragment): Fragment {
  const [name, column] = [sql(table), sql(bucket)]
  return sql`
    insert into ${name} as rollup (scope, scope_id, ${column}, platform, model,
      requests, failed_requests, error_requests, duration_ms, first_token_ms, first_token_requests)
    select scope, scope_id, ${expression}, platform, model, -count(*), -count(*), -count(*), -sum(duration_ms),
      -coalesce(sum(first_token_ms), 0), -count(first_token_ms)
    from gone cross join lateral (values ${sql.unsafe(ROLLUP_OWNERS)}) as owner (scope, scope_id)
    where scope_id is not null
    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (scope, scope_id, ${column}, platform, model) do update set
      requests = rollup.requests + excluded.requests,
      failed_requests = rollup.failed_requests + excluded.failed_requests,
      error_requests = rollup.error_requests + excluded.error_requests,
      duration_ms = rollup.duration_ms + excluded.duration_ms,
      first_token_ms = rollup.first_token_ms + excluded.first_token_ms,
      first_token_requests = rollup.first_token_requests + excluded.first_token_requests`
}
