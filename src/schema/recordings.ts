/**
 * Headers and bodies of a request, where the operator has them recorded (USE-1): beside the usage record, so that the log stays narrow.
 * Headers are masked and bodies cut before they come here. Goes when the record goes (USE-18).
 */
import { boolean, index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { instant, tally } from './columns.ts'

export const recordings = pgTable(
  'request_recordings',
  {
    /** The request's. */
    id: uuid('id').primaryKey(),
    createdAt: instant('created_at').notNull(),
    /** Null here and below: was not to be recorded, or there was none. */
    requestHeaders: jsonb('request_headers').$type<Record<string, string>>(),
    requestBody: text('request_body'),
    /** Of the whole body. */
    requestBytes: tally('request_bytes'),
    requestCut: boolean('request_cut').notNull().default(false),
    responseHeaders: jsonb('response_headers').$type<Record<string, string>>(),
    responseBody: text('response_body'),
    responseBytes: tally('response_bytes'),
    responseCut: boolean('response_cut').notNull().default(false),
  },
  (table) => [index('request_recordings_time').on(table.createdAt)],
)

export type RecordingRow = typeof recordings.$inferSelect
