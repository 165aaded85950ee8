/**
 * A price table in LiteLLM's format → our price rows (BIL-2). Pure: works on parsed JSON, so that the build of the built-in table and
 * an operator's refresh (from a file or a URL) run the same code and the same checks.
 *
 * Taken is what this gateway can bill: models priced by token, on endpoints that it serves. A row that looks wrong is refused with its
 * reasons (`price-suspicion.ts`) unless a person corrected or confirmed it (`price-corrections.ts`): a missing price is noticed
 * (BIL-3), a wrong one is not.
 */
import { type Entry, isEntry, readPrice } from './litellm-entry.ts'
import type { PriceRow } from './price.ts'
import { applyCorrection, type Correction } from './price-corrections.ts'
import { suspicionsOf } from './price-suspicion.ts'

export interface PriceImport {
  /** Sorted by name. */
  rows: PriceRow[]
  /** Rows that nobody should be billed by before a person has looked, each with why. */
  refused: { model: string; reasons: string[] }[]
  /** How many entries are none of our business, by reason. */
  skipped: Record<string, number>
}

export interface PriceImportOptions {
  /** Date of the table, "2026-07-24": its prices hold from then on. */
  date: string
  corrections: readonly Correction[]
}

/** Null when the JSON is no table of this format at all. */
export function importPrices(table: unknown, options: PriceImportOptions): PriceImport | null {
  if (!isEntry(table)) return null
  const rows = new Map<string, PriceRow>()
  const refused = new Map<string, string[]>()
  const result: PriceImport = { rows: [], refused: [], skipped: {} }
  for (const key of Object.keys(table).sort(fullNamesFirst)) {
    const entry = table[key]
    const skip = isEntry(entry) ? reasonToSkip(key, entry) : 'not an object'
    if (skip !== null) {
      result.skipped[skip] = (result.skipped[skip] ?? 0) + 1
      continue
    }
    const read = readRow(key, entry as Entry, options)
    const { model } = read.row
    if (rows.has(model) || refused.has(model)) continue
    if (read.reasons.length > 0) refused.set(model, read.reasons)
    else rows.set(model, read.row)
  }
  result.rows = [...rows.values()].sort((a, b) => compare(a.model, b.model))
  result.refused = [...refused]
    .map(([model, reasons]) => ({ model, reasons }))
    .sort((a, b) => compare(a.model, b.model))
  return result
}

function readRow(key: string, entry: Entry, options: PriceImportOptions): { row: PriceRow; reasons: string[] } {
  const vendor = vendorOf(entry)
  const model = nameOf(key, vendor)
  const correction = options.corrections.find((one) => one.model === model)
  const { price, unreadable } = readPrice(entry, vendor, model)
  const corrected = applyCorrection(price, correction)
  const reasons = [...unreadable, ...suspicionsOf(corrected, { generates: entry.mode !== 'embedding' })]
  return {
    row: { model, vendor, platform: null, source: 'built-in', date: options.date, ...corrected },
    reasons: reasons.filter((reason) => !correction?.confirmed?.includes(reason)),
  }
}

/** Where the table has both "deepseek-chat" and "deepseek/deepseek-chat", the entry that says whose it is wins. */
function fullNamesFirst(a: string, b: string): number {
  return Number(b.includes('/')) - Number(a.includes('/')) || compare(a, b)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const SERVED_MODES = new Set(['chat', 'responses', 'completion', 'embedding'])
/** Gemini answers with images and speech on the same endpoint as with text, billed by token. */
const GEMINI_MODES = new Set(['image_generation', 'audio_speech'])

function reasonToSkip(key: string, entry: Entry): string | null {
  if (entry.litellm_provider === undefined || key === 'sample_spec') return 'not a model'
  const vendor = vendorOf(entry)
  const mode = String(entry.mode)
  const served = SERVED_MODES.has(mode) || (GEMINI_MODES.has(mode) && (vendor === 'gemini' || vendor === 'vertex_ai'))
  if (!served) return `mode ${mode} is not served or not priced by token`
  if (entry.input_cost_per_token === undefined && !Array.isArray(entry.tiered_pricing)) return 'no price per token'
  if (/^(?:together|fireworks)-ai-/.test(key)) return 'a size class, not a model'
  // "bedrock/us-east-1/…": a request names no region, so such a row could never be found.
  if (/^bedrock\/.+\//.test(key)) return 'a price of one Bedrock region'
  return null
}

/** Providers of the source that are one vendor with one price list. */
function vendorOf(entry: Entry): string {
  const provider = String(entry.litellm_provider)
  if (provider.startsWith('vertex_ai')) return 'vertex_ai'
  if (provider.startsWith('bedrock')) return 'bedrock'
  if (provider.startsWith('text-completion-')) return provider.slice('text-completion-'.length)
  if (provider === 'cohere_chat') return 'cohere'
  if (provider === 'azure_text') return 'azure'
  return provider
}

/** The three whose models go by their bare names everywhere; everybody else's carry the vendor's. */
const BARE_VENDORS = new Set(['openai', 'anthropic', 'bedrock'])

function nameOf(key: string, vendor: string): string {
  return key.includes('/') || BARE_VENDORS.has(vendor) ? key : `${vendor}/${key}`
}
