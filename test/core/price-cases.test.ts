/**
 * Worked price cases: real usage, priced by hand from the seed table. Here the tokens come from a case's own arithmetic, so that what is
 * tested is names, prices, tiers and rounding; how a vendor's usage object is read is the protocols' business.
 */
import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import { computeCosts } from '../../src/core/cost.ts'
import { toUsdText } from '../../src/core/money.ts'
import type { Platform } from '../../src/core/platform.ts'
import { createPriceIndex, type ResolvedPrice } from '../../src/core/price-index.ts'
import type { Usage } from '../../src/core/usage.ts'
import { rates, resolved, usage } from '../support/prices.ts'

interface PriceCase {
  id: string
  contested: string | null
  api: string
  model: string
  price_key: string
  context: { service_tier?: string }
  components: { units: number; rate_field: string }[]
  expected_usd: string
}

const file = new URL('../../../shared/fixtures/prices/price-cases.json', import.meta.url)
const present = existsSync(file)
const cases: PriceCase[] = present ? JSON.parse(readFileSync(file, 'utf8')).cases : []

const PLATFORMS: Record<string, Platform> = { anthropic: 'anthropic', gemini: 'gemini', bedrock: 'bedrock' }

/** Which tokens a component of the arithmetic is about, whatever tier it was priced in. */
const KINDS: [field: RegExp, kind: keyof Usage, leaf?: keyof Usage][] = [
  [/^input_cost_per_audio_token/, 'inputAudio', 'input'],
  [/^output_cost_per_audio_token/, 'outputAudio', 'output'],
  [/input_cost_per_token/, 'input'],
  [/output_cost_per_token/, 'output'],
  [/^cache_read_input_token_cost/, 'cacheRead'],
  [/^cache_creation_input_token_cost_above_1hr/, 'cacheWrite1h'],
  [/^cache_creation_input_token_cost/, 'cacheWrite5m'],
  [/^input_cost_per_query/, 'webSearches'],
  [/^input_cost_per_character/, 'input'],
]

function tokensOf({ components }: PriceCase): Usage {
  const tokens = usage({})
  for (const { units, rate_field } of components) {
    if (rate_field.startsWith('search_context_cost_per_query')) continue // the price per request: nobody counts it
    const [, kind, leaf] = KINDS.find(([field]) => field.test(rate_field)) ?? []
    if (kind === undefined) throw new Error(`no kind of token for ${rate_field}`)
    tokens[kind] += units
    if (leaf !== undefined) tokens[leaf] += units
  }
  return tokens
}

/**
 * Two cases are about endpoints that are not served, priced by search unit and by character: the built-in table leaves such models
 * out. An operator's price of that kind gives the same sum.
 */
const NOT_SERVED: Record<string, ResolvedPrice> = {
  'cohere-rerank': resolved({ model: 'rerank-v3.5', rates: { input: 0, output: 0 }, perWebSearchNano: 2_000_000 }),
  'tts-chars': resolved({ model: 'tts-1', rates: rates({ input: 15, output: 0 }) }),
}

describe('price cases (BIL-2, BIL-4, BIL-6)', () => {
  const index = createPriceIndex(builtInPrices(), { aliases: true })

  test.skipIf(!present)('there are 40, one of them contested: sources differ at exactly 272,000 tokens', () => {
    expect(cases.length).toBe(40)
    expect(cases.filter((one) => one.contested !== null).map((one) => one.id)).toEqual(['oai-long-at'])
  })

  for (const one of cases) {
    test(`${one.id} costs ${one.expected_usd} USD, to the nanodollar`, () => {
      const platform = PLATFORMS[one.api.split('.')[0] ?? ''] ?? 'openai'
      const price = NOT_SERVED[one.id] ?? index.find({ model: one.model, platform, atMs: Date.parse('2026-07-24') })
      expect(price?.row.model).toBe(one.price_key)
      const { costs, priced } = computeCosts({
        usage: tokensOf(one),
        iterations: null,
        uplifts: [],
        price,
        priceOf: () => null,
        serviceTier: one.context.service_tier ?? null,
        groupMultiplier: 1_000_000,
        accountMultiplier: 1_000_000,
        freeTier: false,
        failed: false,
      })
      expect(priced).toBe(true)
      expect(toUsdText(costs.totalNano)).toBe(one.expected_usd)
    })
  }
})
