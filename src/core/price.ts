/**
 * What a model costs: one price row, and the rates that it sets for one request (BIL-2, BIL-4).
 *
 * A rate is a whole number of nanodollars per million tokens (3 USD per million is 3_000_000_000). The finest price in the seed
 * table has fewer digits than that once binary noise is taken off, and the largest allowed is far below 2^53: a plain integer is
 * exact, and unlike a bigint it goes through JSON unharmed (jsonb columns, the journal). Arithmetic with tokens is bigint (`cost.ts`).
 */
import { type Static, Type } from '@sinclair/typebox'
import { mulDivHalfUp } from './money.ts'
import type { Platform } from './platform.ts'

export const RATE_NAMES = [
  'input',
  'output',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'inputAudio',
  'inputImage',
  'cacheReadAudio',
  'outputAudio',
  'outputImage',
  'reasoning',
] as const
export type RateName = (typeof RATE_NAMES)[number]

export const SERVICE_TIERS = ['flex', 'priority', 'batch'] as const
export type ServiceTier = 'standard' | (typeof SERVICE_TIERS)[number]

const Rate = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const rate = Type.Optional(Rate)
const fields = {
  cacheRead: rate,
  cacheWrite5m: rate,
  cacheWrite1h: rate,
  inputAudio: rate,
  inputImage: rate,
  cacheReadAudio: rate,
  outputAudio: rate,
  outputImage: rate,
  reasoning: rate,
}
const closed = { additionalProperties: false }

/** Rates of a tier: what it leaves out follows from the model's own (see `ratesFor`). */
const RatesSchema = Type.Object({ input: rate, output: rate, ...fields }, closed)
export type Rates = Static<typeof RatesSchema>

const ServiceTiersSchema = Type.Object(
  { flex: Type.Optional(RatesSchema), priority: Type.Optional(RatesSchema), batch: Type.Optional(RatesSchema) },
  closed,
)
export type ServiceTiers = Static<typeof ServiceTiersSchema>

const ContextTierSchema = Type.Object(
  {
    /** Reached when the request's whole input (cache reads and writes included) is *greater* than this. */
    aboveTokens: Type.Integer({ minimum: 1 }),
    rates: RatesSchema,
    serviceTiers: Type.Optional(ServiceTiersSchema),
  },
  closed,
)
export type ContextTier = Static<typeof ContextTierSchema>

/** The part of a price that is stored as JSON and checked on the way in. */
export const PriceSchema = Type.Object(
  {
    rates: Type.Object({ input: Rate, output: Rate, ...fields }, closed),
    serviceTiers: Type.Optional(ServiceTiersSchema),
    contextTiers: Type.Optional(Type.Array(ContextTierSchema)),
    /** Nanodollars for each request that did not fail (BIL-5). */
    perRequestNano: rate,
    /** Nanodollars for each search that the vendor ran. */
    perWebSearchNano: rate,
    /** Words of a response that multiply the token prices, in millionths: Anthropic's `inference_geo` "us" and `speed` "fast". */
    uplifts: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 }))),
    /** The model's own limits, where the source knows them: they bound an estimate (BIL-7). */
    maxInputTokens: Type.Optional(Type.Integer({ minimum: 1 })),
    maxOutputTokens: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  closed,
)
export type Price = Static<typeof PriceSchema>

export interface PriceRow extends Price {
  /** The built-in table names a model as its source does: "gpt-5", "gemini/gemini-2.5-pro". An operator's may end in `*`. */
  model: string
  /** Whose list price it is ("openai", "azure", "deepseek"); null for prices that people set. */
  vendor: string | null
  /** Valid only there; null: anywhere. */
  platform: Platform | null
  source: 'account' | 'operator' | 'built-in'
  /** ISO 8601 day or instant from which it applies. */
  date: string
}

export type AllRates = Record<RateName, number>

/** Rates for one call, with the tiers that it reached. */
export interface EffectiveRates {
  rates: AllRates
  serviceTier: ServiceTier
  /** 0: below every context tier. */
  aboveTokens: number
}

/**
 * A response's word for how it was served → our tier. Unknown words are standard: "default", "auto", "scale",
 * "PROVISIONED_THROUGHPUT" … are billed at list price. Gemini on Vertex says it as a traffic type ("ON_DEMAND_FLEX").
 */
export function toServiceTier(word: string | null): ServiceTier {
  if (word === null) return 'standard'
  const plain = word.toLowerCase()
  for (const tier of SERVICE_TIERS) if (plain === tier || plain === `on_demand_${tier}`) return tier
  return 'standard'
}

/**
 * The rates of a call whose input is `contextTokens` in all (BIL-4).
 *
 * The highest context tier reached prices everything, output included. A tier that names a price for input but none for, say,
 * cache reads scales the model's own cache-read price as it scaled input: in the seed table 257 of the 273 prices that could be
 * checked obey that ratio to the last digit, the others are vendors' roundings to a cent. A service tier without prices is billed
 * as standard, batch at half (all four platforms' rule, and 106 of the 109 priced rows).
 */
export function ratesFor(price: Price, context: RateContext): EffectiveRates {
  const base = withDefaults(price.rates, context.anthropic)
  let band: ContextTier | null = null
  for (const tier of price.contextTiers ?? []) {
    if (context.contextTokens > tier.aboveTokens && tier.aboveTokens > (band?.aboveTokens ?? 0)) band = tier
  }
  const standard = band ? scaled(base, band.rates) : base
  const aboveTokens = band ? band.aboveTokens : 0
  const { serviceTier } = context
  if (serviceTier === 'standard') return { rates: standard, serviceTier, aboveTokens }
  const own = band?.serviceTiers?.[serviceTier]
  if (own) return { rates: scaled(standard, own), serviceTier, aboveTokens }
  const general = price.serviceTiers?.[serviceTier]
  if (general) return { rates: inProportion(standard, base, scaled(base, general)), serviceTier, aboveTokens }
  if (serviceTier === 'batch') return { rates: halved(standard), serviceTier, aboveTokens }
  return { rates: standard, serviceTier: 'standard', aboveTokens }
}

export interface RateContext {
  contextTokens: number
  serviceTier: ServiceTier
  /** Anthropic's cache reads cost a tenth of input when no price says otherwise; elsewhere as much as input. */
  anthropic: boolean
}

/** A model's own rates, with what BIL-4 says where one is missing. */
function withDefaults(rates: Price['rates'], anthropic: boolean): AllRates {
  const { input, output } = rates
  const cacheRead = rates.cacheRead ?? (anthropic ? share(input, 1, 10) : input)
  return {
    input,
    output,
    cacheRead,
    cacheWrite5m: rates.cacheWrite5m ?? share(input, 5, 4),
    cacheWrite1h: rates.cacheWrite1h ?? share(input, 2, 1),
    inputAudio: rates.inputAudio ?? input,
    inputImage: rates.inputImage ?? input,
    cacheReadAudio: rates.cacheReadAudio ?? cacheRead,
    outputAudio: rates.outputAudio ?? output,
    outputImage: rates.outputImage ?? output,
    reasoning: rates.reasoning ?? output,
  }
}

const OUTPUT_SIDE: ReadonlySet<RateName> = new Set(['output', 'outputAudio', 'outputImage', 'reasoning'])

/** A tier's own rates; the rest keeps its ratio to the input or output price that the tier changed. */
function scaled(from: AllRates, tier: Rates): AllRates {
  const result = { ...from }
  for (const name of RATE_NAMES) {
    const anchor = OUTPUT_SIDE.has(name) ? 'output' : 'input'
    const own = tier[name]
    const anchorRate = tier[anchor]
    if (own !== undefined) result[name] = own
    else if (anchorRate !== undefined) result[name] = share(from[name], anchorRate, from[anchor])
  }
  return result
}

/** A service tier priced only below the context tier: above it, it changes each rate as it did below. */
function inProportion(standard: AllRates, base: AllRates, tier: AllRates): AllRates {
  const result = { ...standard }
  for (const name of RATE_NAMES) result[name] = share(standard[name], tier[name], base[name])
  return result
}

function halved(rates: AllRates): AllRates {
  const result = { ...rates }
  for (const name of RATE_NAMES) result[name] = share(rates[name], 1, 2)
  return result
}

/** rate × part ÷ whole in whole nanodollars per million, half up. A whole of 0 has no ratio: the rate stays. */
function share(rate: number, part: number, whole: number): number {
  if (whole === 0 || part === whole) return rate
  const product = rate * part
  // Exact in doubles while the product is a safe integer divisible by the whole; else the slow way.
  if (Number.isSafeInteger(product) && product % whole === 0) return product / whole
  return Number(mulDivHalfUp(BigInt(rate), BigInt(part), BigInt(whole)))
}
