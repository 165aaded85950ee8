/**
 * One row a request (USE-1): a Receipt at rest. Partitioned by month on created_at, so that retention is a DROP (USE-18);
 * a request's id is a UUIDv7 made at created_at, so that (id, created_at) is as unique as the id.
 *
 * No foreign keys and few indexes: 500 rows are written at a time, and what they point to is never hard-deleted.
 */
import { sql } from 'drizzle-orm'
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { PLATFORMS, PROTOCOL_IDS } from '../core/platform.ts'
import {
  type Attempt,
  BILLING_TYPES,
  type ChoiceExplained,
  METERINGS,
  type PriceUsed,
  REQUEST_STATUSES,
} from '../core/receipt.ts'
import type { IterationUsage, Usage } from '../core/usage.ts'
import { instant, nano, tally, ZERO_NANO } from './columns.ts'

/** Parts of the token leaves that few requests have; stored only when one is not 0, and only those. */
export const TOKEN_PARTS = [
  'inputAudio',
  'inputImage',
  'cacheReadAudio',
  'outputAudio',
  'outputImage',
  'webSearches',
] as const satisfies (keyof Usage)[]
export type TokenParts = Partial<Pick<Usage, (typeof TOKEN_PARTS)[number]>>

export const usageRecords = pgTable(
  'usage_records',
  {
    id: uuid('id').notNull(),
    createdAt: instant('created_at').notNull(),
    finishedAt: instant('finished_at').notNull(),
    userId: uuid('user_id'),
    keyId: uuid('key_id'),
    accountId: uuid('account_id'),
    groupId: uuid('group_id'),
    subscriptionId: uuid('subscription_id'),
    platform: text('platform', { enum: PLATFORMS }).notNull(),
    protocol: text('protocol', { enum: PROTOCOL_IDS }).notNull(),
    endpoint: text('endpoint').notNull(),
    model: text('model').notNull(),
    upstreamModel: text('upstream_model'),
    inputTokens: tally('input_tokens').notNull(),
    outputTokens: tally('output_tokens').notNull(),
    cacheReadTokens: tally('cache_read_tokens').notNull(),
    cacheWrite5mTokens: tally('cache_write_5m_tokens').notNull(),
    cacheWrite1hTokens: tally('cache_write_1h_tokens').notNull(),
    reasoningTokens: tally('reasoning_tokens').notNull(),
    /** Sum of the five disjoint leaves. */
    totalTokens: tally('total_tokens').notNull(),
    tokenParts: jsonb('token_parts').$type<TokenParts>(),
    iterations: jsonb('iterations').$type<IterationUsage[]>(),
    inputCostNano: nano('input_cost_nano').notNull(),
    outputCostNano: nano('output_cost_nano').notNull(),
    cacheWriteCostNano: nano('cache_write_cost_nano').notNull(),
    cacheReadCostNano: nano('cache_read_cost_nano').notNull(),
    requestCostNano: nano('request_cost_nano').notNull(),
    costNano: nano('cost_nano').notNull(),
    chargedNano: nano('charged_nano').notNull(),
    upstreamCostNano: nano('upstream_cost_nano').notNull(),
    /** At list price, worked out with the costs: what the rates in `price_used` no longer tell of kinds that did not occur (USE-16). */
    cacheSavingNano: nano('cache_saving_nano').notNull().default(ZERO_NANO),
    cacheSurchargeNano: nano('cache_surcharge_nano').notNull().default(ZERO_NANO),
    priced: boolean('priced').notNull(),
    priceUsed: jsonb('price_used').$type<PriceUsed>(),
    metering: text('metering', { enum: METERINGS }).notNull(),
    billingType: text('billing_type', { enum: BILLING_TYPES }).notNull(),
    stream: boolean('stream').notNull(),
    status: text('status', { enum: REQUEST_STATUSES }).notNull(),
    httpStatus: integer('http_status'),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    upstreamRequestId: text('upstream_request_id'),
    durationMs: integer('duration_ms').notNull(),
    firstTokenMs: integer('first_token_ms'),
    attempts: jsonb('attempts').$type<Attempt[]>().notNull(),
    choice: jsonb('choice').$type<ChoiceExplained>(),
    serviceTier: text('service_tier'),
    /** Words of the response that may multiply the token prices; null: none. */
    uplifts: jsonb('uplifts').$type<string[]>(),
    userAgent: text('user_agent'),
    clientIp: text('client_ip'),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.createdAt] }),
    // The list is always newest first; alone, or of one user, key or account (USE-11).
    index('usage_records_time').on(table.createdAt, table.id),
    index('usage_records_user').on(table.userId, table.createdAt, table.id),
    index('usage_records_key').on(table.keyId, table.createdAt, table.id),
    index('usage_records_account').on(table.accountId, table.createdAt, table.id),
    // Repricing looks for the few without a price (BIL-3).
    index('usage_records_unpriced').on(table.createdAt).where(sql`not ${table.priced}`),
  ],
)

export type UsageRecordRow = typeof usageRecords.$inferSelect
/** As reports show it: the key by its name, also when it was deleted since (KEY-12). */
export type NamedUsageRecord = UsageRecordRow & { keyName: string | null }
