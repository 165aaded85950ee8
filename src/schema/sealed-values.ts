/**
 * Secrets of the installation itself, sealed under ENCRYPTION_KEY (lib/secretbox): the pepper of API keys, sign-ins that were begun. A table of
 * its own, because settings are shown to operators.
 */
import { pgTable, text } from 'drizzle-orm/pg-core'
import { createdAt, instant } from './columns.ts'

export const sealedValues = pgTable('sealed_values', {
  name: text('name').primaryKey(),
  sealed: text('sealed').notNull(),
  /** Null: for good. */
  expiresAt: instant('expires_at'),
  createdAt: createdAt(),
})
