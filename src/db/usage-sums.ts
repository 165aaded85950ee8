/**
 * Adds records that have just been inserted to the totals (BIL-12) and rollups (USE-10), in the same transaction. The sums are
 * made by the database, of the very rows that it inserted: nothing is counted in two places.
 *
 * Rows are upserted in the order of their keys, so that flushes of several instances wait for each other instead of
 * deadlocking. A standalone key pays for itself: its requests do not move its creator's sums (BIL-10).
 */
import type { SqlTransaction } from './client.ts'

/** The records to add: inserted by this transaction, so that nobody else can have added them. */
export interface Batch {
  ids: readonly string[]
  /** Oldest and newest creation time: which partitions to look in. */
  from: Date
  to: Date
}

export function inBatch(sql: SqlTransaction, { ids, from, to }: Batch) {
  return sql`usage_records.created_at between ${from} and ${to}
    and usage_records.id = any(string_to_array(${ids.join(',')}::text, ',')::uuid[])`
}

/** Whose totals a record counts in: scope, id, period. Repricing (./reprice-sums.ts) must move the same. */
export const TOTAL_OWNERS = `
  ('user', case when billing_type <> 'key' then user_id::text end, ''),
  ('key', key_id::text, ''),
  ('account', account_id::text, ''),
  ('account', account_id::text, to_char(created_at at time zone 'UTC', 'YYYY-MM')),
  ('group', group_id::text, ''),
  ('model', model, '')`

/** Whose rollups: scope and id. */
export const ROLLUP_OWNERS = `
  ('all', ''),
  ('user', case when billing_type <> 'key' then user_id::text end),
  ('key', key_id::text),
  ('account', account_id::text),
  ('group', group_id::text)`

export async function addToTotals(sql: SqlTransaction, batch: Batch): Promise<void> {
  await sql`
    insert into usage_totals as total (scope, scope_id, period, requests, failed_requests, total_tokens,
      cost_nano, charged_nano, upstream_cost_nano, last_used_at)
    select scope, scope_id, period, count(*), count(*) filter (where status = 'failed'), sum(total_tokens),
      sum(cost_nano), sum(charged_nano), sum(upstream_cost_nano), max(created_at)
    from usage_records cross join lateral (values ${sql.unsafe(TOTAL_OWNERS)}) as owner (scope, scope_id, period)
    where ${inBatch(sql, batch)} and scope_id is not null
    group by scope, scope_id, period
    order by scope, scope_id, period
    on conflict (scope, scope_id, period) do update set
      requests = total.requests + excluded.requests,
      failed_requests = total.failed_requests + excluded.failed_requests,
      total_tokens = total.total_tokens + excluded.total_tokens,
      cost_nano = total.cost_nano + excluded.cost_nano,
      charged_nano = total.charged_nano + excluded.charged_nano,
      upstream_cost_nano = total.upstream_cost_nano + excluded.upstream_cost_nano,
      last_used_at = greatest(total.last_used_at, excluded.last_used_at)`
}

/** Hours are UTC; days and months begin at midnight in `timeZone`. */
export async function addToRollups(sql: SqlTransaction, batch: Batch, timeZone: string): Promise<void> {
  await addToRollup(sql, batch, {
    table: 'usage_hourly',
    bucket: 'hour',
    expression: sql`date_trunc('hour', created_at, 'UTC')`,
  })
  await addToRollup(sql, batch, {
    table: 'usage_daily',
    bucket: 'day',
    expression: sql`(created_at at time zone ${timeZone}::text)::date`,
  })
  await addToRollup(sql, batch, {
    table: 'usage_monthly',
    bucket: 'month',
    expression: sql`date_trunc('month', created_at at time zone ${timeZone}::text)::date`,
  })
}

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
const OVER_RECORDS = Object.entries(SUMMED)
  .map(([column, sum]) => `(${sum})::bigint as ${column}`)
  .join(', ')
const OVER_SHARES = COLUMNS.map((column) => `sum(${column})`).join(', ')
const ACCUMULATE = COLUMNS.map((column) => `${column} = rollup.${column} + excluded.${column}`).join(', ')

interface Rollup {
  table: 'usage_hourly' | 'usage_daily' | 'usage_monthly'
  bucket: 'hour' | 'day' | 'month'
  expression: ReturnType<SqlTransaction>
}

/**
 * In two steps: first the records of one user, key, account, group and model are added up, then each such sum is given to its
 * five scopes. A batch has far fewer of them than records, because one client's requests come together.
 */
async function addToRollup(sql: SqlTransaction, batch: Batch, { table, bucket, expression }: Rollup): Promise<void> {
  await sql`
    insert into ${sql(table)} as rollup (scope, scope_id, ${sql(bucket)}, platform, model, ${sql.unsafe(COLUMNS.join(', '))})
    select scope, scope_id, bucket, platform, model, ${sql.unsafe(OVER_SHARES)}
    from (
      select user_id, key_id, account_id, group_id, billing_type, platform, model, ${expression} as bucket,
        ${sql.unsafe(OVER_RECORDS)}
      from usage_records where ${inBatch(sql, batch)}
      group by user_id, key_id, account_id, group_id, billing_type, platform, model, bucket
    ) as share
    cross join lateral (values ${sql.unsafe(ROLLUP_OWNERS)}) as owner (scope, scope_id)
    where scope_id is not null
    group by scope, scope_id, bucket, platform, model
    order by scope, scope_id, bucket, platform, model
    on conflict (scope, scope_id, ${sql(bucket)}, platform, model) do update set ${sql.unsafe(ACCUMULATE)}`
}
