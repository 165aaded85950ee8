/** Upstream accounts: one credential at one platform, as an operator set it up (ACC). Counters and last use are in usage_totals. */
import { Type } from '@sinclair/typebox'
import { sql } from 'drizzle-orm'
import {
  boolean,
  index,
  integer as integerColumn,
  jsonb,
  pgTable,
  primaryKey,
  text as textColumn,
  uuid,
} from 'drizzle-orm/pg-core'
import { ACCOUNT_TYPES, PLATFORMS } from '../core/platform.ts'
import { CredentialHint } from './account-credentials.ts'
import { createdAt, deletedAt, instant, micro, updatedAt } from './columns.ts'
import {
  choice,
  count,
  flag,
  id,
  integer,
  json,
  multiplier,
  nullable,
  seconds,
  text,
  time,
  UUID_PATTERN,
  usd,
} from './field.ts'
import { groups } from './groups.ts'
import { proxies } from './proxies.ts'
import { fieldsOf } from './resource.ts'
import type { UsageSums } from './usage-totals.ts'

export const ACCOUNT_STATUSES = ['active', 'disabled', 'error'] as const

export const accounts = pgTable(
  'accounts',
  {
    id: uuid('id').primaryKey(),
    name: textColumn('name').notNull(),
    description: textColumn('description').notNull().default(''),
    platform: textColumn('platform', { enum: PLATFORMS }).notNull(),
    type: textColumn('type', { enum: ACCOUNT_TYPES }).notNull(),
    /** Sealed JSON of core's AccountCredentials (lib/secretbox); empty once the account is deleted. */
    sealedCredentials: textColumn('sealed_credentials').notNull(),
    credentialHint: jsonb('credential_hint').$type<CredentialHint>().notNull().default({}),
    status: textColumn('status', { enum: ACCOUNT_STATUSES }).notNull().default('active'),
    schedulable: boolean('schedulable').notNull().default(true),
    priority: integerColumn('priority').notNull().default(50),
    concurrency: integerColumn('concurrency').notNull().default(0),
    modelMapping: jsonb('model_mapping').$type<Record<string, string>>().notNull().default({}),
    proxyId: uuid('proxy_id').references(() => proxies.id),
    rateMultiplier: micro('rate_multiplier').notNull().default(1_000_000),
    freeTier: boolean('free_tier').notNull().default(false),
    customErrorCodes: jsonb('custom_error_codes').$type<number[]>(),
    expiresAt: instant('expires_at'),
    rateLimitedUntil: instant('rate_limited_until'),
    overloadedUntil: instant('overloaded_until'),
    unschedulableUntil: instant('unschedulable_until'),
    firstByteTimeoutMs: integerColumn('first_byte_timeout_ms'),
    streamIdleTimeoutMs: integerColumn('stream_idle_timeout_ms'),
    requestTimeoutMs: integerColumn('request_timeout_ms'),
    errorMessage: textColumn('error_message'),
    /** What the provider says about itself: usage windows (`codex_…`, ACC-11). */
    extra: jsonb('extra').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: deletedAt(),
  },
  (table) => [index('accounts_platform').on(table.platform, table.id).where(sql`${table.deletedAt} is null`)],
)

export const accountGroups = pgTable(
  'account_groups',
  {
    accountId: uuid('account_id')
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    groupId: uuid('group_id')
      .notNull()
      .references(() => groups.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.accountId, table.groupId] }),
    index('account_groups_group').on(table.groupId),
  ],
)

export type AccountRow = typeof accounts.$inferSelect
/** An account with its groups, its totals, and those of this month (BIL-12). */
export type AccountRecord = AccountRow &
  UsageSums & { groupIds: string[]; monthRequests: number; monthUpstreamCostNano: bigint }

const time0 = '2026-07-24T18:23:00.000Z'
const StatusCodes = Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { uniqueItems: true, maxItems: 100 })

export const accountFields = fieldsOf<AccountRecord>()({
  id: id('id', { description: 'The account’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e14' }),
  name: text('name', { description: 'Name for operators', example: 'openai-main', minLength: 1, maxLength: 200 }),
  description: text('description', { description: 'A note for operators', example: 'Paid by research' }),
  platform: choice('platform', PLATFORMS, { description: 'Platform that it belongs to', example: 'openai' }),
  type: choice('type', ACCOUNT_TYPES, { description: 'How it signs in', example: 'api_key' }),
  credentials: json('credentialHint', CredentialHint, {
    description: 'Masked: secrets show their last four characters',
    example: { api_key: '…a1b2', base_url: 'https://api.example.com/v1' },
  }),
  status: choice('status', ACCOUNT_STATUSES, {
    description: 'error: the provider refused it for good',
    example: 'active',
  }),
  schedulable: flag('schedulable', { description: 'May it be chosen?', example: true }),
  priority: integer('priority', { description: 'Lower is tried first (ACC-3)', example: 50 }),
  concurrency: integer('concurrency', { description: 'Requests at a time; 0: no limit (ACC-7)', example: 0 }),
  model_mapping: json(
    'modelMapping',
    Type.Record(Type.String({ minLength: 1, maxLength: 300 }), Type.String({ minLength: 1, maxLength: 300 })),
    { description: 'Requested model → upstream model; names may end in * (ACC-2)', example: { 'gpt-4o*': 'gpt-4o' } },
  ),
  proxy_id: nullable(
    id('proxyId', { description: 'Proxy for its traffic', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e13' }),
  ),
  group_ids: json(
    'groupIds',
    Type.Array(Type.String({ pattern: UUID_PATTERN }), { uniqueItems: true, maxItems: 1000 }),
    {
      description: 'Groups that it serves; none at creation: the platform’s default group',
      example: ['01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11'],
    },
  ),
  rate_multiplier: multiplier('rateMultiplier', { description: 'upstream_cost = cost × this (BIL-6)', example: 1 }),
  free_tier: flag('freeTier', { description: 'Costs the operator nothing (BIL-6)', example: false }),
  custom_error_codes: nullable(
    json('customErrorCodes', StatusCodes, {
      description: 'Only these statuses act on the account (ACC-9)',
      example: [401, 429],
    }),
  ),
  expires_at: nullable(time('expiresAt', { description: 'Not chosen from then on', example: time0 })),
  rate_limited_until: nullable(time('rateLimitedUntil', { description: 'Cooling down after 429', example: time0 })),
  overloaded_until: nullable(time('overloadedUntil', { description: 'Cooling down after 529', example: time0 })),
  unschedulable_until: nullable(time('unschedulableUntil', { description: 'Paused until then', example: time0 })),
  first_byte_timeout: nullable(
    seconds('firstByteTimeoutMs', { description: 'Seconds; null: the setting (REL-15)', example: 600 }),
  ),
  stream_idle_timeout: nullable(
    seconds('streamIdleTimeoutMs', { description: 'Seconds; null: the setting (REL-15)', example: 300 }),
  ),
  request_timeout: nullable(
    seconds('requestTimeoutMs', { description: 'Seconds; null: the setting (REL-15)', example: 3600 }),
  ),
  error_message: nullable(text('errorMessage', { description: 'Why its status is error', example: 'invalid_grant' })),
  extra: json('extra', Type.Record(Type.String(), Type.Unknown()), {
    description: 'What the provider reports: usage windows (ACC-11)',
    example: { codex_5h_used_percent: 12.5 },
  }),
  request_count: count('requests', { description: 'Requests served so far', example: 128 }),
  month_request_count: count('monthRequests', { description: 'Requests served this month (UTC)', example: 12 }),
  upstream_cost_usd: usd('upstreamCostNano', { description: 'What it cost the operator so far', example: 12.5 }),
  month_upstream_cost_usd: usd('monthUpstreamCostNano', { description: 'The same, this month (UTC)', example: 1.25 }),
  last_used_at: nullable(time('lastUsedAt', { description: 'Newest request (ACC-14)', example: time0 })),
  created_at: time('createdAt', { description: 'When the account was added', example: time0 }),
  updated_at: time('updatedAt', { description: 'Last edit', example: time0 }),
})
