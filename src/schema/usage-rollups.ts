/**
 * Sums by hour (UTC), by day and by month (configured time zone), for each user, key, account, group and for all (USE-10). One row a
 * dimension, not a row for every combination: a year of one user is then a few hundred rows however many accounts served
 * it, and reports never touch raw rows (USE-19). Months are for what goes over all users or keys: a year of 500 users is half a million
 * days, but 26,000 months.
 */
import { date, index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant, nano, tally, ZERO_NANO } from './columns.ts'

const ROLLUP_SCOPES = ['all', 'user', 'key', 'account', 'group'] as const
export type RollupScope = (typeof ROLLUP_SCOPES)[number]

const dimensions = {
  scope: text('scope', { enum: ROLLUP_SCOPES }).notNull(),
  /** '' for scope `all`, and for requests without a user, key, account or group. */
  scopeId: text('scope_id').notNull(),
  platform: text('platform').notNull(),
  model: text('model').notNull(),
}

const sums = () => ({
  requests: tally('requests').notNull().default(0),
  completedRequests: tally('completed_requests').notNull().default(0),
  failedRequests: tally('failed_requests').notNull().default(0),
  /** Failed, or answered with a status of 400 or more, as a client that left early is (USE-6). */
  errorRequests: tally('error_requests').notNull().default(0),
  /** Completed requests that read from a cache (USE-16). */
  cacheHitRequests: tally('cache_hit_requests').notNull().default(0),
  unpricedRequests: tally('unpriced_requests').notNull().default(0),
  inputTokens: tally('input_tokens').notNull().default(0),
  outputTokens: tally('output_tokens').notNull().default(0),
  cacheReadTokens: tally('cache_read_tokens').notNull().default(0),
  cacheWrite5mTokens: tally('cache_write_5m_tokens').notNull().default(0),
  cacheWrite1hTokens: tally('cache_write_1h_tokens').notNull().default(0),
  reasoningTokens: tally('reasoning_tokens').notNull().default(0),
  costNano: nano('cost_nano').notNull().default(ZERO_NANO),
  cacheReadCostNano: nano('cache_read_cost_nano').notNull().default(ZERO_NANO),
  cacheWriteCostNano: nano('cache_write_cost_nano').notNull().default(ZERO_NANO),
  cacheSavingNano: nano('cache_saving_nano').notNull().default(ZERO_NANO),
  cacheSurchargeNano: nano('cache_surcharge_nano').notNull().default(ZERO_NANO),
  chargedNano: nano('charged_nano').notNull().default(ZERO_NANO),
  upstreamCostNano: nano('upstream_cost_nano').notNull().default(ZERO_NANO),
  durationMs: tally('duration_ms').notNull().default(0),
  firstTokenMs: tally('first_token_ms').notNull().default(0),
  /** Requests that had a first token: what `first_token_ms` is divided by. */
  firstTokenRequests: tally('first_token_requests').notNull().default(0),
})

export const usageHourly = pgTable(
  'usage_hourly',
  { hour: instant('hour').notNull(), ...dimensions, ...sums() },
  (table) => [
    primaryKey({ columns: [table.scope, table.scopeId, table.hour, table.platform, table.model] }),
    index('usage_hourly_time').on(table.scope, table.hour),
  ],
)

export const usageDaily = pgTable(
  'usage_daily',
  { day: date('day', { mode: 'string' }).notNull(), ...dimensions, ...sums() },
  (table) => [
    primaryKey({ columns: [table.scope, table.scopeId, table.day, table.platform, table.model] }),
    index('usage_daily_time').on(table.scope, table.day),
  ],
)

export const usageMonthly = pgTable(
  'usage_monthly',
  { month: date('month', { mode: 'string' }).notNull(), ...dimensions, ...sums() },
  (table) => [
    primaryKey({ columns: [table.scope, table.scopeId, table.month, table.platform, table.model] }),
    index('usage_monthly_time').on(table.scope, table.month),
  ],
)
/** Names of the summed columns, for queries that group them. */
export const ROLLUP_SUMS = Object.keys(sums()) as (keyof ReturnType<typeof sums>)[]
