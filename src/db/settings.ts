/** Run-time settings: a name and a JSON value each; what they mean and may be is checked by the caller. */
import { inArray, ne, sql } from 'drizzle-orm'
import { settings } from '../schema/settings.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'

/** Name of the one value that is no setting: see ./price-table.ts. */
export const PRICE_TABLE = 'refreshed price table'

export async function listSettings(db: Db): Promise<Record<string, unknown>> {
  const rows = await db.select().from(settings).where(ne(settings.name, PRICE_TABLE)).orderBy(settings.name)
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

/** Null takes a setting away: its default holds again. */
export async function upsertSettings(db: Db, values: Record<string, unknown>, actor: string): Promise<void> {
  const names = Object.keys(values)
  if (names.length === 0) return
  await db.transaction(async (transaction) => {
    const rows = names
      .filter((name) => values[name] !== null)
      .map((name) => ({ name, value: values[name], updatedBy: actor }))
    const removed = names.filter((name) => values[name] === null)
    if (removed.length > 0) await transaction.delete(settings).where(inArray(settings.name, removed))
    if (rows.length > 0)
      await transaction
        .insert(settings)
        .values(rows)
        .onConflictDoUpdate({
          target: settings.name,
          set: { value: sql`excluded.value`, updatedBy: sql`excluded.updated_by`, updatedAt: sql`now()` },
        })
    for (const name of names) await notifyChange(transaction, 'setting', name)
  })
}
