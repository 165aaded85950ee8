/**
 * Subscriptions: a user's right to use a group of billing type `subscription` until a date (BIL-10). The limits are the
 * group's; here are the three windows, which start at first use and renew by themselves (core/subscription).
 */
import { sql } from 'drizzle-orm'
import { index, pgTable, text as textColumn, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, nano, updatedAt, ZERO_NANO } from './columns.ts'
import { choice, id, integer, nullable, text, time, usd } from './field.ts'
import { groups } from './groups.ts'
import { defineCreate, definePatch, defineView, fieldsOf } from './resource.ts'
import { users } from './users.ts'

export const SUBSCRIPTION_STATUSES = ['active', 'revoked'] as const

export const subscriptions = pgTable(
  'subscriptions',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    groupId: uuid('group_id')
      .notNull()
      .references(() => groups.id),
    /** Expired is not a status: it is `expires_at` in the past. */
    status: textColumn('status', { enum: SUBSCRIPTION_STATUSES }).notNull().default('active'),
    startsAt: instant('starts_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    note: textColumn('note').notNull().default(''),
    dailyStartedAt: instant('daily_started_at'),
    dailyUsedNano: nano('daily_used_nano').notNull().default(ZERO_NANO),
    weeklyStartedAt: instant('weekly_started_at'),
    weeklyUsedNano: nano('weekly_used_nano').notNull().default(ZERO_NANO),
    monthlyStartedAt: instant('monthly_started_at'),
    monthlyUsedNano: nano('monthly_used_nano').notNull().default(ZERO_NANO),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // One active subscription of a user to a group: extending it is a patch, not a second one.
    uniqueIndex('subscriptions_active').on(table.userId, table.groupId).where(sql`${table.status} = 'active'`),
    index('subscriptions_group').on(table.groupId),
  ],
)

export type SubscriptionRow = typeof subscriptions.$inferSelect
/** `days`: only in the create body, instead of `expires_at`. */
export type SubscriptionRecord = SubscriptionRow & { days: number }

const at = '2026-07-24T18:23:00.000Z'

const subscriptionFields = fieldsOf<SubscriptionRecord>()({
  id: id('id', { description: 'The subscription’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e16' }),
  user_id: id('userId', { description: 'Who may use the group', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10' }),
  group_id: id('groupId', {
    description: 'A group with billing type subscription',
    example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11',
  }),
  status: choice('status', SUBSCRIPTION_STATUSES, { description: 'revoked: ended by an operator', example: 'active' }),
  starts_at: time('startsAt', { description: 'From when', example: at }),
  expires_at: time('expiresAt', { description: 'Until when', example: at }),
  days: integer('days', {
    description: 'Instead of expires_at: days from starts_at',
    example: 30,
    minimum: 1,
    maximum: 36_500,
  }),
  note: text('note', { description: 'A note for operators', example: 'Paid by invoice 42' }),
  daily_started_at: nullable(
    time('dailyStartedAt', { description: 'Start of the day’s window; null: unused', example: at }),
  ),
  daily_used_usd: usd('dailyUsedNano', { description: 'List-price cost in the day’s window', example: 1.5 }),
  weekly_started_at: nullable(time('weeklyStartedAt', { description: 'Start of the week’s window', example: at })),
  weekly_used_usd: usd('weeklyUsedNano', { description: 'List-price cost in the week’s window', example: 4 }),
  monthly_started_at: nullable(time('monthlyStartedAt', { description: 'Start of the 30 days’ window', example: at })),
  monthly_used_usd: usd('monthlyUsedNano', { description: 'List-price cost in the 30 days’ window', example: 9 }),
  created_at: time('createdAt', { description: 'When it was assigned', example: at }),
  updated_at: time('updatedAt', { description: 'Last edit by an operator', example: at }),
})

export const SubscriptionView = defineView('Subscription', subscriptionFields, [
  'id',
  'user_id',
  'group_id',
  'status',
  'starts_at',
  'expires_at',
  'note',
  'daily_started_at',
  'daily_used_usd',
  'weekly_started_at',
  'weekly_used_usd',
  'monthly_started_at',
  'monthly_used_usd',
  'created_at',
  'updated_at',
])

/** One of `expires_at` and `days`. */
export const SubscriptionCreate = defineCreate('SubscriptionCreate', subscriptionFields, {
  required: ['user_id', 'group_id'],
  optional: ['starts_at', 'expires_at', 'days', 'note'],
})

export const SubscriptionPatch = definePatch('SubscriptionPatch', subscriptionFields, ['expires_at', 'note'])
