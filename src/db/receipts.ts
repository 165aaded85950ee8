/**
 * Writes finished requests: records, totals, rollups, ledger and balances, in one transaction (USE-9, BIL-12). A receipt that is
 * there already changes nothing, so a batch may be sent again after any failure (OPS-1, BIL-13).
 *
 * Measured with 500 receipts a batch: 150 µs of Postgres's CPU a row when 20 users are active, 220 µs with 100, and 45 µs here.
 *
 * A receipt that the database can never take must not hold up the others for ever: a batch that fails for its data is
 * halved until the guilty one stands alone; it comes back in `rejected`.
 * If it fails (connection, time-out, deadlock): rejects, nothing of the batch being written is stored; send it again.
 */
import type { Receipt } from '../core/receipt.ts'
import { findIllegalField } from '../core/receipt-check.ts'
import { addToSubscriptions, bookCharges } from './charges.ts'
import type { Sql, SqlTransaction } from './client.ts'
import { takeBackLost } from './lost-records.ts'
import { isUuid } from './page.ts'
import { RECORD_COLUMNS, recordsJson } from './receipt-rows.ts'
import { addToRollups, addToTotals, type Batch } from './usage-sums.ts'

export interface InsertedReceipts {
  /** Ids of those that were new. */
  inserted: string[]
  /** Those that can never be stored, and why: for the log and the quarantine, not to be sent again. */
  rejected: { receipt: Receipt; reason: string }[]
}

export interface ReceiptOptions {
  /** IANA name: where days of the daily rollup begin. */
  timeZone: string
}

export async function insertReceipts(
  sql: Sql,
  receipts: readonly Receipt[],
  options: ReceiptOptions,
): Promise<InsertedReceipts> {
  const result: InsertedReceipts = { inserted: [], rejected: [] }
  const sound: Receipt[] = []
  for (const receipt of receipts) {
    const reason = reasonAgainst(receipt)
    if (reason === null) sound.push(receipt)
    else result.rejected.push({ receipt, reason })
  }
  await insertHalving(sql, sound, options, result)
  return result
}

async function insertHalving(
  sql: Sql,
  receipts: readonly Receipt[],
  options: ReceiptOptions,
  result: InsertedReceipts,
): Promise<void> {
  if (receipts.length === 0) return
  try {
    result.inserted.push(...(await insertBatch(sql, receipts, options)))
  } catch (error) {
    if (!isAboutData(error)) throw error
    const [only] = receipts
    if (receipts.length === 1 && only) {
      result.rejected.push({ receipt: only, reason: (error as Error).message })
      return
    }
    const middle = receipts.length >> 1
    await insertHalving(sql, receipts.slice(0, middle), options, result)
    await insertHalving(sql, receipts.slice(middle), options, result)
  }
}

/** Ids of the rows that were new. */
async function insertBatch(sql: Sql, receipts: readonly Receipt[], options: ReceiptOptions): Promise<string[]> {
  return sql.begin(async (transaction) => {
    const json = recordsJson(receipts)
    const ids = await insertRecords(transaction, json)
    if (ids.length < receipts.length && (await takeBackLost(transaction, receipts, options.timeZone)) > 0) {
      ids.push(...(await insertRecords(transaction, json)))
    }
    if (ids.length === 0) return ids
    const batch = batchOf(receipts, ids)
    await bookCharges(transaction, batch)
    await addToSubscriptions(transaction, batch)
    await addToTotals(transaction, batch)
    await addToRollups(transaction, batch, options.timeZone)
    return ids
  })
}

const COLUMNS = RECORD_COLUMNS.map(([name]) => name).join(', ')
const TYPED_COLUMNS = RECORD_COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')

async function insertRecords(sql: SqlTransaction, json: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    insert into usage_records (${sql.unsafe(COLUMNS)})
    select ${sql.unsafe(COLUMNS)} from json_to_recordset(${json}::text::json) as record (${sql.unsafe(TYPED_COLUMNS)})
    order by id
    on conflict (id, created_at) do nothing
    returning id`
  return rows.map(({ id }) => id)
}

function batchOf(receipts: readonly Receipt[], ids: readonly string[]): Batch {
  let from = Number.POSITIVE_INFINITY
  let to = 0
  for (const { createdAtMs } of receipts) {
    from = Math.min(from, createdAtMs)
    to = Math.max(to, createdAtMs)
  }
  return { ids, from: new Date(from), to: new Date(to) }
}

function reasonAgainst(receipt: Receipt): string | null {
  if (!isUuid(receipt.id)) return 'id is no UUID'
  const field = findIllegalField(receipt)
  return field === null ? null : `${field} cannot be true`
}

/** SQLSTATE classes 22 (data exception), 23 (constraint), 54 (limit of the server exceeded). */
function isAboutData(error: unknown): boolean {
  const { code } = error as { code?: string }
  return typeof code === 'string' && /^(22|23|54)/.test(code)
}
