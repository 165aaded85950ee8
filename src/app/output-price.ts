/** What a token of output costs, to find the cheapest model for a test of an account (ACC-15); null: not known. */
import type { Account } from '../core/entities.ts'
import { type PriceBook, resolvePrice } from '../core/price-index.ts'

export function outputPrice(book: PriceBook, { platform }: Account, model: string): number | null {
  return resolvePrice(book, { platform, model, atMs: Date.now() })?.row.rates.output ?? null
}
