/**
 * What a person found out about rows of the price table: the right number, a price that does not exist, or "it is so".
 * Data, with the vendor's page. A correction is applied before the checks, so a corrected row is checked like any other.
 * Rows that the checks cannot see through were found by `.ci/compare-prices.ts` and confirmed by a third source.
 */
import type { Price, RateName, ServiceTier } from './price.ts'

export interface Correction {
  model: string
  /** Standard rates in USD per million tokens; null: there is no such price. */
  usdPerMillion?: Partial<Record<RateName, number | null>>
  /** Service tiers that the vendor does not offer for this model. */
  withoutTiers?: readonly Exclude<ServiceTier, 'standard'>[]
  withoutContextTiers?: boolean
  /** Suspicions that are not true of this model, word for word. */
  confirmed?: readonly string[]
  why: string
}

const ANTHROPIC = 'https://platform.claude.com/docs/en/about-claude/pricing'
const OPENAI = 'https://platform.openai.com/docs/pricing'
const GOOGLE = 'https://ai.google.dev/gemini-api/docs/pricing'
const AWS = 'https://aws.amazon.com/bedrock/pricing/'
const HAIKU_3_WRITES = 'standard: 5-minute cache write is not 1.25 × input'

export const CORRECTIONS: readonly Correction[] = [
  {
    model: 'claude-3-haiku-20240307',
    usdPerMillion: { cacheWrite1h: 0.5 },
    confirmed: [HAIKU_3_WRITES],
    why: `Haiku 3 writes cost 0.30 for 5 minutes (not 0.3125) and 0.50 for an hour; the table has 6 for the latter. ${ANTHROPIC}`,
  },
  {
    model: 'vercel_ai_gateway/anthropic/claude-3-haiku',
    confirmed: [HAIKU_3_WRITES],
    why: `The same 0.30 as Anthropic's own. ${ANTHROPIC}`,
  },
  {
    model: 'claude-3-opus-20240229',
    usdPerMillion: { cacheWrite1h: 30 },
    why: `Opus 3 writes cost 30 for an hour; the table has 6, less than input. ${ANTHROPIC}`,
  },
  {
    model: 'gpt-5-nano',
    withoutTiers: ['priority'],
    why: `OpenAI lists no priority price for gpt-5-nano; the table has 50 × standard input and none for output. ${OPENAI}`,
  },
  ...['azure/eu/gpt-4o-2024-11-20', 'azure/us/gpt-4o-2024-11-20', 'ft:gpt-4o-2024-11-20'].map((model) => ({
    model,
    usdPerMillion: { cacheWrite5m: null },
    why: `Writing gpt-4o's cache costs nothing extra; the table has the cache-read price in that field. ${OPENAI}`,
  })),
  {
    model: 'eu.anthropic.claude-3-5-haiku-20241022-v1:0',
    usdPerMillion: { input: 0.8, output: 4, cacheRead: 0.08, cacheWrite5m: 1 },
    why: `The table has Haiku 3's prices; its own us. and unprefixed rows of the model are right. ${AWS}`,
  },
  {
    model: 'eu.anthropic.claude-opus-4-5-20251101-v1:0',
    usdPerMillion: { input: 5.5, output: 27.5, cacheRead: 0.55, cacheWrite5m: 6.875 },
    why: `Regional profiles cost 10 % more than global ones, as the table has it for us. ${AWS}`,
  },
  {
    model: 'gemini/gemini-2.5-flash-preview-tts',
    usdPerMillion: { input: 0.5, output: 10 },
    why: `Speech is what this model generates; the table has the text model's prices. ${GOOGLE}`,
  },
  ...['gemini/gemini-2.5-pro-preview-tts', 'vertex_ai/gemini-2.5-pro-preview-tts'].map((model) => ({
    model,
    usdPerMillion: { input: 1, output: 20, cacheRead: null, inputAudio: null },
    withoutContextTiers: true,
    why: `Speech is what this model generates; the table has the text model's prices. ${GOOGLE}`,
  })),
]

export function applyCorrection(price: Price, correction: Correction | undefined): Price {
  if (!correction) return price
  const corrected: Price = { ...price, rates: { ...price.rates } }
  for (const [name, usd] of Object.entries(correction.usdPerMillion ?? {}) as [RateName, number | null][]) {
    if (usd !== null) corrected.rates[name] = Math.round(usd * 1e9)
    else if (name !== 'input' && name !== 'output') delete corrected.rates[name]
  }
  if (correction.withoutTiers && corrected.serviceTiers) {
    corrected.serviceTiers = { ...corrected.serviceTiers }
    for (const tier of correction.withoutTiers) delete corrected.serviceTiers[tier]
    if (Object.keys(corrected.serviceTiers).length === 0) delete corrected.serviceTiers
  }
  if (correction.withoutContextTiers) delete corrected.contextTiers
  return corrected
}
