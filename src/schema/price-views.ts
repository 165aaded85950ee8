/** What the API shows of prices that were looked up, quoted or refreshed (BIL-2); set prices are in ./prices.ts. */
import { type Static, Type } from '@sinclair/typebox'
import type { Costed } from '../core/cost.ts'
import { PLATFORMS } from '../core/platform.ts'
import { ratesFor } from '../core/price.ts'
import type { ResolvedPrice } from '../core/price-index.ts'
import { toWirePrice, toWireRates } from '../core/price-wire.ts'
import { type IterationUsage, NO_USAGE, totalTokens, type Usage } from '../core/usage.ts'
import { oneOf } from './field.ts'
import { PriceRates } from './prices.ts'
import { defineView } from './resource.ts'
import { partsOf } from './token-parts.ts'
import { usageRecordFields } from './usage-record-views.ts'

export const ResolvedPriceView = Type.Object(
  {
    model: Type.String({ description: 'Name of the price row that applies', example: 'claude-sonnet-4-5' }),
    match: oneOf(['exact', 'normalised', 'wildcard'], { description: 'How the name led to it', example: 'normalised' }),
    source: oneOf(['account', 'operator', 'built-in'], { description: 'Whose price it is', example: 'built-in' }),
    vendor: Type.Union([Type.String(), Type.Null()], {
      description: 'Whose list it is from; null: an operator’s',
      example: 'anthropic',
    }),
    date: Type.String({ description: 'From when on the row applies', example: '2026-07-24' }),
    rates: Type.Object(PriceRates.properties, {
      description: 'The row itself',
      example: { input_usd: 3, output_usd: 15 },
    }),
    effective_rates: Type.Record(Type.String(), Type.Number(), {
      description: 'USD per million tokens of a small standard request, with what BIL-4 says where the row is silent',
      example: { input_usd: 3, output_usd: 15, cache_read_usd: 0.3 },
    }),
  },
  { title: 'ResolvedPrice' },
)

export function showResolvedPrice({ row, match, anthropic }: ResolvedPrice): Static<typeof ResolvedPriceView> {
  const { rates } = ratesFor(row, { contextTokens: 0, serviceTier: 'standard', anthropic })
  const { model, source, vendor, date } = row
  const effective = toWireRates(rates) as Record<string, number>
  return { model, match, source, vendor, date, rates: toWirePrice(row), effective_rates: effective }
}

/** At the dearest price there is, it stays within the sums of money that an answer can show. */
const MOST_TOKENS = 1e11

const tokens = (description: string, example = 0) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: MOST_TOKENS, description, example }))

const QuotedUsage = Type.Object(
  {
    input_tokens: tokens('Uncached input', 1200),
    output_tokens: tokens('Generated, reasoning included', 340),
    cache_read_tokens: tokens('Input read from cache', 8000),
    cache_write_5m_tokens: tokens('Input written to cache for 5 minutes'),
    cache_write_1h_tokens: tokens('Input written to cache for an hour'),
    reasoning_tokens: tokens('Part of output', 128),
    total_tokens: tokens('Not needed: it is worked out', 9540),
    token_parts: Type.Optional(
      Type.Object(
        {
          input_audio_tokens: tokens('Part of input'),
          input_image_tokens: tokens('Part of input'),
          cache_read_audio_tokens: tokens('Part of cache reads'),
          output_audio_tokens: tokens('Part of output'),
          output_image_tokens: tokens('Part of output'),
          web_searches: tokens('Searches that the vendor ran'),
        },
        { additionalProperties: false, description: 'As in a usage record' },
      ),
    ),
  },
  { additionalProperties: false, description: 'Token fields of a usage record' },
)

export const QuoteBody = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 300, description: 'Model', example: 'claude-sonnet-4-5' }),
    platform: Type.Optional(
      oneOf(PLATFORMS, { description: 'Decides between vendors of one name', example: 'anthropic' }),
    ),
    account_id: Type.Optional(Type.String({ maxLength: 36, description: 'With the prices of this account' })),
    service_tier: Type.Optional(
      Type.String({ maxLength: 100, description: 'As the response names it', example: 'default' }),
    ),
    usage: Type.Optional(QuotedUsage),
    protocol: Type.Optional(
      oneOf(['openai-responses', 'openai-chat', 'anthropic', 'gemini'], {
        description: 'Who speaks like `provider_usage`',
      }),
    ),
    provider_usage: Type.Optional(
      Type.Object({}, { additionalProperties: true, description: 'The usage object as the provider sent it' }),
    ),
  },
  { title: 'QuoteRequest', additionalProperties: false },
)

export function toUsage({ token_parts: parts = {}, ...sent }: Static<typeof QuotedUsage>): Usage {
  return {
    ...NO_USAGE,
    input: sent.input_tokens ?? 0,
    output: sent.output_tokens ?? 0,
    cacheRead: sent.cache_read_tokens ?? 0,
    cacheWrite5m: sent.cache_write_5m_tokens ?? 0,
    cacheWrite1h: sent.cache_write_1h_tokens ?? 0,
    reasoning: sent.reasoning_tokens ?? 0,
    inputAudio: parts.input_audio_tokens ?? 0,
    inputImage: parts.input_image_tokens ?? 0,
    cacheReadAudio: parts.cache_read_audio_tokens ?? 0,
    outputAudio: parts.output_audio_tokens ?? 0,
    outputImage: parts.output_image_tokens ?? 0,
    webSearches: parts.web_searches ?? 0,
  }
}

export const QuoteView = defineView('Quote', usageRecordFields, [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'total_tokens',
  'token_parts',
  'iterations',
  'input_cost_usd',
  'output_cost_usd',
  'cache_write_cost_usd',
  'cache_read_cost_usd',
  'request_cost_usd',
  'cost_usd',
  'priced',
  'price_used',
])

/** A quote is shown by the very fields that show a record: what it says is what the record would say. */
export function showQuote(usage: Usage, iterations: IterationUsage[] | null, { costs, priced, priceUsed }: Costed) {
  return QuoteView.show({
    inputTokens: usage.input,
    outputTokens: usage.output,
    cacheReadTokens: usage.cacheRead,
    cacheWrite5mTokens: usage.cacheWrite5m,
    cacheWrite1hTokens: usage.cacheWrite1h,
    reasoningTokens: usage.reasoning,
    totalTokens: totalTokens(usage),
    tokenParts: partsOf(usage),
    iterations,
    inputCostNano: costs.inputNano,
    outputCostNano: costs.outputNano,
    cacheWriteCostNano: costs.cacheWriteNano,
    cacheReadCostNano: costs.cacheReadNano,
    requestCostNano: costs.requestNano,
    costNano: costs.totalNano,
    priced,
    priceUsed,
  })
}

export const PriceRefreshBody = Type.Object(
  {
    source: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description: 'File or URL of a table in LiteLLM’s format; absent: PRICE_SOURCE',
        example: 'https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json',
      }),
    ),
    date: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}$',
        description: 'State of the table; absent: today',
        example: '2026-07-24',
      }),
    ),
  },
  { title: 'PriceRefreshRequest', additionalProperties: false },
)

const number = (description: string, example: number) => Type.Integer({ description, example })

export const PriceRefreshView = Type.Object(
  {
    source: Type.String({ description: 'Where it was read', example: '/etc/turnpike/prices.json' }),
    date: Type.String({ description: 'State of the table', example: '2026-07-24' }),
    models: number('Models that have a price now', 2108),
    added: number('Of them, models that had none', 12),
    changed: number('Models whose price is another now', 7),
    removed: number('Models that have none any more', 1),
    refused: Type.Array(Type.Object({ model: Type.String(), reasons: Type.Array(Type.String()) }), {
      description: 'Rows that look like slips: they have no price until a person sets one',
      example: [{ model: 'xai/grok-2', reasons: ['standard: everything is free'] }],
    }),
    skipped: Type.Record(Type.String(), Type.Integer(), {
      description: 'Entries that are none of our business, by reason',
      example: { 'not a model': 1 },
    }),
  },
  { title: 'PriceRefresh' },
)
