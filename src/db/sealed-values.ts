/** Secrets of the installation itself, each sealed for its name, so that one can't be passed off as another (schema/sealed-values). */
import { and, count, eq, gt, isNull, like, lte, or } from 'drizzle-orm'
import type { Secretbox } from '../lib/secretbox.ts'
import { sealedValues } from '../schema/sealed-values.ts'
import type { Db } from './client.ts'

export const sealedValueContext = (name: string) => `value:${name}`

/** Null: there is none. Throws when it was sealed under a key that the box does not have. */
export async function findSealedValue(db: Db, box: Secretbox, name: string): Promise<string | null> {
  const [row] = await db.select().from(sealedValues).where(eq(sealedValues.name, name))
  return row ? box.open(row.sealed, sealedValueContext(name)) : null
}

/** What is there already stays: of instances that start at once, one is first. */
export async function insertSealedValue(
  db: Db,
  box: Secretbox,
  { name, value, expiresAt = null }: { name: string; value: string; expiresAt?: Date | null },
): Promise<void> {
  const sealed = box.seal(value, sealedValueContext(name))
  await db.insert(sealedValues).values({ name, sealed, expiresAt }).onConflictDoNothing()
}

/** Deletes it and gives it out: to one caller only. Null: unknown, or expired. */
export async function takeSealedValue(
  db: Db,
  box: Secretbox,
  { name, now }: { name: string; now: Date },
): Promise<string | null> {
  const notExpired = or(isNull(sealedValues.expiresAt), gt(sealedValues.expiresAt, now))
  const [row] = await db
    .delete(sealedValues)
    .where(and(eq(sealedValues.name, name), notExpired))
    .returning()
  return row ? box.open(row.sealed, sealedValueContext(name)) : null
}

export async function deleteExpiredSealedValues(db: Db, now: Date): Promise<void> {
  await db.delete(sealedValues).where(lte(sealedValues.expiresAt, now))
}

export async function countSealedValuesByPrefix(db: Db, prefix: string): Promise<number> {
  const [row] = await db
    .select({ found: count() })
    .from(sealedValues)
    .where(like(sealedValues.name, `${prefix}%`))
  return row?.found ?? 0
}
