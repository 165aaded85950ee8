/**
 * API keys, with every field of KEY-5. The key itself is never stored: only its HMAC-SHA256 under the server's pepper, and
 * its first and last characters to recognise it by (KEY-1). What it used is in usage_totals (KEY-10).
 */
import { sql } from 'drizzle-orm'
import {
  boolean,
  index,
  integer as integerColumn,
  jsonb,
  pgTable,
  text as textColumn,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { Permission } from '../core/entities.ts'
import type { WindowView } from '../core/limit.ts'
import type { Platform } from '../core/platform.ts'
import { createdAt, deletedAt, instant, nano, tally, updatedAt, ZERO_NANO } from './columns.ts'
import { groups } from './groups.ts'
import type { UsageSums } from './usage-totals.ts'
import { users } from './users.ts'

export const MODEL_RESTRICTIONS = ['off', 'allow', 'deny'] as const
export const DISCONNECT_MODES = ['drain', 'abort'] as const

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey(),
    name: textColumn('name').notNull(),
    description: textColumn('description').notNull().default(''),
    userId: uuid('user_id').references(() => users.id),
    groupId: uuid('group_id').references(() => groups.id),
    tags: jsonb('tags').$type<string[]>().notNull().default([]),
    /** HMAC-SHA256 in hex, see lib/hash-api-key. */
    keyHash: textColumn('key_hash').notNull(),
    keyPrefix: textColumn('key_prefix').notNull(),
    keyLast4: textColumn('key_last4').notNull(),
    /** The hash before the last rotation, good until the grace period is over (KEY-10). */
    previousKeyHash: textColumn('previous_key_hash'),
    previousKeyExpiresAt: instant('previous_key_expires_at'),
    active: boolean('active').notNull().default(true),
    expiresAt: instant('expires_at'),
    expiresAfterDays: integerColumn('expires_after_days'),
    permissions: jsonb('permissions').$type<Permission[]>().notNull().default(['all']),
    tokenLimit: tally('token_limit').notNull().default(0),
    concurrencyLimit: integerColumn('concurrency_limit').notNull().default(0),
    rateLimitWindowMinutes: integerColumn('rate_limit_window_minutes').notNull().default(0),
    rateLimitRequests: integerColumn('rate_limit_requests').notNull().default(0),
    rateLimitTokens: tally('rate_limit_tokens').notNull().default(0),
    rateLimitCostNano: nano('rate_limit_cost_nano').notNull().default(ZERO_NANO),
    rpm: integerColumn('rpm').notNull().default(0),
    tpm: integerColumn('tpm').notNull().default(0),
    dailyCostLimitNano: nano('daily_cost_limit_nano').notNull().default(ZERO_NANO),
    weeklyCostLimitNano: nano('weekly_cost_limit_nano').notNull().default(ZERO_NANO),
    totalCostLimitNano: nano('total_cost_limit_nano').notNull().default(ZERO_NANO),
    modelRestriction: textColumn('model_restriction', { enum: MODEL_RESTRICTIONS }).notNull().default('off'),
    models: jsonb('models').$type<string[]>().notNull().default([]),
    clientRestriction: boolean('client_restriction').notNull().default(false),
    clients: jsonb('clients').$type<string[]>().notNull().default([]),
    ipAllow: jsonb('ip_allow').$type<string[]>().notNull().default([]),
    ipDeny: jsonb('ip_deny').$type<string[]>().notNull().default([]),
    boundAccounts: jsonb('bound_accounts').$type<Partial<Record<Platform, string>>>().notNull().default({}),
    standalone: boolean('standalone').notNull().default(false),
    balanceNano: nano('balance_nano').notNull().default(ZERO_NANO),
    onClientDisconnect: textColumn('on_client_disconnect', { enum: DISCONNECT_MODES }),
    sseKeepaliveSeconds: integerColumn('sse_keepalive_seconds'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: deletedAt(),
  },
  (table) => [
    uniqueIndex('api_keys_hash').on(table.keyHash).where(sql`${table.deletedAt} is null`),
    index('api_keys_user').on(table.userId),
    index('api_keys_group').on(table.groupId),
    // The expiry job (KEY-11) looks for the few that are about to expire, not through all.
    index('api_keys_expiry').on(table.expiresAt).where(sql`${table.active} and ${table.expiresAt} is not null`),
  ],
)

export type ApiKeyRow = typeof apiKeys.$inferSelect
export type ApiKeyRecord = ApiKeyRow & UsageSums

/** A key as operators are shown it: with what the counters know of it at this moment, which no database does. */
export type LiveApiKey = ApiKeyRecord & {
  /** Null: it has no rate-limit window (KEY-6). */
  window: WindowView | null
  /** Requests under way; null: not counted. */
  concurrency: number | null
}
