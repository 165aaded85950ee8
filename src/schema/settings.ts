/** Settings changed at run time (`/admin/settings`); what is not here has the value of the environment or its default. */
import { jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { updatedAt } from './columns.ts'

export const settings = pgTable('settings', {
  name: text('name').primaryKey(),
  value: jsonb('value').$type<unknown>().notNull(),
  updatedAt: updatedAt(),
  /** Name of the admin token behind the change. */
  updatedBy: text('updated_by').notNull(),
})
