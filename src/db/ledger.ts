/**
 * Money that moves by an operator's hand or by repricing: the entry and the balance change together or not at all, under the
 * lock of the payer's row (BIL-11). Charges of requests are booked in batches by ./receipts.ts.
 */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import type { Nano } from '../core/money.ts'
import { newId } from '../lib/ids.ts'
import { apiKeys } from '../schema/api-keys.ts'
import { type LedgerEntryRow, ledgerEntries, type Payer } from '../schema/ledger-entries.ts'
import { users } from '../schema/users.ts'
import { notifyChange } from './changes.ts'
import type { Db, Sql } from './client.ts'
import { decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'

export interface BalanceMovement {
  payer: Payer
  payerId: string
  /** Positive: money in. */
  amountNano: Nano
  kind: Exclude<LedgerEntryRow['kind'], 'charge'>
  requestId?: string
  /** Name of the admin token. */
  actor: string
  note?: string
}

/** Null: there is no such user or key. Works in the caller's transaction, if it has one. */
export async function changeBalance(db: Db, movement: BalanceMovement): Promise<LedgerEntryRow | null> {
  return db.transaction(async (transaction) => {
    if (!(await moveBalance(transaction, movement))) return null
    const [entry] = await transaction
      .insert(ledgerEntries)
      .values({ id: newId(), requestId: null, note: '', ...movement })
      .returning()
    await notifyChange(transaction, movement.payer, movement.payerId)
    return entry ?? null
  })
}

async function moveBalance(db: Db, { payer, payerId, amountNano }: BalanceMovement): Promise<boolean> {
  const table = payer === 'user' ? users : apiKeys
  const moved = await db
    .update(table)
    .set({ balanceNano: sql`${table.balanceNano} + ${amountNano}` })
    .where(eq(table.id, payerId))
    .returning({ id: table.id })
  return moved.length > 0
}

export async function listLedgerEntriesByPayer(
  db: Db,
  payerId: string,
  query: PageQuery,
): Promise<Page<LedgerEntryRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await db
    .select()
    .from(ledgerEntries)
    .where(and(eq(ledgerEntries.payerId, payerId), before === null ? undefined : lt(ledgerEntries.id, before)))
    .orderBy(desc(ledgerEntries.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

export interface LedgerDrift {
  payer: Payer
  payerId: string
  balanceNano: Nano
  entriesNano: Nano
}

/** Whose balance is not the sum of their entries: nobody's, or `turnpike doctor` has found a fault (BIL-11). */
export async function findLedgerDrift(sql: Sql): Promise<LedgerDrift[]> {
  return sql<LedgerDrift[]>`
    with entries as (
      select payer, payer_id, sum(amount_nano)::bigint as total from ledger_entries group by payer, payer_id
    ), balances as (
      select 'user' as payer, id, balance_nano from users
      union all select 'key', id, balance_nano from api_keys
    )
    select coalesce(balances.payer, entries.payer) as payer, coalesce(balances.id, entries.payer_id) as "payerId",
      coalesce(balance_nano, 0) as "balanceNano", coalesce(total, 0) as "entriesNano"
    from balances full join entries on entries.payer = balances.payer and entries.payer_id = balances.id
    where coalesce(balance_nano, 0) <> coalesce(total, 0)
    order by 1, 2`
}
