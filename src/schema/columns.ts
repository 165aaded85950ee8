/** Column types that several tables share, so that money, time and factors are stored in one way only. */
import { sql } from 'drizzle-orm'
import { bigint, integer, timestamp } from 'drizzle-orm/pg-core'

/** Nanodollars. bigint holds ± 9.2 billion USD. */
export const nano = (name: string) => bigint(name, { mode: 'bigint' })

/** The default of an amount, as SQL: drizzle-kit cannot write a bigint into its snapshot. */
export const ZERO_NANO = sql`0`

/** Counts that outgrow 2^31 (tokens, requests) and stay below 2^53. */
export const tally = (name: string) => bigint(name, { mode: 'number' })

/** A rate multiplier in millionths: 1.5 is 1_500_000. */
export const micro = (name: string) => integer(name)

/** Milliseconds are what JavaScript and the wire carry; more would not survive the round trip through a cursor. */
export const instant = (name: string) => timestamp(name, { precision: 3, withTimezone: true, mode: 'date' })

export const createdAt = () => instant('created_at').notNull().defaultNow()
export const updatedAt = () => instant('updated_at').notNull().defaultNow()
/** Soft delete: the row stays, so that usage and ledger keep a readable name (KEY-12). */
export const deletedAt = () => instant('deleted_at')
