/** Prices to test with: small, written for the tests, in USD per million tokens as people read them. */
import type { Price, PriceRow, Rates } from '../../src/core/price.ts'
import type { ResolvedPrice } from '../../src/core/price-index.ts'
import { NO_USAGE, type Usage } from '../../src/core/usage.ts'

/** rates({ input: 3, output: 15 }) → nanodollars per million tokens. */
export function rates<T extends Rates>(usdPerMillion: T): T {
  return Object.fromEntries(Object.entries(usdPerMillion).map(([name, usd]) => [name, Math.round(usd * 1e9)])) as T
}

export function priceRow(row: Partial<PriceRow> & Pick<PriceRow, 'model'>): PriceRow {
  const base: Price = { rates: rates({ input: 3, output: 15 }) }
  return { vendor: null, platform: null, source: 'operator', date: '2026-01-01', ...base, ...row }
}

export function resolved(row: Partial<PriceRow>, anthropic = false): ResolvedPrice {
  return { row: priceRow({ model: 'test-model', ...row }), match: 'exact', anthropic }
}

export function usage(some: Partial<Usage>): Usage {
  return { ...NO_USAGE, ...some }
}
