/**
 * Usage statistics that came from a file (USE-7): of other tools, or of another turnpike. Apart from the usage log, because they have neither costs
 * nor accounts of ours, and so that retention leaves them alone.
 *
 * `imported_usage_series`: a row for each key and model, with what core/stats-merge holds of it. `imported_usage_details`: every detail once; the
 * primary key begins with series and time, so that rows of a file, which are in that order, are appended, and the newest of a series are one walk.
 * `imported_usage_buckets`: sums over all of it by day, hour and outcome.
 */
import { bigint, boolean, integer, pgTable, primaryKey, text, unique } from 'drizzle-orm/pg-core'
import { tally } from './columns.ts'

export const importedUsageSeries = pgTable(
  'imported_usage_series',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    keyName: text('key_name').notNull(),
    model: text('model').notNull(),
    listedRequests: tally('listed_requests').notNull().default(0),
    listedTokens: tally('listed_tokens').notNull().default(0),
    claimedRequests: tally('claimed_requests').notNull().default(0),
    claimedTokens: tally('claimed_tokens').notNull().default(0),
  },
  (table) => [unique('imported_usage_series_name').on(table.keyName, table.model)],
)

export const importedUsageDetails = pgTable(
  'imported_usage_details',
  {
    seriesId: integer('series_id').notNull(),
    /** Epoch nanoseconds. */
    atNs: bigint('at_ns', { mode: 'bigint' }).notNull(),
    /** `identityOf` in core/stats: source, account, outcome and tokens as one number. */
    identity: tally('identity').notNull(),
    source: text('source').notNull(),
    authIndex: text('auth_index').notNull(),
    failed: boolean('failed').notNull(),
    inputTokens: tally('input_tokens').notNull(),
    outputTokens: tally('output_tokens').notNull(),
    reasoningTokens: tally('reasoning_tokens').notNull(),
    cachedTokens: tally('cached_tokens').notNull(),
    totalTokens: tally('total_tokens').notNull(),
  },
  (table) => [primaryKey({ columns: [table.seriesId, table.atNs, table.identity] })],
)

export const importedUsageBuckets = pgTable(
  'imported_usage_buckets',
  {
    kind: text('kind', { enum: ['day', 'hour', 'outcome'] }).notNull(),
    /** "2026-07-24"; "00" to "23"; "ok" and "failed". */
    name: text('name').notNull(),
    requests: tally('requests').notNull().default(0),
    tokens: tally('tokens').notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.kind, table.name] })],
)
