/** Totals and rollups move by what repricing changed (BIL-12), in its transaction; whose they are is told in ./usage-sums.ts. */
import { type SQL, sql } from 'drizzle-orm'
import type { Nano } from '../core/money.ts'
import type { UsageRecordRow } from '../schema/usage-records.ts'
import type { Db } from './client.ts'
import { ROLLUP_OWNERS, totalOwners } from './usage-sums.ts'

export interface Difference {
  record: UsageRecordRow
  costNano: Nano
  cacheReadCostNano: Nano
  cacheWriteCostNano: Nano
  cacheSavingNano: Nano
  cacheSurchargeNano: Nano
  chargedNano: Nano
  upstreamCostNano: Nano
}

export async function addDifferences(db: Db, differences: readonly Difference[], timeZone: string): Promise<void> {
  const source = toSource(differences)
  await addToTotals(db, source)
  await addToRollup(db, source, {
    table: 'usage_hourly',
    bucket: 'hour',
    expression: sql`date_trunc('hour', created_at, 'UTC')`,
  })
  await addToRollup(db, source, {
    table: 'usage_daily',
    bucket: 'day',
    expression: sql`(created_at at time zone ${timeZone}::text)::date`,
  })
  await addToRollup(db, source, {
    table: 'usage_monthly',
    bucket: 'month',
    expression: sql`date_trunc('month', created_at at time zone ${timeZone}::text)::date`,
  })
}

/** The differences as rows that have the columns of their records. */
function toSource(differences: readonly Difference[]): SQL {
  const rows = differences.map(({ record, ...difference }) => ({
    created_at: record.createdAt,
    user_id: record.userId,
    key_id: record.keyId,
    account_id: record.accountId,
    group_id: record.groupId,
    platform: record.platform,
    model: record.model,
    billing_type: record.billingType,
    cost_nano: String(difference.costNano),
    cache_read_cost_nano: String(difference.cacheReadCostNano),
    cache_write_cost_nano: String(difference.cacheWriteCostNano),
    cache_saving_nano: String(difference.cacheSavingNano),
    cache_surcharge_nano: String(difference.cacheSurchargeNano),
    charged_nano: String(difference.chargedNano),
    upstream_cost_nano: String(difference.upstreamCostNano),
  }))
  return sql`json_to_recordset(${JSON.stringify(rows)}::text::json) as difference (created_at timestamptz, user_id uuid,
    key_id uuid, account_id uuid, group_id uuid, platform text, model text, billing_type text, cost_nano bigint,
    cache_read_cost_nano bigint, cache_write_cost_nano bigint, cache_saving_nano bigint,
    cache_surcharge_nano bigint, charged_nano bigint, upstream_cost_nano bigint)`
}

const MONTH = "to_char(created_at at time zone 'UTC', 'YYYY-MM')"

async function addToTotals(db: Db, source: SQL): Promise<void> {
  await db.execute(sql`
    insert into usage_totals as total (scope, scope_id, period, cost_nano, charged_nano, upstream_cost_nano)
    select scope, scope_id, period, sum(cost_nano), sum(charged_nano), sum(upstream_cost_nano)
    from ${source} cross join lateral (values ${sql.raw(totalOwners(MONTH))}) as owner (scope, scope_id, period)
    where scope_id is not null
    group by scope, scope_id, period
    order by scope, scope_id, period
    on conflict (scope, scope_id, period) do update set
      cost_nano = total.cost_nano + excluded.cost_nano,
      charged_nano = total.charged_nano + excluded.charged_nano,
      upstream_cost_nano = total.upstream_cost_nano + excluded.upstream_cost_nano`)
}

interface Rollup {
  table: 'usage_hourly' | 'usage_daily' | 'usage_monthly'
  bucket: 'hour' | 'day' | 'month'
  expression: SQL
}

async function addToRollup(db: Db, source: SQL, { table, bucket, expression }: Rollup): Promise<void> {
  const [into, column] = [sql.identifier(table), sql.identifier(bucket)]
  await db.execute(sql`
    insert into ${into} as rollup (scope, scope_id, ${column}, platform, model, unpriced_requests, cost_nano,
      cache_read_cost_nano, cache_write_cost_nano, cache_saving_nano, cache_surcharge_nano, charged_nano, upstream_cost_nano)
    select scope, scope_id, ${expression} as bucket, platform, model, -count(*), sum(cost_nano),
      sum(cache_read_cost_nano), sum(cache_write_cost_nano), sum(cache_saving_nano), sum(cache_surcharge_nano),
      sum(charged_nano), sum(upstream_cost_nano)
    from ${source} cross join lateral (values ${sql.raw(ROLLUP_OWNERS)}) as owner (scope, scope_id)
    where scope_id is not null
    group by scope, scope_id, bucket, platform, model
    order by scope, scope_id, bucket, platform, model
    on conflict (scope, scope_id, ${column}, platform, model) do update set
      unpriced_requests = rollup.unpriced_requests + excluded.unpriced_requests,
      cost_nano = rollup.cost_nano + excluded.cost_nano,
      cache_read_cost_nano = rollup.cache_read_cost_nano + excluded.cache_read_cost_nano,
      cache_write_cost_nano = rollup.cache_write_cost_nano + excluded.cache_write_cost_nano,
      cache_saving_nano = rollup.cache_saving_nano + excluded.cache_saving_nano,
      cache_surcharge_nano = rollup.cache_surcharge_nano + excluded.cache_surcharge_nano,
      charged_nano = rollup.charged_nano + excluded.charged_nano,
      upstream_cost_nano = rollup.upstream_cost_nano + excluded.upstream_cost_nano`)
}
