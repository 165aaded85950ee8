/**
 * A price as people write it (admin API, stored prices): USD per million tokens, snake_case, `…_usd` ↔ the whole rates of `price.ts`.
 * A number with more than 9 decimals is rounded to the nanodollar: finer than that nothing is billed.
 */
import { type ContextTier, type Price, RATE_NAMES, type RateName, type Rates, type ServiceTiers } from './price.ts'

export interface WireRates {
  input_usd?: number
  output_usd?: number
  cache_read_usd?: number
  cache_write_5m_usd?: number
  cache_write_1h_usd?: number
  input_audio_usd?: number
  input_image_usd?: number
  cache_read_audio_usd?: number
  output_audio_usd?: number
  output_image_usd?: number
  reasoning_usd?: number
}

export interface WireServiceTiers {
  flex?: WireRates
  priority?: WireRates
  batch?: WireRates
}

export interface WirePrice extends WireRates {
  /** USD for each request that did not fail, and for each search (BIL-5). */
  request_usd?: number
  web_search_usd?: number
  context_tiers?: (WireRates & { above_tokens: number; service_tiers?: WireServiceTiers })[]
  service_tiers?: WireServiceTiers
}

const WIRE_NAMES: Readonly<Record<RateName, keyof WireRates>> = {
  input: 'input_usd',
  output: 'output_usd',
  cacheRead: 'cache_read_usd',
  cacheWrite5m: 'cache_write_5m_usd',
  cacheWrite1h: 'cache_write_1h_usd',
  inputAudio: 'input_audio_usd',
  inputImage: 'input_image_usd',
  cacheReadAudio: 'cache_read_audio_usd',
  outputAudio: 'output_audio_usd',
  outputImage: 'output_image_usd',
  reasoning: 'reasoning_usd',
}

/** A price that names no input or output price has them at 0: somebody said so, unlike in an imported table. */
export function fromWirePrice(wire: WirePrice): Price {
  const rates = fromWireRates(wire)
  const price: Price = { rates: { ...rates, input: rates.input ?? 0, output: rates.output ?? 0 } }
  if (wire.service_tiers) price.serviceTiers = mapTiers(wire.service_tiers, fromWireRates)
  if (wire.context_tiers) {
    price.contextTiers = wire.context_tiers.map((tier) => {
      const read: ContextTier = { aboveTokens: tier.above_tokens, rates: fromWireRates(tier) }
      if (tier.service_tiers) read.serviceTiers = mapTiers(tier.service_tiers, fromWireRates)
      return read
    })
  }
  if (wire.request_usd !== undefined) price.perRequestNano = toNano(wire.request_usd)
  if (wire.web_search_usd !== undefined) price.perWebSearchNano = toNano(wire.web_search_usd)
  return price
}

/** The parts of a price that have a place on the wire; limits and uplifts have none. */
export function toWirePrice(price: Price): WirePrice {
  const wire: WirePrice = toWireRates(price.rates)
  if (price.perRequestNano !== undefined) wire.request_usd = price.perRequestNano / 1e9
  if (price.perWebSearchNano !== undefined) wire.web_search_usd = price.perWebSearchNano / 1e9
  if (price.contextTiers) {
    wire.context_tiers = price.contextTiers.map(({ aboveTokens, rates, serviceTiers }) => ({
      above_tokens: aboveTokens,
      ...toWireRates(rates),
      ...(serviceTiers ? { service_tiers: mapTiers(serviceTiers, toWireRates) } : {}),
    }))
  }
  if (price.serviceTiers) wire.service_tiers = mapTiers(price.serviceTiers, toWireRates)
  return wire
}

function fromWireRates(wire: WireRates): Rates {
  const rates: Rates = {}
  for (const name of RATE_NAMES) {
    const usd = wire[WIRE_NAMES[name]]
    if (usd !== undefined) rates[name] = toNano(usd)
  }
  return rates
}

export function toWireRates(rates: Rates): WireRates {
  const wire: WireRates = {}
  for (const name of RATE_NAMES) {
    const rate = rates[name]
    // Exact: the nearest double to a decimal of 9 places prints as that decimal.
    if (rate !== undefined) wire[WIRE_NAMES[name]] = rate / 1e9
  }
  return wire
}

function mapTiers<From, To>(
  tiers: { [Tier in keyof ServiceTiers]: From },
  convert: (rates: From) => To,
): { flex?: To; priority?: To; batch?: To } {
  const mapped: { flex?: To; priority?: To; batch?: To } = {}
  if (tiers.flex !== undefined) mapped.flex = convert(tiers.flex)
  if (tiers.priority !== undefined) mapped.priority = convert(tiers.priority)
  if (tiers.batch !== undefined) mapped.batch = convert(tiers.batch)
  return mapped
}

/**
 * USD (for a million tokens, or each) → whole nanodollars. Exact although it is a float: a decimal of at most 9 places is off by some
 * 1e-16 of itself as a double, so that a billion times it is next to the whole number that was meant (up to about a million USD).
 */
function toNano(usd: number): number {
  return Math.round(usd * 1e9)
}
