/** Every write of an operator (OPS-9): who, what, when, from where. Append only; holds no secrets. */
import { Type } from '@sinclair/typebox'
import { index, jsonb, pgTable, text as textColumn, uuid } from 'drizzle-orm/pg-core'
import { createdAt } from './columns.ts'
import { id, json, nullable, text, time } from './field.ts'
import { defineView, fieldsOf } from './resource.ts'

export const auditLog = pgTable(
  'audit_log',
  {
    id: uuid('id').primaryKey(),
    createdAt: createdAt(),
    /** Name of the admin token; `cli` for the command line. */
    actor: textColumn('actor').notNull(),
    /** `user.create`, `account.patch` … */
    action: textColumn('action').notNull(),
    resource: textColumn('resource').notNull(),
    resourceId: textColumn('resource_id'),
    /** Wire fields as the caller gave them, secrets taken out. */
    changes: jsonb('changes').$type<Record<string, unknown>>().notNull().default({}),
    clientIp: textColumn('client_ip'),
  },
  (table) => [index('audit_log_resource').on(table.resource, table.resourceId, table.id)],
)

export type AuditRow = typeof auditLog.$inferSelect

const auditFields = fieldsOf<AuditRow>()({
  id: id('id', { description: 'The entry’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e1b' }),
  actor: text('actor', { description: 'Name of the admin token', example: 'root' }),
  action: text('action', { description: 'What was done', example: 'account.patch' }),
  resource: text('resource', { description: 'Kind of thing', example: 'account' }),
  resource_id: nullable(
    text('resourceId', { description: 'Which one', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e14' }),
  ),
  changes: json('changes', Type.Record(Type.String(), Type.Unknown()), {
    description: 'Fields written, without secrets',
    example: { priority: 10 },
  }),
  client_ip: nullable(text('clientIp', { description: 'Where from', example: '203.0.113.7' })),
  created_at: time('createdAt', { description: 'When', example: '2026-07-24T18:23:00.000Z' }),
})

export const AuditView = defineView('AuditEntry', auditFields, [
  'id',
  'actor',
  'action',
  'resource',
  'resource_id',
  'changes',
  'client_ip',
  'created_at',
])
