/**
 * The built-in price table as a file (`prices.gen.json`): one model a line, in USD per million tokens as on the wire, so that a person
 * can read a change of price in a diff. `.ci/build-prices.ts` writes it; this module knows both directions.
 */
import type { PriceRow } from './price.ts'
import { fromWirePrice, toWirePrice, type WirePrice } from './price-wire.ts'

export interface PriceTable {
  source: string
  licence: string
  date: string
  unit: 'USD per million tokens'
  /** By vendor. */
  vendors: Record<string, [model: string, price: TablePrice][]>
}

interface TablePrice extends WirePrice {
  /** Factors. */
  uplifts?: Record<string, number>
  max_input_tokens?: number
  max_output_tokens?: number
}

export function encodePriceTable(rows: readonly PriceRow[], about: Omit<PriceTable, 'vendors' | 'unit'>): string {
  const vendors = new Map<string, string[]>()
  for (const row of rows) {
    const vendor = row.vendor ?? ''
    const lines = vendors.get(vendor) ?? []
    lines.push(JSON.stringify([row.model, encodePrice(row)]))
    vendors.set(vendor, lines)
  }
  const head = JSON.stringify({ ...about, unit: 'USD per million tokens' }, null, 1).slice(0, -2)
  const sorted = [...vendors].sort(([a], [b]) => (a < b ? -1 : 1))
  const groups = sorted.map(([vendor, lines]) => `${JSON.stringify(vendor)}:[\n${lines.join(',\n')}\n]`)
  return `${head},\n "vendors": {\n${groups.join(',\n')}\n}\n}\n`
}

export function decodePriceTable(table: PriceTable): PriceRow[] {
  return Object.entries(table.vendors).flatMap(([vendor, models]) =>
    models.map(([model, price]) => decodePrice({ model, vendor, date: table.date }, price)),
  )
}

function encodePrice(row: PriceRow): TablePrice {
  const price: TablePrice = toWirePrice(row)
  if (row.uplifts) {
    const factors = Object.entries(row.uplifts).map(([word, micro]) => [word, micro / 1e6])
    price.uplifts = Object.fromEntries(factors)
  }
  if (row.maxInputTokens !== undefined) price.max_input_tokens = row.maxInputTokens
  if (row.maxOutputTokens !== undefined) price.max_output_tokens = row.maxOutputTokens
  return price
}

function decodePrice(head: Pick<PriceRow, 'model' | 'vendor' | 'date'>, price: TablePrice): PriceRow {
  const row: PriceRow = { ...head, platform: null, source: 'built-in', ...fromWirePrice(price) }
  if (price.uplifts) {
    const micros = Object.entries(price.uplifts).map(([word, factor]) => [word, Math.round(factor * 1e6)])
    row.uplifts = Object.fromEntries(micros)
  }
  if (price.max_input_tokens !== undefined) row.maxInputTokens = price.max_input_tokens
  if (price.max_output_tokens !== undefined) row.maxOutputTokens = price.max_output_tokens
  return row
}
