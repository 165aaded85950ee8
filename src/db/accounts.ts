/**
 * Accounts. Deleting one is soft, because usage names it, but its credentials are wiped at once. One that keys are bound to
 * is not deleted: those keys would have no account left (KEY-5).
 *
 * Three writers do not step on each other: an operator's edit (`updateAccountById`), the token refresh
 * (`updateAccountCredentialsById`, compare-and-set) and what the relay learns (`updateAccountStateById`).
 */
import { and, desc, eq, getTableColumns, inArray, isNull, lt, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { conflict, type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import type { CredentialHint } from '../schema/account-credentials.ts'
import type { AccountCreate, AccountPatch } from '../schema/account-views.ts'
import { type AccountRecord, type AccountRow, accountGroups, accounts } from '../schema/accounts.ts'
import { apiKeys } from '../schema/api-keys.ts'
import { groups } from '../schema/groups.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { usageTotals } from '../schema/usage-totals.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { checkReferences } from './references.ts'
import { transact } from './transact.ts'
import { orZero, SUMS, totalsOf } from './usage-totals.ts'

export interface AccountFilter {
  platform?: AccountRow['platform']
  status?: AccountRow['status']
  groupId?: string
}

/** Both made by the caller, who has the secret box: see ./account-credentials.ts and schema's `hintOf`. */
export interface SealedCredentials {
  sealedCredentials: string
  credentialHint: CredentialHint
}

export async function listAccounts(db: Db, query: PageQuery & AccountFilter): Promise<Page<AccountRecord> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const { platform, status, groupId } = query
  const members = db.select({ id: accountGroups.accountId }).from(accountGroups)
  const rows = await selectAccounts(db)
    .where(
      and(
        isNull(accounts.deletedAt),
        before === null ? undefined : lt(accounts.id, before),
        platform && eq(accounts.platform, platform),
        status && eq(accounts.status, status),
        groupId === undefined
          ? undefined
          : inArray(accounts.id, members.where(eq(accountGroups.groupId, asId(groupId)))),
      ),
    )
    .orderBy(desc(accounts.id))
    .limit(query.limit + 1)
  const page = toPage(rows, query.limit, ({ id }) => encodeCursor(id))
  return { ...page, rows: await withGroups(db, page.rows) }
}

export async function findAccountById(db: Db, id: string): Promise<AccountRecord | null> {
  const rows = await selectAccounts(db).where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
  return (await withGroups(db, rows))[0] ?? null
}

/** Without groups it joins its platform's default group (ACC-12). `id`: the one that the credentials are sealed for. */
export async function insertAccount(
  db: Db,
  columns: ColumnsOf<typeof AccountCreate> & SealedCredentials & { id?: string },
): Promise<AccountRecord | Fault> {
  const { groupIds = [], ...rest } = columns
  return transact(db, async (transaction) => {
    const fault = await checkReferences(transaction, [
      { field: 'group_ids', kind: 'group', ids: groupIds, platform: rest.platform },
    ])
    if (fault !== null) return fault
    const id = rest.id ?? newId()
    await transaction.insert(accounts).values({ ...rest, id })
    await replaceGroups(
      transaction,
      id,
      groupIds.length > 0 ? groupIds : await defaultGroups(transaction, rest.platform),
    )
    await notifyChange(transaction, 'account', id)
    return (await findAccountById(transaction, id)) as AccountRecord
  })
}

export async function updateAccountById(
  db: Db,
  id: string,
  columns: ColumnsOf<typeof AccountPatch> & Partial<SealedCredentials>,
): Promise<AccountRecord | Fault | null> {
  const { groupIds, ...rest } = columns
  return transact(db, async (transaction) => {
    const [account] = await transaction
      .update(accounts)
      // An operator who switches it on again has dealt with the error.
      .set({ ...rest, ...(rest.status === 'active' ? { errorMessage: null } : {}), updatedAt: sql`now()` })
      .where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
      .returning()
    if (account === undefined) return null
    if (groupIds !== undefined) {
      const { platform } = account
      const fault = await checkReferences(transaction, [{ field: 'group_ids', kind: 'group', ids: groupIds, platform }])
      if (fault !== null) return fault
      await replaceGroups(transaction, id, groupIds)
    }
    await notifyChange(transaction, 'account', id)
    return findAccountById(transaction, id)
  })
}

/**
 * A refreshed token (ACC-10), only if the stored one is still `previousSealed`: a second refresher, or an operator who pasted
 * new tokens meanwhile, is never overwritten. False: it was another, or the account is gone.
 */
export async function updateAccountCredentialsById(
  db: Db,
  id: string,
  credentials: SealedCredentials & { previousSealed: string },
): Promise<boolean> {
  const { previousSealed, ...columns } = credentials
  return db.transaction(async (transaction) => {
    const updated = await transaction
      .update(accounts)
      .set(columns)
      .where(and(eq(accounts.id, asId(id)), eq(accounts.sealedCredentials, previousSealed), isNull(accounts.deletedAt)))
      .returning({ id: accounts.id })
    if (updated.length > 0) await notifyChange(transaction, 'account', id)
    return updated.length > 0
  })
}

export type AccountState = Partial<
  Pick<
    AccountRow,
    'status' | 'schedulable' | 'errorMessage' | 'rateLimitedUntil' | 'overloadedUntil' | 'unschedulableUntil' | 'extra'
  >
>

/** What the relay learnt of it (ACC-6, ACC-11). `extra` is merged into what is there. Not an edit: `updated_at` stays. */
export async function updateAccountStateById(db: Db, id: string, state: AccountState): Promise<boolean> {
  const { extra, ...columns } = state
  const merged = extra === undefined ? {} : { extra: sql`${accounts.extra} || ${JSON.stringify(extra)}::jsonb` }
  if (extra === undefined && Object.keys(columns).length === 0) return true
  return db.transaction(async (transaction) => {
    const updated = await transaction
      .update(accounts)
      .set({ ...columns, ...merged })
      .where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
      .returning({ id: accounts.id })
    if (updated.length > 0) await notifyChange(transaction, 'account', id)
    return updated.length > 0
  })
}

/** False: there was no such account. */
export async function deleteAccountById(db: Db, id: string): Promise<boolean | Fault> {
  return transact(db, async (transaction) => {
    const [account] = await transaction
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
      .for('update')
    if (account === undefined) return false
    const bound = await transaction
      .select({ name: apiKeys.name })
      .from(apiKeys)
      .where(and(sql`${apiKeys.boundAccounts} ->> ${account.platform} = ${id}`, isNull(apiKeys.deletedAt)))
      .limit(3)
    if (bound.length > 0)
      return conflict(null, `account ${account.name} is bound to API keys: ${bound.map(({ name }) => name).join(', ')}`)
    await transaction.delete(accountGroups).where(eq(accountGroups.accountId, id))
    await transaction
      .update(accounts)
      .set({ deletedAt: sql`now()`, status: 'disabled', sealedCredentials: '', credentialHint: {} })
      .where(eq(accounts.id, asId(id)))
    await notifyChange(transaction, 'account', id)
    return true
  })
}

async function defaultGroups(db: Db, platform: AccountRow['platform']): Promise<string[]> {
  const rows = await db
    .select({ id: groups.id })
    .from(groups)
    .where(and(eq(groups.platform, platform), groups.isDefault, isNull(groups.deletedAt)))
  return rows.map(({ id }) => id)
}

async function replaceGroups(db: Db, accountId: string, groupIds: readonly string[]): Promise<void> {
  await db.delete(accountGroups).where(eq(accountGroups.accountId, accountId))
  const rows = [...new Set(groupIds)].map((groupId) => ({ accountId, groupId }))
  if (rows.length > 0) await db.insert(accountGroups).values(rows)
}

const monthTotals = alias(usageTotals, 'month_totals')

function selectAccounts(db: Db) {
  const thisMonth = and(
    eq(monthTotals.scope, 'account'),
    eq(monthTotals.scopeId, sql`${accounts.id}::text`),
    eq(monthTotals.period, sql`to_char(now() at time zone 'UTC', 'YYYY-MM')`),
  )
  const month = {
    monthRequests: orZero(monthTotals.requests),
    monthUpstreamCostNano: orZero(monthTotals.upstreamCostNano),
  }
  return db
    .select({ ...getTableColumns(accounts), ...SUMS, ...month })
    .from(accounts)
    .leftJoin(usageTotals, totalsOf('account', accounts.id))
    .leftJoin(monthTotals, thisMonth)
}

async function withGroups<T extends AccountRow>(db: Db, rows: T[]): Promise<(T & { groupIds: string[] })[]> {
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  const links = await db
    .select()
    .from(accountGroups)
    .where(inArray(accountGroups.accountId, ids))
    .orderBy(accountGroups.groupId)
  const byAccount = Map.groupBy(links, ({ accountId }) => accountId)
  return rows.map((row) => ({ ...row, groupIds: (byAccount.get(row.id) ?? []).map(({ groupId }) => groupId) }))
}
