/**
 * The price table that an operator's refresh has put in the place of the built-in one (BIL-2): in the database, so that every instance and
 * every restart uses it. One value, replaced whole, beside the run-time settings, which do not list it (./settings.ts).
 */
import { eq, sql } from 'drizzle-orm'
import type { PriceTable } from '../core/price-table.ts'
import { settings } from '../schema/settings.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { PRICE_TABLE } from './settings.ts'

/** Null: never refreshed, or still the one that was stored at `known`. */
export async function findPriceTable(
  db: Db,
  known: Date | null,
): Promise<{ table: PriceTable; storedAt: Date } | null> {
  const isTable = eq(settings.name, PRICE_TABLE)
  const [stamp] = await db.select({ storedAt: settings.updatedAt }).from(settings).where(isTable)
  // The table has some 200 kB: it is not read again for every price that an operator sets.
  if (stamp === undefined || stamp.storedAt.getTime() === known?.getTime()) return null
  const [row] = await db.select().from(settings).where(isTable)
  return row ? { table: row.value as PriceTable, storedAt: row.updatedAt } : null
}

export async function replacePriceTable(db: Db, table: PriceTable, actor: string): Promise<void> {
  const value = { value: table, updatedBy: actor }
  await db
    .insert(settings)
    .values({ name: PRICE_TABLE, ...value })
    .onConflictDoUpdate({ target: settings.name, set: { ...value, updatedAt: sql`now()` } })
  await notifyChange(db, 'price', '*')
}
