/**
 * The parts of the flush's statement (./receipts.ts) that add fresh records to the totals (BIL-12) and rollups (USE-10). The sums are made by
 * the database, of the very rows that it inserted: nothing is counted in two places.
 *
 * Records of one user, key, account, group, model and hour are added up once (`share`): totals, hours, days and months are sums of these. A batch has
 * far fewer of them than records, because one client's requests come together.
 *
 * Rows are upserted in the order of their keys, so that flushes of several instances wait for each other instead of
 * deadlocking. A standalone key pays for itself: its requests do not move its creator's sums (BIL-10).
 */

/** Whose totals a record counts in: scope, id, period. Repricing (./reprice-sums.ts) must move the same. `month`: the SQL of "2026-07", UTC. */
export const totalOwners = (month: string) => `
  ('user', case when billing_type <> 'key' then user_id::text end, ''),
  ('key', key_id::text, ''),
  ('account', account_id::text, ''),
  ('account', account_id::text, ${month}),
  ('group', group_id::text, ''),
  ('model', model, '')`

/** Whose rollups: scope and id. */
export const ROLLUP_OWNERS = `
  ('all', ''),
  ('user', case when billing_type <> 'key' then user_id::text end),
  ('key', key_id::text),
  ('account', account_id::text),
  ('group', group_id::text)`

/** Columns of a rollup, each with its sum over records. */
const SUMMED = {
  requests: 'count(*)',
  completed_requests: "count(*) filter (where status = 'completed')",
  failed_requests: "count(*) filter (where status = 'failed')",
  error_requests: "count(*) filter (where status = 'failed' or http_status >= 400)",
  cache_hit_requests: "count(*) filter (where status = 'completed' and cache_read_tokens > 0)",
  unpriced_requests: 'count(*) filter (where not priced)',
  input_tokens: 'sum(input_tokens)',
  output_tokens: 'sum(output_tokens)',
  cache_read_tokens: 'sum(cache_read_tokens)',
  cache_write_5m_tokens: 'sum(cache_write_5m_tokens)',
  cache_write_1h_tokens: 'sum(cache_write_1h_tokens)',
  reasoning_tokens: 'sum(reasoning_tokens)',
  cost_nano: 'sum(cost_nano)',
  cache_read_cost_nano: 'sum(cache_read_cost_nano)',
  cache_write_cost_nano: 'sum(cache_write_cost_nano)',
  cache_saving_nano: 'sum(cache_saving_nano)',
  cache_surcharge_nano: 'sum(cache_surcharge_nano)',
  charged_nano: 'sum(charged_nano)',
  upstream_cost_nano: 'sum(upstream_cost_nano)',
  duration_ms: 'sum(duration_ms)',
  first_token_ms: 'coalesce(sum(first_token_ms), 0)',
  first_token_requests: 'count(first_token_ms)',
}
const COLUMNS = Object.keys(SUMMED)
export const ROLLUP_COLUMNS: readonly string[] = COLUMNS
const OVER_RECORDS = Object.entries(SUMMED)
  .map(([column, sum]) => `(${sum})::bigint as ${column}`)
  .join(', ')
const OVER_SHARES = COLUMNS.map((column) => `sum(${column})::bigint as ${column}`).join(', ')
const ACCUMULATE = COLUMNS.map((column) => `${column} = rollup.${column} + excluded.${column}`).join(', ')

/** Columns of `fresh`, the records just inserted, that the sums are made of. */
export const SUMMED_FROM = [
  'created_at',
  'user_id',
  'key_id',
  'account_id',
  'group_id',
  'platform',
  'model',
  'billing_type',
  'status',
  'http_status',
  'priced',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'total_tokens',
  'cost_nano',
  'cache_read_cost_nano',
  'cache_write_cost_nano',
  'cache_saving_nano',
  'cache_surcharge_nano',
  'charged_nano',
  'upstream_cost_nano',
  'duration_ms',
  'first_token_ms',
]

/** Hours are UTC; days and months begin at midnight in the time zone `zone` (SQL: a parameter). */
export const sumParts = (zone: string) => `
  share as materialized (
    select user_id, key_id, account_id, group_id, billing_type, platform, model, date_trunc('hour', created_at, 'UTC') as hour,
      (created_at at time zone ${zone})::date as day, max(created_at) as last_used_at,
      sum(total_tokens)::bigint as total_tokens, ${OVER_RECORDS}
    from fresh
    group by user_id, key_id, account_id, group_id, billing_type, platform, model, hour, day
  ),
  totals as (
    insert into usage_totals as total (scope, scope_id, period, requests, failed_requests, total_tokens,
      cost_nano, charged_nano, upstream_cost_nano, last_used_at)
    select scope, scope_id, period, sum(requests), sum(failed_requests), sum(total_tokens),
      sum(cost_nano), sum(charged_nano), sum(upstream_cost_nano), max(last_used_at)
    from share cross join lateral
      (values ${totalOwners("to_char(hour at time zone 'UTC', 'YYYY-MM')")}) as owner (scope, scope_id, period)
    where scope_id is not null
    group by scope, scope_id, period
    order by scope, scope_id, period
    on conflict (scope, scope_id, period) do update set
      requests = total.requests + excluded.requests,
      failed_requests = total.failed_requests + excluded.failed_requests,
      total_tokens = total.total_tokens + excluded.total_tokens,
      cost_nano = total.cost_nano + excluded.cost_nano,
      charged_nano = total.charged_nano + excluded.charged_nano,
      upstream_cost_nano = total.upstream_cost_nano + excluded.upstream_cost_nano,
      last_used_at = greatest(total.last_used_at, excluded.last_used_at)
  ),
  spread as materialized (
    select scope, scope_id, hour, day, platform, model, ${OVER_SHARES}
    from share cross join lateral (values ${ROLLUP_OWNERS}) as owner (scope, scope_id)
    where scope_id is not null
    group by scope, scope_id, hour, day, platform, model
  ),
  hours as (${rollup('usage_hourly', 'hour')}),
  days as (${rollup('usage_daily', 'day')}),
  months as (${rollup('usage_monthly', 'month', "date_trunc('month', day)::date")})`

/** `of`: the bucket of a row of `spread`. */
function rollup(table: string, bucket: string, of = bucket): string {
  return `
    insert into ${table} as rollup (scope, scope_id, ${bucket}, platform, model, ${COLUMNS.join(', ')})
    select scope, scope_id, ${of}, platform, model, ${OVER_SHARES}
    from spread
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
    on conflict (scope, scope_id, ${bucket}, platform, model) do update set ${ACCUMULATE}`
}
