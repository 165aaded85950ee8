/** Users: who keys belong to, and who pays (BIL-10). What they used is in usage_totals; the balance moves only with the ledger (BIL-11). */
import { sql } from 'drizzle-orm'
import { pgTable, text as textColumn, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, deletedAt, nano, updatedAt, ZERO_NANO } from './columns.ts'
import { choice, count, id, nullable, text, time, usd } from './field.ts'
import { defineCreate, definePatch, defineView, fieldsOf } from './resource.ts'
import type { UsageSums } from './usage-totals.ts'

export const USER_ROLES = ['user', 'admin'] as const
export const SWITCH = ['active', 'disabled'] as const

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    email: textColumn('email').notNull(),
    username: textColumn('username').notNull(),
    role: textColumn('role', { enum: USER_ROLES }).notNull().default('user'),
    status: textColumn('status', { enum: SWITCH }).notNull().default('active'),
    balanceNano: nano('balance_nano').notNull().default(ZERO_NANO),
    quotaNano: nano('quota_nano'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: deletedAt(),
  },
  (table) => [uniqueIndex('users_email').on(sql`lower(${table.email})`).where(sql`${table.deletedAt} is null`)],
)

export type UserRow = typeof users.$inferSelect
/** A user with what they used so far. */
export type UserRecord = UserRow & UsageSums

const userFields = fieldsOf<UserRecord>()({
  id: id('id', { description: 'The user’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10' }),
  email: text('email', {
    description: 'E-mail address; no two users share one, whatever its case',
    example: 'ada@example.com',
    maxLength: 254,
    pattern: '^[^\\s@]+@[^\\s@]+$',
  }),
  username: text('username', { description: 'Name shown in reports', example: 'ada', minLength: 1, maxLength: 100 }),
  role: choice('role', USER_ROLES, { description: 'Admins are never limited by money (BIL-10)', example: 'user' }),
  status: choice('status', SWITCH, { description: 'Keys of a disabled user are refused', example: 'active' }),
  balance_usd: usd('balanceNano', {
    description: 'Money left; moves only by ledger entries',
    example: 25,
    minimum: -1_000_000_000,
  }),
  quota_usd: nullable(
    usd('quotaNano', { description: 'Most that the user may ever spend; null: no limit', example: 100 }),
  ),
  used_usd: usd('chargedNano', { description: 'Charged to the user so far', example: 3.25 }),
  request_count: count('requests', { description: 'Requests recorded for the user so far', example: 128 }),
  total_tokens: count('totalTokens', { description: 'Tokens of all kinds used so far', example: 1_250_000 }),
  last_used_at: nullable(time('lastUsedAt', { description: 'Newest request', example: '2026-07-24T18:23:00.000Z' })),
  created_at: time('createdAt', { description: 'When the user was made', example: '2026-07-01T09:00:00.000Z' }),
  updated_at: time('updatedAt', { description: 'Last edit by an operator', example: '2026-07-01T09:00:00.000Z' }),
})

export const UserView = defineView('User', userFields, [
  'id',
  'email',
  'username',
  'role',
  'status',
  'balance_usd',
  'quota_usd',
  'used_usd',
  'request_count',
  'total_tokens',
  'last_used_at',
  'created_at',
  'updated_at',
])

/** `balance_usd` becomes the first ledger entry; `username` defaults to the part of the e-mail before the @. */
export const UserCreate = defineCreate('UserCreate', userFields, {
  required: ['email'],
  optional: ['username', 'role', 'status', 'balance_usd', 'quota_usd'],
})

/** The balance is not here: it moves only by `POST {id}/balance`. */
export const UserPatch = definePatch('UserPatch', userFields, ['email', 'username', 'role', 'status', 'quota_usd'])
