/**
 * The built-in price table as a file (`prices.gen.json`): compact, one model a line, in USD per million tokens, so that a person can
 * read a change of price in a diff. `.ci/build-prices.ts` writes it; this module knows both directions.
 */
import { type ContextTier, type Price, type PriceRow, RATE_NAMES, type Rates, type ServiceTiers } from './price.ts'

export interface PriceTable {
  source: string
  licence: string
  date: string
  unit: 'USD per million tokens'
  /** By vendor: name, standard rates, and the rest of the price where there is one. */
  vendors: Record<string, TableRow[]>
}

export type TableRow = [model: string, rates: Rates, rest?: TableRest]

interface TableRest extends ServiceTiers {
  above?: (ServiceTiers & { tokens: number; rates: Rates })[]
  /** USD each. */
  request?: number
  search?: number
  /** Factors. */
  uplifts?: Record<string, number>
  maxInput?: number
  maxOutput?: number
}

export function encodePriceTable(rows: readonly PriceRow[], about: Omit<PriceTable, 'vendors' | 'unit'>): string {
  const vendors = new Map<string, string[]>()
  for (const row of rows) {
    const lines = vendors.get(row.vendor ?? '') ?? []
    vendors.set(row.vendor ?? '', lines)
    const rest = encodeRest(row)
    const encoded: TableRow = [row.model, mapRates(row.rates, toUsdPerMillion)]
    if (Object.keys(rest).length > 0) encoded.push(rest)
    lines.push(JSON.stringify(encoded))
  }
  const head = JSON.stringify({ ...about, unit: 'USD per million tokens' }, null, 1).slice(0, -2)
  const body = [...vendors].sort(([a], [b]) => (a < b ? -1 : 1))
  const groups = body.map(([vendor, lines]) => `${JSON.stringify(vendor)}:[\n${lines.join(',\n')}\n]`)
  return `${head},\n "vendors": {\n${groups.join(',\n')}\n}\n}\n`
}

export function decodePriceTable(table: PriceTable): PriceRow[] {
  const rows: PriceRow[] = []
  for (const [vendor, group] of Object.entries(table.vendors)) {
    for (const [model, rates, rest] of group) {
      const row: PriceRow = {
        model,
        vendor,
        platform: null,
        source: 'built-in',
        date: table.date,
        rates: mapRates(rates, toRate) as Price['rates'],
      }
      if (rest) decodeRest(row, rest)
      rows.push(row)
    }
  }
  return rows
}

function encodeRest(price: Price): TableRest {
  const rest: TableRest = mapTiers(price.serviceTiers, toUsdPerMillion)
  if (price.contextTiers) {
    rest.above = price.contextTiers.map(({ aboveTokens, rates, serviceTiers }) => ({
      tokens: aboveTokens,
      rates: mapRates(rates, toUsdPerMillion),
      ...mapTiers(serviceTiers, toUsdPerMillion),
    }))
  }
  if (price.perRequestNano !== undefined) rest.request = toUsdPerMillion(price.perRequestNano)
  if (price.perWebSearchNano !== undefined) rest.search = toUsdPerMillion(price.perWebSearchNano)
  if (price.uplifts) rest.uplifts = mapValues(price.uplifts, (micro) => micro / 1e6)
  if (price.maxInputTokens !== undefined) rest.maxInput = price.maxInputTokens
  if (price.maxOutputTokens !== undefined) rest.maxOutput = price.maxOutputTokens
  return rest
}

function decodeRest(price: Price, rest: TableRest): void {
  const serviceTiers = mapTiers(rest, toRate)
  if (Object.keys(serviceTiers).length > 0) price.serviceTiers = serviceTiers
  if (rest.above) {
    price.contextTiers = rest.above.map((tier) => {
      const decoded: ContextTier = { aboveTokens: tier.tokens, rates: mapRates(tier.rates, toRate) }
      const tiers = mapTiers(tier, toRate)
      if (Object.keys(tiers).length > 0) decoded.serviceTiers = tiers
      return decoded
    })
  }
  if (rest.request !== undefined) price.perRequestNano = toRate(rest.request)
  if (rest.search !== undefined) price.perWebSearchNano = toRate(rest.search)
  if (rest.uplifts) price.uplifts = mapValues(rest.uplifts, (factor) => Math.round(factor * 1e6))
  if (rest.maxInput !== undefined) price.maxInputTokens = rest.maxInput
  if (rest.maxOutput !== undefined) price.maxOutputTokens = rest.maxOutput
}

function mapTiers(tiers: ServiceTiers | undefined, convert: (value: number) => number): ServiceTiers {
  const mapped: ServiceTiers = {}
  if (tiers?.flex) mapped.flex = mapRates(tiers.flex, convert)
  if (tiers?.priority) mapped.priority = mapRates(tiers.priority, convert)
  if (tiers?.batch) mapped.batch = mapRates(tiers.batch, convert)
  return mapped
}

/** In the order of RATE_NAMES, so that the same prices always make the same text. */
function mapRates(rates: Rates, convert: (value: number) => number): Rates {
  const mapped: Rates = {}
  for (const name of RATE_NAMES) {
    const rate = rates[name]
    if (rate !== undefined) mapped[name] = convert(rate)
  }
  return mapped
}

function mapValues<K extends string>(values: Record<K, number>, convert: (value: number) => number): Record<K, number> {
  const mapped = {} as Record<K, number>
  for (const name in values) mapped[name] = convert(values[name])
  return mapped
}

/**
 * Both ways are exact although they are floats: a decimal with at most 9 places is off by some 1e-16 of itself as a double, so that its
 * product with 1e9 is less than a thousandth away from the whole number that was meant (up to 9 million USD per million tokens).
 */
function toRate(usd: number): number {
  return Math.round(usd * 1e9)
}

function toUsdPerMillion(rate: number): number {
  return rate / 1e9
}
