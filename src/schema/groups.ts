/** Groups: which accounts serve a key, at what multiplier and within which limits (ACC-12). */
import { Type } from '@sinclair/typebox'
import { sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  boolean,
  index,
  pgTable,
  primaryKey,
  text as textColumn,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { PLATFORMS } from '../core/platform.ts'
import { createdAt, deletedAt, micro, nano, updatedAt } from './columns.ts'
import { choice, count, flag, id, json, multiplier, nullable, text, time, UUID_PATTERN, usd } from './field.ts'
import { defineCreate, definePatch, defineView, fieldsOf } from './resource.ts'
import type { UsageSums } from './usage-totals.ts'
import { SWITCH, users } from './users.ts'

const GROUP_BILLING_TYPES = ['standard', 'subscription'] as const

export const groups = pgTable(
  'groups',
  {
    id: uuid('id').primaryKey(),
    name: textColumn('name').notNull(),
    description: textColumn('description').notNull().default(''),
    platform: textColumn('platform', { enum: PLATFORMS }).notNull(),
    status: textColumn('status', { enum: SWITCH }).notNull().default('active'),
    billingType: textColumn('billing_type', { enum: GROUP_BILLING_TYPES }).notNull().default('standard'),
    rateMultiplier: micro('rate_multiplier').notNull().default(1_000_000),
    dailyLimitNano: nano('daily_limit_nano'),
    weeklyLimitNano: nano('weekly_limit_nano'),
    monthlyLimitNano: nano('monthly_limit_nano'),
    exclusive: boolean('exclusive').notNull().default(false),
    fallbackGroupId: uuid('fallback_group_id').references((): AnyPgColumn => groups.id),
    isDefault: boolean('is_default').notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: deletedAt(),
  },
  (table) => [
    uniqueIndex('groups_name').on(table.name).where(sql`${table.deletedAt} is null`),
    // One default group a platform, whatever an operator renamed it to: starting again makes no second (ACC-12).
    uniqueIndex('groups_default').on(table.platform).where(sql`${table.isDefault} and ${table.deletedAt} is null`),
  ],
)

/** Users who may use an exclusive group. */
export const groupUsers = pgTable(
  'group_users',
  {
    groupId: uuid('group_id')
      .notNull()
      .references(() => groups.id, { onDelete: 'cascade' }),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
  },
  (table) => [primaryKey({ columns: [table.groupId, table.userId] }), index('group_users_user').on(table.userId)],
)

export type GroupRow = typeof groups.$inferSelect
export type GroupRecord = GroupRow & UsageSums & { userIds: string[] }

const LIMIT = 'list-price cost of one subscription; null: no limit'

const groupFields = fieldsOf<GroupRecord>()({
  id: id('id', { description: 'The group’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11' }),
  name: text('name', { description: 'Unique name', example: 'team-openai', minLength: 1, maxLength: 100 }),
  description: text('description', { description: 'A note for operators', example: 'Research team' }),
  platform: choice('platform', PLATFORMS, { description: 'Platform of its accounts', example: 'openai' }),
  status: choice('status', SWITCH, { description: 'Keys of a disabled group are refused', example: 'active' }),
  billing_type: choice('billingType', GROUP_BILLING_TYPES, {
    description: 'standard: the user’s balance pays; subscription: limits of a subscription (BIL-10)',
    example: 'standard',
  }),
  rate_multiplier: multiplier('rateMultiplier', { description: 'charged = cost × this (BIL-6)', example: 1.5 }),
  daily_limit_usd: nullable(usd('dailyLimitNano', { description: `Most a day: ${LIMIT}`, example: 10 })),
  weekly_limit_usd: nullable(usd('weeklyLimitNano', { description: `Most a week: ${LIMIT}`, example: 50 })),
  monthly_limit_usd: nullable(usd('monthlyLimitNano', { description: `Most in 30 days: ${LIMIT}`, example: 150 })),
  exclusive: flag('exclusive', { description: 'Only the users in user_ids may use it', example: false }),
  user_ids: json(
    'userIds',
    Type.Array(Type.String({ pattern: UUID_PATTERN }), { uniqueItems: true, maxItems: 10_000 }),
    {
      description: 'Users of an exclusive group',
      example: [],
    },
  ),
  fallback_group_id: nullable(
    id('fallbackGroupId', {
      description: 'Group that serves when this one has no account left; of the same platform',
      example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e12',
    }),
  ),
  is_default: flag('isDefault', { description: 'Serves keys without a group (ACC-12)', example: false }),
  request_count: count('requests', { description: 'Requests recorded for the group so far', example: 128 }),
  cost_usd: usd('costNano', { description: 'List-price cost so far', example: 12.5 }),
  created_at: time('createdAt', { description: 'When the group was made', example: '2026-07-01T09:00:00.000Z' }),
  updated_at: time('updatedAt', { description: 'Last edit by an operator', example: '2026-07-01T09:00:00.000Z' }),
})

export const GroupView = defineView('Group', groupFields, [
  'id',
  'name',
  'description',
  'platform',
  'status',
  'billing_type',
  'rate_multiplier',
  'daily_limit_usd',
  'weekly_limit_usd',
  'monthly_limit_usd',
  'exclusive',
  'user_ids',
  'fallback_group_id',
  'is_default',
  'request_count',
  'cost_usd',
  'created_at',
  'updated_at',
])

export const GroupCreate = defineCreate('GroupCreate', groupFields, {
  required: ['name', 'platform'],
  optional: [
    'description',
    'status',
    'billing_type',
    'rate_multiplier',
    'daily_limit_usd',
    'weekly_limit_usd',
    'monthly_limit_usd',
    'exclusive',
    'user_ids',
    'fallback_group_id',
  ],
})

/** The platform stays: accounts and keys of the group were chosen by it. */
export const GroupPatch = definePatch('GroupPatch', groupFields, [
  'name',
  'description',
  'status',
  'billing_type',
  'rate_multiplier',
  'daily_limit_usd',
  'weekly_limit_usd',
  'monthly_limit_usd',
  'exclusive',
  'user_ids',
  'fallback_group_id',
])
