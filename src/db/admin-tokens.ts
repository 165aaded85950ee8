/** Named admin tokens (OPS-9). A deleted one keeps its row, so that the audit log's names stay explained. */
import { and, desc, eq, isNull, lt, sql } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { type AdminTokenCreate, type AdminTokenRow, adminTokens } from '../schema/admin-tokens.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { transact } from './transact.ts'

export async function listAdminTokens(db: Db, query: PageQuery): Promise<Page<AdminTokenRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await db
    .select()
    .from(adminTokens)
    .where(and(isNull(adminTokens.deletedAt), before === null ? undefined : lt(adminTokens.id, before)))
    .orderBy(desc(adminTokens.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

/** Expired ones are found too: the caller, who has the clock, refuses them. */
export async function findAdminTokenByHash(db: Db, tokenHash: string): Promise<AdminTokenRow | null> {
  const [row] = await db
    .select()
    .from(adminTokens)
    .where(and(eq(adminTokens.tokenHash, tokenHash), isNull(adminTokens.deletedAt)))
  return row ?? null
}

export async function insertAdminToken(
  db: Db,
  columns: ColumnsOf<typeof AdminTokenCreate> & Pick<AdminTokenRow, 'tokenHash' | 'tokenLast4'>,
): Promise<AdminTokenRow | Fault> {
  return transact(db, async (transaction) => {
    const [row] = await transaction
      .insert(adminTokens)
      .values({ ...columns, id: newId() })
      .returning()
    await notifyChange(transaction, 'admin_token', (row as AdminTokenRow).id)
    return row as AdminTokenRow
  })
}

/** Not on every call: the caller thins it out. */
export async function updateAdminTokenLastUsedById(db: Db, id: string, lastUsedAt: Date): Promise<void> {
  await db
    .update(adminTokens)
    .set({ lastUsedAt })
    .where(eq(adminTokens.id, asId(id)))
}

/** False: there was no such token. */
export async function deleteAdminTokenById(db: Db, id: string): Promise<boolean> {
  return db.transaction(async (transaction) => {
    const deleted = await transaction
      .update(adminTokens)
      .set({ deletedAt: sql`now()` })
      .where(and(eq(adminTokens.id, asId(id)), isNull(adminTokens.deletedAt)))
      .returning({ id: adminTokens.id })
    if (deleted.length > 0) await notifyChange(transaction, 'admin_token', id)
    return deleted.length > 0
  })
}
