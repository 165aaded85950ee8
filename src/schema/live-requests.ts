/**
 * What instances tell each other of their long-running requests (USE-2), and that they are alive (USE-3).
 *
 * Ordinary tables, not unlogged ones: an unlogged table is emptied by the very crash after which somebody wants to know what was running.
 * Few rows, rewritten every few seconds, outside of the request path; a request that ends within seconds never comes here.
 */
import { index, jsonb, pgTable, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

export const liveInstances = pgTable('live_instances', {
  /** Made at each start of a process. */
  id: uuid('id').primaryKey(),
  startedAt: instant('started_at').notNull().defaultNow(),
  seenAt: instant('seen_at').notNull().defaultNow(),
  /** Since when it has been seen without a gap: after an outage of the database nobody can judge who is alive. */
  steadySince: instant('steady_since').notNull().defaultNow(),
})

export const liveRequests = pgTable(
  'live_requests',
  {
    id: uuid('id').primaryKey(),
    instanceId: uuid('instance_id').notNull(),
    /** A LiveRequest with its amount as text. */
    request: jsonb('request').$type<Record<string, unknown>>().notNull(),
  },
  (table) => [index('live_requests_instance').on(table.instanceId)],
)
