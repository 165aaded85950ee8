/**
 * One entry of LiteLLM's price table → a price. Field names and meaning:
 * https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json ("sample_spec").
 *
 * A price is a JSON number in USD per token; a base field with `_above_200k_tokens` and/or `_flex`, `_priority`, `_batches` behind it is
 * that price in a tier. Binary noise ("2.9999900000000002e-06") is below our scale and rounded away; real digits below it are an error.
 */
import { type ContextTier, type Price, RATE_NAMES, type RateName, type Rates, type ServiceTiers } from './price.ts'

export type Entry = Readonly<Record<string, unknown>>

export function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const FIELDS: Readonly<Record<RateName, string>> = {
  input: 'input_cost_per_token',
  output: 'output_cost_per_token',
  cacheRead: 'cache_read_input_token_cost',
  cacheWrite5m: 'cache_creation_input_token_cost',
  cacheWrite1h: 'cache_creation_input_token_cost_above_1hr',
  inputAudio: 'input_cost_per_audio_token',
  inputImage: 'input_cost_per_image_token',
  cacheReadAudio: 'cache_read_input_audio_token_cost',
  outputAudio: 'output_cost_per_audio_token',
  outputImage: 'output_cost_per_image_token',
  reasoning: 'output_cost_per_reasoning_token',
}

const NAME_OF_FIELD = new Map(RATE_NAMES.map((name) => [FIELDS[name], name]))
const TIER_SUFFIX = /(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches))?$/

export interface ReadPrice {
  price: Price
  /** Why a number could not be taken; empty when all could. */
  unreadable: string[]
}

export function readPrice(entry: Entry, vendor: string, model: string): ReadPrice {
  const unreadable: string[] = []
  const base: Rates = {}
  const serviceTiers: ServiceTiers = {}
  const contextTiers = new Map<number, ContextTier>()
  const contextTier = (aboveTokens: number): ContextTier => {
    const tier = contextTiers.get(aboveTokens) ?? { aboveTokens, rates: {} }
    contextTiers.set(aboveTokens, tier)
    return tier
  }
  const read = (source: Entry, sheetOf: (above: number, service: string | undefined) => Rates): void => {
    for (const [field, value] of Object.entries(source)) {
      const suffix = TIER_SUFFIX.exec(field)
      const name = NAME_OF_FIELD.get(field.slice(0, suffix?.index))
      if (name === undefined || typeof value !== 'number') continue
      const rate = toRate(value)
      if (rate === null) unreadable.push(`${field} is not a price that can be billed: ${value}`)
      else sheetOf(Number(suffix?.[1] ?? 0) * 1000, suffix?.[2])[name] = rate
    }
  }
  read(entry, (above, service) => {
    const tier = above === 0 ? null : contextTier(above)
    if (service === undefined) return tier ? tier.rates : base
    if (tier) tier.serviceTiers ??= {}
    const sheets = tier?.serviceTiers ?? serviceTiers
    const name = service === 'batches' ? 'batch' : (service as 'flex' | 'priority')
    sheets[name] ??= {}
    return sheets[name]
  })
  for (const { from, source } of rangesOf(entry)) read(source, () => (from === 0 ? base : contextTier(from).rates))
  const price: Price = { rates: { ...base, input: base.input ?? 0, output: base.output ?? 0 } }
  if (Object.keys(serviceTiers).length > 0) price.serviceTiers = serviceTiers
  if (contextTiers.size > 0)
    price.contextTiers = [...contextTiers.values()].sort((a, b) => a.aboveTokens - b.aboveTokens)
  addFees(price, entry, { vendor, model })
  tidy(price)
  return { price, unreadable }
}

/** USD per token → nanodollars per million tokens. Null: negative, absurd, or finer than we can bill. */
function toRate(usdPerToken: number): number | null {
  const scaled = usdPerToken * 1e15
  const rate = Math.round(scaled)
  // Noise is some 1e-16 of the value; anything above a thousandth of our unit is a digit somebody wrote.
  return Number.isSafeInteger(rate) && rate >= 0 && Math.abs(scaled - rate) < 1e-3 ? rate : null
}

/** Alibaba's and others' `tiered_pricing`: whole-request prices by ranges of input, "(32000, 128000]". */
function rangesOf(entry: Entry): { from: number; source: Entry }[] {
  if (!Array.isArray(entry.tiered_pricing)) return []
  return entry.tiered_pricing.flatMap((source: unknown) => {
    if (!isEntry(source) || !Array.isArray(source.range)) return []
    return [{ from: Number(source.range[0]), source }]
  })
}

/** OpenAI's search models search on every request and say nothing about it in their usage. */
const ALWAYS_SEARCHES = /search-(?:preview|api)/

function addFees(price: Price, entry: Entry, { vendor, model }: { vendor: string; model: string }): void {
  const perRequest = toNano(entry.input_cost_per_request)
  if (perRequest) price.perRequestNano = perRequest
  if (isEntry(entry.search_context_cost_per_query)) {
    // The size of the search context is in the request, which nobody parses: the vendor's default size counts.
    const defaultSize = vendor === 'perplexity' ? 'low' : 'medium'
    const fee = toNano(entry.search_context_cost_per_query[`search_context_size_${defaultSize}`])
    if (fee && (vendor === 'perplexity' || ALWAYS_SEARCHES.test(model))) price.perRequestNano = fee
    else if (fee) price.perWebSearchNano = fee
  }
  if (isEntry(entry.provider_specific_entry)) {
    const uplifts = Object.entries(entry.provider_specific_entry).filter(([, factor]) => typeof factor === 'number')
    if (uplifts.length > 0) {
      price.uplifts = Object.fromEntries(uplifts.map(([word, factor]) => [word, Math.round(Number(factor) * 1e6)]))
    }
  }
  if (isCount(entry.max_input_tokens)) price.maxInputTokens = entry.max_input_tokens
  if (isCount(entry.max_output_tokens)) price.maxOutputTokens = entry.max_output_tokens
}

function toNano(usd: unknown): number | null {
  return typeof usd === 'number' && usd >= 0 ? Math.round(usd * 1e9) : null
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** Leaves out what says nothing. */
function tidy(price: Price): void {
  const { rates } = price
  if (rates.reasoning === rates.output) delete rates.reasoning
  if (rates.inputAudio === rates.input) delete rates.inputAudio
  if (rates.inputImage === rates.input) delete rates.inputImage
  // Vendors without a price for writing a cache are listed with 0 (DeepSeek, Z.AI, OpenRouter's others). They report no written tokens;
  // should one begin to, those tokens must not be free: the default of BIL-4 applies.
  if (rates.cacheWrite5m === 0) delete rates.cacheWrite5m
  if (rates.cacheWrite1h === 0) delete rates.cacheWrite1h
}
