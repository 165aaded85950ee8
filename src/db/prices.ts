/** Operator's prices and overrides of accounts (BIL-2). PUT replaces the row of the same model, platform, account and date. */
import { and, desc, eq, isNull, lt, sql } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { type PricePut, type PriceRow, prices } from '../schema/prices.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, cleanText, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { checkReferences } from './references.ts'
import { transact } from './transact.ts'

export async function listPrices(db: Db, query: PageQuery & { model?: string }): Promise<Page<PriceRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await db
    .select()
    .from(prices)
    .where(
      and(
        before === null ? undefined : lt(prices.id, before),
        query.model === undefined ? undefined : eq(prices.model, cleanText(query.model)),
      ),
    )
    .orderBy(desc(prices.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

/** All of them, for the request path's price index. */
export async function listAllPrices(db: Db): Promise<PriceRow[]> {
  return db.select().from(prices).orderBy(prices.model, prices.effectiveFrom)
}

/** `now`: in force from then on, unless the columns name a time. */
export async function upsertPrice(
  db: Db,
  columns: ColumnsOf<typeof PricePut> & { model: string },
  now: Date,
): Promise<PriceRow | Fault> {
  const price = { platform: null, accountId: null, effectiveFrom: now, note: '', ...columns }
  return transact(db, async (transaction) => {
    const { platform, accountId } = price
    const fault = await checkReferences(transaction, [
      { field: 'account_id', kind: 'account', ids: [accountId], ...(platform === null ? {} : { platform }) },
    ])
    if (fault !== null) return fault
    // Two PUTs of one new price at once: the lock makes the second one see the first.
    await transaction.execute(sql`select pg_advisory_xact_lock(hashtext('price'), hashtext(${price.model}))`)
    const identity = and(
      eq(prices.model, price.model),
      platform === null ? isNull(prices.platform) : eq(prices.platform, platform),
      accountId === null ? isNull(prices.accountId) : eq(prices.accountId, accountId),
      eq(prices.effectiveFrom, price.effectiveFrom),
    )
    const { rates, note } = price
    const [updated] = await transaction
      .update(prices)
      .set({ rates, note, updatedAt: sql`now()` })
      .where(identity)
      .returning()
    const [row = updated] = updated
      ? [updated]
      : await transaction
          .insert(prices)
          .values({ id: newId(), ...price })
          .returning()
    await notifyChange(transaction, 'price', price.model)
    return row as PriceRow
  })
}

/** Every dated row of the model, or only those of one platform or account. How many there were. */
export async function deletePricesByModel(
  db: Db,
  model: string,
  only: { platform?: PriceRow['platform']; accountId?: string } = {},
): Promise<number> {
  return db.transaction(async (transaction) => {
    const deleted = await transaction
      .delete(prices)
      .where(
        and(
          eq(prices.model, cleanText(model)),
          only.platform ? eq(prices.platform, only.platform) : undefined,
          only.accountId === undefined ? undefined : eq(prices.accountId, asId(only.accountId)),
        ),
      )
      .returning({ id: prices.id })
    if (deleted.length > 0) await notifyChange(transaction, 'price', model)
    return deleted.length
  })
}
