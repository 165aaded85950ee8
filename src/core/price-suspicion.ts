/**
 * Why a price looks like somebody's slip rather than a vendor's list. Each rule caught real rows of the seed table (state 2026-07-24);
 * the numbers in the comments are how many. A row under suspicion is not imported until a person corrects or confirms it.
 */
import { type Price, RATE_NAMES, type Rates, SERVICE_TIERS, type ServiceTiers } from './price.ts'

const USD_PER_MILLION = 1_000_000_000
/** The dearest real list prices are 150 in and 600 out (o1-pro); the 16 above these limits are off by factors of 100 to a million. */
const MAX_INPUT = 200 * USD_PER_MILLION
const MAX_OUTPUT = 1000 * USD_PER_MILLION
/** Embeddings cost cents; the 4 rows above this are 1000 × off, or priced for a second of video. */
const MAX_EMBEDDING = 5 * USD_PER_MILLION

export function suspicionsOf(price: Price, model: { generates: boolean }): string[] {
  const found: string[] = []
  const { rates } = price
  for (const { where, sheet, over, kind } of sheetsOf(price)) {
    const say = (what: string) => found.push(`${where}: ${what}`)
    checkSheet(sheet, rates, say)
    if (kind !== 'standard') checkTier({ sheet, over, kind, say })
  }
  const maxInput = model.generates ? MAX_INPUT : MAX_EMBEDDING
  if (rates.input > maxInput || rates.output > MAX_OUTPUT) found.push('standard: absurdly dear')
  if (rates.input === 0 && rates.output === 0) found.push('standard: everything is free')
  else if (rates.input === 0) found.push('standard: input is free, output is not')
  else if (rates.output === 0 && model.generates) found.push('standard: output is free, input is not')
  // A chat model filed as an embedding model would give its output away.
  if (!model.generates && price.contextTiers) found.push('standard: an embedding model with a long-context price')
  // 2 rows, both slips; the steepest real models are at 20 (Gemini's speech) and 18.
  if (rates.input > 0 && rates.output > 20 * rates.input) found.push('standard: output costs more than 20 × input')
  return found
}

/** What must hold within any one sheet of prices. */
function checkSheet(sheet: Rates, base: Rates, say: (what: string) => void): void {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h } = sheet
  if (input !== undefined && input > 0) {
    if (cacheWrite5m !== undefined && cacheWrite5m * 4 !== input * 5) say('5-minute cache write is not 1.25 × input')
    if (cacheWrite1h !== undefined && cacheWrite1h !== input * 2) say('1-hour cache write is not 2 × input')
    if (cacheRead !== undefined && cacheRead > input) say('cache read costs more than input')
  }
  for (const name of RATE_NAMES) {
    if (name === 'input' || name === 'output') continue
    if (sheet[name] === 0 && (base.input ?? 0) > 0) say(`${name} is free, input is not`)
  }
}

type Kind = 'standard' | 'context' | (typeof SERVICE_TIERS)[number]

/** How many times the price below it a tier may cost. Long context: Alibaba goes up to 12 ×, the four platforms to 2. */
const BOUNDS: Readonly<Record<Exclude<Kind, 'standard'>, { least: number; most: number }>> = {
  context: { least: 1, most: 12 },
  priority: { least: 1, most: 3 },
  flex: { least: 0.4, most: 1 },
  batch: { least: 0.4, most: 1 },
}

interface Tier {
  sheet: Rates
  /** The prices that the tier takes the place of. */
  over: Rates
  kind: Exclude<Kind, 'standard'>
  say: (what: string) => void
}

/** What must hold between a tier and the prices it takes the place of. */
function checkTier({ sheet, over, kind, say }: Tier): void {
  const { least, most } = BOUNDS[kind]
  for (const name of ['cacheWrite5m', 'cacheWrite1h'] as const) {
    if (sheet[name] !== undefined && over[name] === undefined) say(`${name} has a price here but none below`)
  }
  for (const name of ['input', 'output'] as const) {
    const own = sheet[name]
    const below = over[name]
    if (own === undefined || below === undefined) continue
    if (own < least * below || own > most * below) say(`${name} is not ${least} to ${most} × the price below`)
  }
}

interface Sheet {
  /** "standard", "priority", "above 200000", "above 200000 priority". */
  where: string
  sheet: Rates
  over: Rates
  kind: Kind
}

function* sheetsOf(price: Price): Generator<Sheet> {
  const { rates } = price
  yield { where: 'standard', sheet: rates, over: rates, kind: 'standard' }
  yield* serviceSheets('', rates, price.serviceTiers)
  for (const tier of price.contextTiers ?? []) {
    const where = `above ${tier.aboveTokens}`
    yield { where, sheet: tier.rates, over: rates, kind: 'context' }
    yield* serviceSheets(`${where} `, { ...rates, ...tier.rates }, tier.serviceTiers)
  }
}

function* serviceSheets(prefix: string, over: Rates, tiers: ServiceTiers | undefined): Generator<Sheet> {
  for (const kind of SERVICE_TIERS) {
    const sheet = tiers?.[kind]
    if (sheet) yield { where: prefix + kind, sheet, over, kind }
  }
}
