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

export async function addToTotals(sql: SqlTransaction, batch: Batch): Promise<void> {
  await sql`
    insert into usage_totals as total (scope, scope_id, period, requests, failed_requests, total_tokens,
      cost_nano, charged_nano, upstream_cost_nano, last_used_at)
    select scope, scope_id, period, count(*), count(*) filter (where status = 'failed'), sum(total_tokens),
      sum(cost_nano), sum(charged_nano), sum(upstream_cost_nano), max(created_at)
    from usage_records cross join lateral (values
      ('user', case when billing_type <> 'key' then user_id::text end, ''),
      ('key', key_id::text, ''),
      ('account', account_id::text, ''),
      ('account', account_id::text, to_char(created_at at time zone 'UTC', 'YYYY-MM')),
      ('group', group_id::text, ''),
      ('model', model, '')
    ) as owner (scope, scope_id, period)
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

/** Hours are UTC; days begin at midnight in `timeZone`. */
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
}

const SUMMED = [
  'requests',
  'completed_requests',
  'failed_requests',
  'cache_hit_requests',
  'unpriced_requests',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'cost_nano',
  'cache_read_cost_nano',
  'cache_write_cost_nano',
  'charged_nano',
  'upstream_cost_nano',
  'duration_ms',
  'first_token_ms',
  'first_token_requests',
] as const

const ACCUMULATE = SUMMED.map((column) => `${column} = rollup.${column} + excluded.${column}`).join(', ')

interface Rollup {
  table: 'usage_hourly' | 'usage_daily'
  bucket: 'hour' | 'day'
  expression: ReturnType<SqlTransaction>
}

async function addToRollup(sql: SqlTransaction, batch: Batch, { table, bucket, expression }: Rollup): Promise<void> {
  await sql`
    insert into ${sql(table)} as rollup (scope, scope_id, ${sql(bucket)}, platform, model, ${sql.unsafe(SUMMED.join(', '))})
    select scope, scope_id, bucket, platform, model, count(*),
      count(*) filter (where status = 'completed'), count(*) filter (where status = 'failed'),
      count(*) filter (where cache_read_tokens > 0), count(*) filter (where not priced),
      sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
      sum(cache_write_1h_tokens), sum(reasoning_tokens), sum(cost_nano), sum(cache_read_cost_nano),
      sum(cache_write_cost_nano), sum(charged_nano), sum(upstream_cost_nano), sum(duration_ms),
      coalesce(sum(first_token_ms), 0), count(first_token_ms)
    from (select *, ${expression} as bucket from usage_records where ${inBatch(sql, batch)}) as record
    cross join lateral (values
      ('all', ''),
      ('user', case when billing_type <> 'key' then user_id::text end),
      ('key', key_id::text),
      ('account', account_id::text),
      ('group', group_id::text)
    ) as owner (scope, scope_id)
    where scope_id is not null
    group by scope, scope_id, bucket, platform, model
    order by scope, scope_id, bucket, platform, model
    on conflict (scope, scope_id, ${sql(bucket)}, platform, model) do update set ${sql.unsafe(ACCUMULATE)}`
}
