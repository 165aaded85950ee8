/** Subscriptions: assigned, extended, revoked (never deleted: usage counts against them). Windows move with ./receipts.ts. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { groups } from '../schema/groups.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import {
  type SubscriptionCreate,
  type SubscriptionPatch,
  type SubscriptionRow,
  subscriptions,
} from '../schema/subscriptions.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { checkReferences } from './references.ts'
import { transact } from './transact.ts'

export interface SubscriptionFilter {
  userId?: string
  groupId?: string
  status?: SubscriptionRow['status']
}

const DAY_MS = 86_400_000

export async function listSubscriptions(
  db: Db,
  query: PageQuery & SubscriptionFilter,
): Promise<Page<SubscriptionRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const { userId, groupId, status } = query
  const rows = await db
    .select()
    .from(subscriptions)
    .where(
      and(
        before === null ? undefined : lt(subscriptions.id, before),
        userId === undefined ? undefined : eq(subscriptions.userId, asId(userId)),
        groupId === undefined ? undefined : eq(subscriptions.groupId, asId(groupId)),
        status && eq(subscriptions.status, status),
      ),
    )
    .orderBy(desc(subscriptions.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

export async function findSubscriptionById(db: Db, id: string): Promise<SubscriptionRow | null> {
  const [row] = await db
    .select()
    .from(subscriptions)
    .where(eq(subscriptions.id, asId(id)))
  return row ?? null
}

/** Ends at `expiresAt`, or `days` after its start; `now` is its start unless it names one. */
export async function insertSubscription(
  db: Db,
  columns: ColumnsOf<typeof SubscriptionCreate>,
  now: Date,
): Promise<SubscriptionRow | Fault> {
  const { days, expiresAt, startsAt = now, ...rest } = columns
  if ((days === undefined) === (expiresAt === undefined))
    return invalid('expires_at', 'give one of expires_at and days')
  const end = expiresAt ?? new Date(startsAt.getTime() + (days ?? 0) * DAY_MS)
  if (end <= startsAt) return invalid('expires_at', 'the subscription would end before it starts')
  return transact(db, async (transaction) => {
    const fault =
      (await checkReferences(transaction, [
        { field: 'user_id', kind: 'user', ids: [rest.userId] },
        { field: 'group_id', kind: 'group', ids: [rest.groupId] },
      ])) ?? (await checkBillingType(transaction, rest.groupId))
    if (fault !== null) return fault
    const [row] = await transaction
      .insert(subscriptions)
      .values({ ...rest, id: newId(), startsAt, expiresAt: end })
      .returning()
    await notifyChange(transaction, 'subscription', (row as SubscriptionRow).id)
    return row as SubscriptionRow
  })
}

export async function updateSubscriptionById(
  db: Db,
  id: string,
  columns: ColumnsOf<typeof SubscriptionPatch>,
): Promise<SubscriptionRow | Fault | null> {
  return writeSubscription(db, id, columns)
}

/** Null: there was none, or it was revoked already. */
export async function revokeSubscriptionById(db: Db, id: string): Promise<SubscriptionRow | null> {
  const revoked = await writeSubscription(db, id, { status: 'revoked' })
  return isFault(revoked) ? null : revoked
}

async function writeSubscription(
  db: Db,
  id: string,
  columns: Partial<SubscriptionRow>,
): Promise<SubscriptionRow | Fault | null> {
  return transact(db, async (transaction) => {
    const [row] = await transaction
      .update(subscriptions)
      .set({ ...columns, updatedAt: sql`now()` })
      .where(and(eq(subscriptions.id, asId(id)), eq(subscriptions.status, 'active')))
      .returning()
    if (row === undefined) return null
    await notifyChange(transaction, 'subscription', id)
    return row
  })
}

async function checkBillingType(db: Db, groupId: string): Promise<Fault | null> {
  const [group] = await db.select().from(groups).where(eq(groups.id, groupId))
  return group?.billingType === 'subscription'
    ? null
    : invalid('group_id', `group ${group?.name} does not have billing type subscription`)
}
