/**
 * API keys. Deleting one is soft: it stops at once, its name stays in reports (KEY-12). Editing sets only what the body named,
 * and counters are in another table: neither a flush nor an edit can overwrite the other (KEY-10).
 */
import { and, desc, eq, getTableColumns, ilike, isNotNull, isNull, lt, lte, or, sql } from 'drizzle-orm'
import type { ApiKey } from '../core/entities.ts'
import { type Fault, isFault } from '../core/fault.ts'
import { PLATFORMS } from '../core/platform.ts'
import { newId } from '../lib/ids.ts'
import type { ApiKeyCreate, ApiKeyPatch } from '../schema/api-key-views.ts'
import { type ApiKeyRecord, type ApiKeyRow, apiKeys } from '../schema/api-keys.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { usageTotals } from '../schema/usage-totals.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { changeBalance } from './ledger.ts'
import { asId, containing, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { checkReferences, type References } from './references.ts'
import { transact } from './transact.ts'
import { SUMS, totalsOf } from './usage-totals.ts'

export interface ApiKeyFilter {
  userId?: string
  groupId?: string
  active?: boolean
  tag?: string
  /** Part of the name, or the start of the key. */
  search?: string
}

/** What is stored of the key itself (KEY-1): made by the caller with lib/hash-api-key. */
export type KeyMaterial = Pick<ApiKeyRow, 'keyHash' | 'keyPrefix' | 'keyLast4'>

export async function listApiKeys(db: Db, query: PageQuery & ApiKeyFilter): Promise<Page<ApiKeyRecord> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const { userId, groupId, active, tag, search } = query
  const rows = await selectApiKeys(db)
    .where(
      and(
        isNull(apiKeys.deletedAt),
        before === null ? undefined : lt(apiKeys.id, before),
        userId === undefined ? undefined : eq(apiKeys.userId, asId(userId)),
        groupId === undefined ? undefined : eq(apiKeys.groupId, asId(groupId)),
        active === undefined ? undefined : eq(apiKeys.active, active),
        tag === undefined ? undefined : sql`${apiKeys.tags} @> ${JSON.stringify([tag])}::jsonb`,
        search ? or(ilike(apiKeys.name, containing(search)), ilike(apiKeys.keyPrefix, containing(search))) : undefined,
      ),
    )
    .orderBy(desc(apiKeys.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

export async function findApiKeyById(db: Db, id: string): Promise<ApiKeyRecord | null> {
  const [row] = await selectApiKeys(db).where(and(eq(apiKeys.id, asId(id)), isNull(apiKeys.deletedAt)))
  return row ?? null
}

/** An opening balance becomes the first ledger entry. */
export async function insertApiKey(
  db: Db,
  columns: ColumnsOf<typeof ApiKeyCreate> & KeyMaterial,
  actor: string,
): Promise<ApiKeyRecord | Fault> {
  const { balanceNano = 0n, ...rest } = columns
  return transact(db, async (transaction) => {
    const fault = await checkReferences(transaction, referencesOf(rest))
    if (fault !== null) return fault
    const id = newId()
    await transaction.insert(apiKeys).values({ ...rest, id })
    if (balanceNano !== 0n)
      await changeBalance(transaction, {
        payer: 'key',
        payerId: id,
        amountNano: balanceNano,
        kind: 'top_up',
        actor,
        note: 'opening balance',
      })
    await notifyChange(transaction, 'key', id)
    return (await findApiKeyById(transaction, id)) as ApiKeyRecord
  })
}

/** A new balance is booked as an adjustment by the difference, under the key's lock. */
export async function updateApiKeyById(
  db: Db,
  id: string,
  columns: ColumnsOf<typeof ApiKeyPatch>,
  actor: string,
): Promise<ApiKeyRecord | Fault | null> {
  const { balanceNano, ...rest } = columns
  return transact(db, async (transaction) => {
    const fault = await checkReferences(transaction, referencesOf(rest))
    if (fault !== null) return fault
    const [key] = await transaction
      .update(apiKeys)
      .set({ ...rest, updatedAt: sql`now()` })
      .where(and(eq(apiKeys.id, asId(id)), isNull(apiKeys.deletedAt)))
      .returning({ balanceNano: apiKeys.balanceNano })
    if (key === undefined) return null
    const amountNano = (balanceNano ?? key.balanceNano) - key.balanceNano
    if (amountNano !== 0n)
      await changeBalance(transaction, { payer: 'key', payerId: id, amountNano, kind: 'adjustment', actor })
    await notifyChange(transaction, 'key', id)
    return findApiKeyById(transaction, id)
  })
}

/** A new secret for the same key; the old one is good until `graceUntil`, or no more (KEY-10). */
export async function rotateApiKeyById(
  db: Db,
  id: string,
  rotation: KeyMaterial & { graceUntil: Date | null },
): Promise<ApiKeyRecord | Fault | null> {
  const { graceUntil, ...material } = rotation
  return transact(db, async (transaction) => {
    const rotated = await transaction
      .update(apiKeys)
      .set({
        ...material,
        previousKeyHash: graceUntil === null ? null : sql`${apiKeys.keyHash}`,
        previousKeyExpiresAt: graceUntil,
        updatedAt: sql`now()`,
      })
      .where(and(eq(apiKeys.id, asId(id)), isNull(apiKeys.deletedAt)))
      .returning({ id: apiKeys.id })
    if (rotated.length === 0) return null
    await notifyChange(transaction, 'key', id)
    return findApiKeyById(transaction, id)
  })
}

/** The first use of a key with `expires_after_days` (KEY-5). Whoever comes first decides; later calls change nothing. */
export async function startApiKeyExpiry(db: Db, id: string, firstUsedAt: Date): Promise<void> {
  await db.transaction(async (transaction) => {
    const started = await transaction
      .update(apiKeys)
      .set({
        expiresAt: sql`${firstUsedAt.toISOString()}::timestamptz + make_interval(days => ${apiKeys.expiresAfterDays})`,
      })
      .where(and(eq(apiKeys.id, asId(id)), isNull(apiKeys.expiresAt), isNotNull(apiKeys.expiresAfterDays)))
      .returning({ id: apiKeys.id })
    if (started.length > 0) await notifyChange(transaction, 'key', id)
  })
}

/** Marks expired active keys as not active, never deletes them (KEY-11). The ids of those it marked. */
export async function disableExpiredApiKeys(db: Db, now: Date): Promise<string[]> {
  return db.transaction(async (transaction) => {
    const disabled = await transaction
      .update(apiKeys)
      .set({ active: false })
      .where(and(apiKeys.active, lte(apiKeys.expiresAt, now), isNull(apiKeys.deletedAt)))
      .returning({ id: apiKeys.id })
    for (const { id } of disabled) await notifyChange(transaction, 'key', id)
    return disabled.map(({ id }) => id)
  })
}

/** False: there was no such key. */
export async function deleteApiKeyById(db: Db, id: string): Promise<boolean> {
  return db.transaction(async (transaction) => {
    const deleted = await transaction
      .update(apiKeys)
      .set({ deletedAt: sql`now()`, active: false, previousKeyHash: null })
      .where(and(eq(apiKeys.id, asId(id)), isNull(apiKeys.deletedAt)))
      .returning({ id: apiKeys.id })
    if (deleted.length > 0) await notifyChange(transaction, 'key', id)
    return deleted.length > 0
  })
}

function referencesOf(columns: Partial<Pick<ApiKey, 'userId' | 'groupId' | 'boundAccounts'>>): References[] {
  const bound = PLATFORMS.map((platform) => ({
    field: `bound_accounts.${platform}`,
    kind: 'account' as const,
    ids: [columns.boundAccounts?.[platform]],
    platform,
  }))
  return [
    { field: 'user_id', kind: 'user', ids: [columns.userId] },
    { field: 'group_id', kind: 'group', ids: [columns.groupId] },
    ...bound,
  ]
}

function selectApiKeys(db: Db) {
  return db
    .select({ ...getTableColumns(apiKeys), ...SUMS })
    .from(apiKeys)
    .leftJoin(usageTotals, totalsOf('key', apiKeys.id))
}
