/**
 * A new price table in the place of the one in force (BIL-2), from a file or URL in LiteLLM's format. It is checked by the rules that the
 * built-in table was made by (core/price-import): what looks wrong is left out and told, and then has no price, which is noticed (BIL-3).
 *
 * If it fails: a source that can't be read, is no such table or holds no usable price is a fault, and the table in force stays.
 */
import { BUILT_IN_DATE } from '../core/built-in-prices.ts'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { PriceRow } from '../core/price.ts'
import { CORRECTIONS } from '../core/price-corrections.ts'
import { importPrices, type PriceImport } from '../core/price-import.ts'
import { encodePriceTable, type PriceTable } from '../core/price-table.ts'
import type { Db } from '../db/client.ts'
import { replacePriceTable } from '../db/price-table.ts'
import { readDocument } from '../lib/read-document.ts'
import type { Prices } from '../state/price-book.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export interface PriceRefreshDeps extends AdminDeps {
  /** The prices in force here. */
  prices(): Promise<Prices>
  /** File or URL of the settings. */
  priceSource: string | null
}

export interface PriceRefresh extends Pick<PriceImport, 'refused' | 'skipped'> {
  source: string
  date: string
  models: number
  /** Models that the table in force did not have; that it had and are gone; whose price is another. */
  added: number
  removed: number
  changed: number
}

/** The real one has 1.5 MB (July 2026). */
const MOST_BYTES = 32 * 1024 * 1024
const TIMEOUT_MS = 30_000

export function createPriceRefresh(deps: PriceRefreshDeps) {
  return async (actor: Actor, body: { source?: string; date?: string }): Promise<PriceRefresh | Fault | null> => {
    const source = body.source ?? deps.priceSource
    if (source === null) return invalid('source', 'give a source, or set PRICE_SOURCE to a file or URL')
    const today = new Date(deps.clock.nowMs()).toISOString().slice(0, 10)
    const { date = today } = body
    if (Number.isNaN(Date.parse(date))) return invalid('date', 'date is no day of the calendar')
    // It would never be in force: see app/open-prices.
    if (date < BUILT_IN_DATE) return invalid('date', `the built-in table is newer: it is of ${BUILT_IN_DATE}`)
    const imported = await readTable(source, date, deps)
    if (isFault(imported)) return imported
    const before = (await deps.prices()).table()
    const { rows, refused, skipped } = imported
    const result = { source, date, models: rows.length, ...difference(before, rows), refused, skipped }
    const table: PriceTable = JSON.parse(encodePriceTable(rows, { source, licence: '', date }))
    return write(deps, {
      actor,
      verb: 'refresh',
      kind: 'price',
      changes: { source, date, models: rows.length },
      work: async (transaction: Db) => {
        await replacePriceTable(transaction, table, actor.name)
        return result
      },
      idOf: () => '*',
    })
  }
}

async function readTable(source: string, date: string, { outbound }: AdminDeps): Promise<PriceImport | Fault> {
  const document = await readDocument(source, { outbound, mostBytes: MOST_BYTES, timeoutMs: TIMEOUT_MS })
  if ('refusal' in document) return invalid('source', `the price source ${document.refusal}`)
  const parsed = parse(document.text)
  const imported = parsed === undefined ? null : importPrices(parsed, { date, corrections: CORRECTIONS })
  if (imported === null) return invalid('source', "the price source is not a price table in LiteLLM's format")
  if (imported.rows.length > 0) return imported
  return invalid('source', `the price source holds no usable price (${imported.refused.length} refused)`)
}

/** Undefined: no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function difference(before: readonly PriceRow[], after: readonly PriceRow[]) {
  const known = new Map(before.map((row) => [row.model, priceText(row)]))
  let [added, changed] = [0, 0]
  for (const row of after) {
    const price = known.get(row.model)
    if (price === undefined) added++
    else if (price !== priceText(row)) changed++
    known.delete(row.model)
  }
  return { added, changed, removed: known.size }
}

const priceText = ({ date: _, ...price }: PriceRow) => JSON.stringify(price, sortedMembers)

/** Members in one order, whatever the row was made from. */
function sortedMembers(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
