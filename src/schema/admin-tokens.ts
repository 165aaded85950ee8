/** Named admin tokens with a role (OPS-9), beside the root token of the configuration. Stored like API keys: as a keyed hash. */
import { sql } from 'drizzle-orm'
import { pgTable, text as textColumn, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, deletedAt, instant } from './columns.ts'
import { choice, id, nullable, text, time } from './field.ts'
import { defineCreate, defineView, fieldsOf } from './resource.ts'

const ADMIN_ROLES = ['admin', 'viewer'] as const

export const adminTokens = pgTable(
  'admin_tokens',
  {
    id: uuid('id').primaryKey(),
    name: textColumn('name').notNull(),
    role: textColumn('role', { enum: ADMIN_ROLES }).notNull(),
    tokenHash: textColumn('token_hash').notNull(),
    tokenLast4: textColumn('token_last4').notNull(),
    expiresAt: instant('expires_at'),
    lastUsedAt: instant('last_used_at'),
    createdAt: createdAt(),
    deletedAt: deletedAt(),
  },
  (table) => [
    uniqueIndex('admin_tokens_name').on(table.name).where(sql`${table.deletedAt} is null`),
    uniqueIndex('admin_tokens_hash').on(table.tokenHash),
  ],
)

export type AdminTokenRow = typeof adminTokens.$inferSelect

const at = '2026-07-24T18:23:00.000Z'

const adminTokenFields = fieldsOf<AdminTokenRow>()({
  id: id('id', { description: 'The token’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e1a' }),
  name: text('name', {
    description: 'Unique name, as the audit log shows it',
    example: 'ci',
    minLength: 1,
    maxLength: 100,
  }),
  role: choice('role', ADMIN_ROLES, { description: 'viewer: reads only', example: 'viewer' }),
  token_last4: text('tokenLast4', { description: 'Its last four characters', example: '9c1e' }),
  expires_at: nullable(time('expiresAt', { description: 'Refused from then on', example: at })),
  last_used_at: nullable(time('lastUsedAt', { description: 'Last call with it', example: at })),
  created_at: time('createdAt', { description: 'When it was made', example: at }),
})

export const AdminTokenView = defineView('AdminToken', adminTokenFields, [
  'id',
  'name',
  'role',
  'token_last4',
  'expires_at',
  'last_used_at',
  'created_at',
])

export const AdminTokenCreate = defineCreate('AdminTokenCreate', adminTokenFields, {
  required: ['name', 'role'],
  optional: ['expires_at'],
})
