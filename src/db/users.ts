/**
 * Users. Deleting one is soft: their keys are deleted with them and their subscriptions revoked, so access ends at once, while
 * usage, ledger and names stay for reports; the e-mail address is free again.
 */
import { and, desc, eq, getTableColumns, ilike, isNull, lt, or, sql } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { apiKeys } from '../schema/api-keys.ts'
import { groupUsers } from '../schema/groups.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { subscriptions } from '../schema/subscriptions.ts'
import { usageTotals } from '../schema/usage-totals.ts'
import { type UserCreate, type UserPatch, type UserRecord, type UserRow, users } from '../schema/users.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { changeBalance } from './ledger.ts'
import { asId, containing, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { transact } from './transact.ts'
import { SUMS, totalsOf } from './usage-totals.ts'

export interface UserFilter {
  status?: UserRow['status']
  role?: UserRow['role']
  /** Part of the e-mail address or name. */
  search?: string
}

export async function listUsers(db: Db, query: PageQuery & UserFilter): Promise<Page<UserRecord> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const { status, role, search } = query
  const rows = await selectUsers(db)
    .where(
      and(
        isNull(users.deletedAt),
        before === null ? undefined : lt(users.id, before),
        status && eq(users.status, status),
        role && eq(users.role, role),
        search ? or(ilike(users.email, containing(search)), ilike(users.username, containing(search))) : undefined,
      ),
    )
    .orderBy(desc(users.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

export async function findUserById(db: Db, id: string): Promise<UserRecord | null> {
  const [row] = await selectUsers(db).where(and(eq(users.id, asId(id)), isNull(users.deletedAt)))
  return row ?? null
}

export async function findUserByEmail(db: Db, email: string): Promise<UserRecord | null> {
  const [row] = await selectUsers(db).where(
    and(eq(sql`lower(${users.email})`, email.toLowerCase()), isNull(users.deletedAt)),
  )
  return row ?? null
}

/** An opening balance becomes the first ledger entry. */
export async function insertUser(
  db: Db,
  columns: ColumnsOf<typeof UserCreate>,
  actor: string,
): Promise<UserRecord | Fault> {
  const { balanceNano = 0n, username = columns.email.split('@')[0] ?? '', ...rest } = columns
  return transact(db, async (transaction) => {
    const id = newId()
    await transaction.insert(users).values({ ...rest, id, username })
    if (balanceNano !== 0n)
      await changeBalance(transaction, {
        payer: 'user',
        payerId: id,
        amountNano: balanceNano,
        kind: 'top_up',
        actor,
        note: 'opening balance',
      })
    await notifyChange(transaction, 'user', id)
    return (await findUserById(transaction, id)) as UserRecord
  })
}

export async function updateUserById(
  db: Db,
  id: string,
  columns: ColumnsOf<typeof UserPatch>,
): Promise<UserRecord | Fault | null> {
  return transact(db, async (transaction) => {
    const updated = await transaction
      .update(users)
      .set({ ...columns, updatedAt: sql`now()` })
      .where(and(eq(users.id, asId(id)), isNull(users.deletedAt)))
      .returning({ id: users.id })
    if (updated.length === 0) return null
    await notifyChange(transaction, 'user', id)
    return findUserById(transaction, id)
  })
}

/** False: there was no such user. */
export async function deleteUserById(db: Db, id: string): Promise<boolean> {
  return db.transaction(async (transaction) => {
    const deleted = await transaction
      .update(users)
      .set({ deletedAt: sql`now()`, status: 'disabled' })
      .where(and(eq(users.id, asId(id)), isNull(users.deletedAt)))
      .returning({ id: users.id })
    if (deleted.length === 0) return false
    const keys = await transaction
      .update(apiKeys)
      .set({ deletedAt: sql`now()`, active: false, previousKeyHash: null })
      .where(and(eq(apiKeys.userId, id), isNull(apiKeys.deletedAt)))
      .returning({ id: apiKeys.id })
    const revoked = await transaction
      .update(subscriptions)
      .set({ status: 'revoked', updatedAt: sql`now()` })
      .where(and(eq(subscriptions.userId, id), eq(subscriptions.status, 'active')))
      .returning({ id: subscriptions.id })
    await transaction.delete(groupUsers).where(eq(groupUsers.userId, id))
    await notifyChange(transaction, 'user', id)
    for (const key of keys) await notifyChange(transaction, 'key', key.id)
    for (const subscription of revoked) await notifyChange(transaction, 'subscription', subscription.id)
    return true
  })
}

function selectUsers(db: Db) {
  return db
    .select({ ...getTableColumns(users), ...SUMS })
    .from(users)
    .leftJoin(usageTotals, totalsOf('user', users.id))
}
