/**
 * What was used, added up: of a user, key, account (also per month), group and model (BIL-12).
 *
 * A table of its own, not columns beside the settings: editing a user or key then cannot overwrite a counter, nor a
 * flush an edit (KEY-10), and the row that changes with every batch is a narrow one. `last_used_at` is here for the same
 * reason and reaches the database with the batch (ACC-14).
 */
import { pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant, nano, tally, ZERO_NANO } from './columns.ts'

const TOTAL_SCOPES = ['user', 'key', 'account', 'group', 'model'] as const
export type TotalScope = (typeof TOTAL_SCOPES)[number]

/** `period` of a total over all time; the others are months in UTC, "2026-07". */
export const ALL_TIME = ''

export const usageTotals = pgTable(
  'usage_totals',
  {
    scope: text('scope', { enum: TOTAL_SCOPES }).notNull(),
    /** The id of the user, key, account or group; the model's name. */
    scopeId: text('scope_id').notNull(),
    period: text('period').notNull().default(ALL_TIME),
    requests: tally('requests').notNull().default(0),
    failedRequests: tally('failed_requests').notNull().default(0),
    totalTokens: tally('total_tokens').notNull().default(0),
    costNano: nano('cost_nano').notNull().default(ZERO_NANO),
    /** Of a user: without what its standalone keys paid themselves (BIL-10). */
    chargedNano: nano('charged_nano').notNull().default(ZERO_NANO),
    upstreamCostNano: nano('upstream_cost_nano').notNull().default(ZERO_NANO),
    lastUsedAt: instant('last_used_at'),
  },
  (table) => [primaryKey({ columns: [table.scope, table.scopeId, table.period] })],
)

export type UsageTotalRow = typeof usageTotals.$inferSelect
/** What a record of a user, key, account or group carries of its totals. */
export type UsageSums = Omit<UsageTotalRow, 'scope' | 'scopeId' | 'period'>
