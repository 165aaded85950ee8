/**
 * Groups. One that something still uses is not deleted: keys would lose their accounts, or silently fall to another group's.
 * The refusal names what uses it. Accounts are only unlinked, they stay. Default groups stay too (ACC-12).
 */
import { and, count, desc, eq, getTableColumns, inArray, isNull, lt, type SQL, sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import { conflict, type Fault, invalid, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { accountGroups } from '../schema/accounts.ts'
import { apiKeys } from '../schema/api-keys.ts'
import {
  type GroupCreate,
  type GroupPatch,
  type GroupRecord,
  type GroupRow,
  groups,
  groupUsers,
} from '../schema/groups.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { subscriptions } from '../schema/subscriptions.ts'
import { usageTotals } from '../schema/usage-totals.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { checkReferences } from './references.ts'
import { transact } from './transact.ts'
import { SUMS, totalsOf } from './usage-totals.ts'

export interface GroupFilter {
  platform?: GroupRow['platform']
  status?: GroupRow['status']
}

export async function listGroups(db: Db, query: PageQuery & GroupFilter): Promise<Page<GroupRecord> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const { platform, status } = query
  const rows = await selectGroups(db)
    .where(
      and(
        isNull(groups.deletedAt),
        before === null ? undefined : lt(groups.id, before),
        platform && eq(groups.platform, platform),
        status && eq(groups.status, status),
      ),
    )
    .orderBy(desc(groups.id))
    .limit(query.limit + 1)
  const page = toPage(rows, query.limit, ({ id }) => encodeCursor(id))
  return { ...page, rows: await withUsers(db, page.rows) }
}

export async function findGroupById(db: Db, id: string): Promise<GroupRecord | null> {
  const rows = await selectGroups(db).where(and(eq(groups.id, asId(id)), isNull(groups.deletedAt)))
  return (await withUsers(db, rows))[0] ?? null
}

export async function findGroupByName(db: Db, name: string): Promise<GroupRecord | null> {
  const rows = await selectGroups(db).where(and(eq(groups.name, name), isNull(groups.deletedAt)))
  return (await withUsers(db, rows))[0] ?? null
}

export async function insertGroup(db: Db, columns: ColumnsOf<typeof GroupCreate>): Promise<GroupRecord | Fault> {
  const { userIds = [], ...rest } = columns
  return transact(db, async (transaction) => {
    const fault = await checkReferences(transaction, [
      { field: 'fallback_group_id', kind: 'group', ids: [rest.fallbackGroupId], platform: rest.platform },
      { field: 'user_ids', kind: 'user', ids: userIds },
    ])
    if (fault !== null) return fault
    const id = newId()
    await transaction.insert(groups).values({ ...rest, id })
    await replaceUsers(transaction, id, userIds)
    await notifyChange(transaction, 'group', id)
    return (await findGroupById(transaction, id)) as GroupRecord
  })
}

export async function updateGroupById(
  db: Db,
  id: string,
  columns: ColumnsOf<typeof GroupPatch>,
): Promise<GroupRecord | Fault | null> {
  const { userIds, ...rest } = columns
  return transact(db, async (transaction) => {
    const [group] = await transaction
      .update(groups)
      .set({ ...rest, updatedAt: sql`now()` })
      .where(and(eq(groups.id, asId(id)), isNull(groups.deletedAt)))
      .returning()
    if (group === undefined) return null
    const fault =
      (await checkReferences(transaction, [
        { field: 'fallback_group_id', kind: 'group', ids: [rest.fallbackGroupId], platform: group.platform },
        { field: 'user_ids', kind: 'user', ids: userIds ?? [] },
      ])) ?? (rest.fallbackGroupId ? await checkFallback(transaction, id) : null)
    if (fault !== null) return fault
    if (userIds !== undefined) await replaceUsers(transaction, id, userIds)
    await notifyChange(transaction, 'group', id)
    return findGroupById(transaction, id)
  })
}

/** False: there was no such group. */
export async function deleteGroupById(db: Db, id: string): Promise<boolean | Fault> {
  return transact(db, async (transaction) => {
    const [group] = await transaction
      .select()
      .from(groups)
      .where(and(eq(groups.id, asId(id)), isNull(groups.deletedAt)))
      .for('update')
    if (group === undefined) return false
    if (group.isDefault) return conflict(null, `${group.name} is the default group of ${group.platform} and stays`)
    const users = await describeUses(transaction, id)
    if (users !== '') return conflict(null, `group ${group.name} is in use by ${users}`)
    await transaction.delete(accountGroups).where(eq(accountGroups.groupId, id))
    await transaction.delete(groupUsers).where(eq(groupUsers.groupId, id))
    await transaction
      .update(groups)
      .set({ deletedAt: sql`now()` })
      .where(eq(groups.id, asId(id)))
    await notifyChange(transaction, 'group', id)
    return true
  })
}

async function describeUses(db: Db, id: string): Promise<string> {
  const uses = await Promise.all([
    countOf(db, apiKeys, and(eq(apiKeys.groupId, id), isNull(apiKeys.deletedAt)), ['API key', 'API keys']),
    countOf(db, subscriptions, and(eq(subscriptions.groupId, id), eq(subscriptions.status, 'active')), [
      'subscription',
      'subscriptions',
    ]),
    countOf(db, groups, and(eq(groups.fallbackGroupId, id), isNull(groups.deletedAt)), [
      'group that falls back to it',
      'groups that fall back to it',
    ]),
  ])
  return uses.filter((use) => use !== '').join(', ')
}

/** "2 API keys"; '' for none. */
async function countOf(
  db: Db,
  table: PgTable,
  condition: SQL | undefined,
  [singular, plural]: [string, string],
): Promise<string> {
  const [row] = await db.select({ total: count() }).from(table).where(condition)
  const total = row?.total ?? 0
  return total === 0 ? '' : `${total} ${total === 1 ? singular : plural}`
}

/** A chain of fallbacks that comes back to where it began would never end. */
async function checkFallback(db: Db, id: string): Promise<Fault | null> {
  const [row] = await db.execute<{ circular: boolean }>(sql`
    with recursive chain(id, next) as (
      select id, fallback_group_id from groups where id = ${id}
      union select groups.id, groups.fallback_group_id from groups join chain on groups.id = chain.next
    ) select bool_or(next = ${id}) as circular from chain`)
  return row?.circular ? invalid('fallback_group_id', 'the fallback groups would form a circle') : null
}

async function replaceUsers(db: Db, groupId: string, userIds: readonly string[]): Promise<void> {
  await db.delete(groupUsers).where(eq(groupUsers.groupId, groupId))
  const rows = [...new Set(userIds)].map((userId) => ({ groupId, userId }))
  if (rows.length > 0) await db.insert(groupUsers).values(rows)
}

function selectGroups(db: Db) {
  return db
    .select({ ...getTableColumns(groups), ...SUMS })
    .from(groups)
    .leftJoin(usageTotals, totalsOf('group', groups.id))
}

async function withUsers<T extends GroupRow>(db: Db, rows: T[]): Promise<(T & { userIds: string[] })[]> {
  if (rows.length === 0) return []
  const links = await db
    .select()
    .from(groupUsers)
    .where(
      inArray(
        groupUsers.groupId,
        rows.map(({ id }) => id),
      ),
    )
    .orderBy(groupUsers.userId)
  const byGroup = Map.groupBy(links, ({ groupId }) => groupId)
  return rows.map((row) => ({ ...row, userIds: (byGroup.get(row.id) ?? []).map(({ userId }) => userId) }))
}
