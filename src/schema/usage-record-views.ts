/** A usage record as the API shows it (contract.md); one request by itself also tells how its account was chosen (ACC-17). */
import { Type } from '@sinclair/typebox'
import { PLATFORMS, PROTOCOL_IDS } from '../core/platform.ts'
import { toWireRates } from '../core/price-wire.ts'
import {
  type Attempt,
  BILLING_TYPES,
  type ChoiceExplained,
  METERINGS,
  type PriceLine,
  type PriceUsed,
  REQUEST_STATUSES,
} from '../core/receipt.ts'
import { type IterationUsage, totalTokens, type Usage } from '../core/usage.ts'
import { choice, count, flag, id, integer, nullable, shown, text, time, usd } from './field.ts'
import { defineView, fieldsOf } from './resource.ts'
import { type NamedUsageRecord, TOKEN_PARTS, type TokenParts } from './usage-records.ts'

const uuid = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19'
const at = '2026-07-24T18:23:00.000Z'
const tokens = (description: string, example: number) => ({ description, example })
const Nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Union([schema, Type.Null()], { nullable: true })

const TokenCounts = Type.Object({
  input_tokens: Type.Integer(),
  output_tokens: Type.Integer(),
  cache_read_tokens: Type.Integer(),
  cache_write_5m_tokens: Type.Integer(),
  cache_write_1h_tokens: Type.Integer(),
  reasoning_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
})

function showTokens(usage: Usage) {
  return {
    input_tokens: usage.input,
    output_tokens: usage.output,
    cache_read_tokens: usage.cacheRead,
    cache_write_5m_tokens: usage.cacheWrite5m,
    cache_write_1h_tokens: usage.cacheWrite1h,
    reasoning_tokens: usage.reasoning,
    total_tokens: totalTokens(usage),
  }
}

const attempts = shown(
  'attempts',
  Type.Array(
    Type.Object({
      account_id: Type.String(),
      status: Nullable(Type.Integer()),
      duration_ms: Type.Integer(),
      reason: Nullable(Type.String()),
      upstream_request_id: Nullable(Type.String()),
      usage: Nullable(TokenCounts),
    }),
  ),
  {
    description: 'Every account tried, in order; the last served, if any did (ACC-5)',
    example: [
      {
        account_id: uuid,
        status: 429,
        duration_ms: 120,
        reason: 'rate_limited',
        upstream_request_id: null,
        usage: null,
      },
    ],
    toWire: (stored: Attempt[]) =>
      stored.map((attempt) => ({
        account_id: attempt.accountId,
        status: attempt.status,
        duration_ms: attempt.durationMs,
        reason: attempt.reason,
        upstream_request_id: attempt.upstreamRequestId,
        usage: attempt.usage === null ? null : showTokens(attempt.usage),
      })),
  },
)

const line = {
  model: Type.String(),
  match: Type.String(),
  source: Type.String(),
  date: Type.String(),
  service_tier: Type.String(),
  above_tokens: Type.Integer(),
  uplift: Type.Number(),
  rates: Type.Record(Type.String(), Type.Number()),
}

function showLine(stored: PriceLine) {
  return {
    model: stored.model,
    match: stored.match,
    source: stored.source,
    date: stored.date,
    service_tier: stored.serviceTier,
    above_tokens: stored.aboveTokens,
    uplift: stored.uplift / 1_000_000,
    rates: toWireRates(stored.rates) as Record<string, number>,
  }
}

const priceUsed = shown(
  'priceUsed',
  Nullable(
    Type.Object({
      ...line,
      group_multiplier: Type.Number(),
      account_multiplier: Type.Number(),
      request_usd: Type.Number(),
      web_search_usd: Type.Number(),
      iterations: Nullable(Type.Array(Nullable(Type.Object(line)))),
    }),
  ),
  {
    description:
      'Price row that matched, its rates in USD per million tokens, and the multipliers: enough to work the costs out again (BIL-2, BIL-6); null: unpriced',
    example: null,
    toWire: (stored: PriceUsed | null) =>
      stored && {
        ...showLine(stored),
        group_multiplier: stored.groupMultiplier / 1_000_000,
        account_multiplier: stored.accountMultiplier / 1_000_000,
        request_usd: stored.perRequestNano / 1e9,
        web_search_usd: stored.perWebSearchNano / 1e9,
        iterations: stored.iterations === null ? null : stored.iterations.map((each) => each && showLine(each)),
      },
  },
)

const choiceExplained = shown(
  'choice',
  Nullable(
    Type.Object({
      candidates: Type.Integer(),
      passed_over: Type.Record(Type.String(), Type.Integer()),
      sticky: Type.String(),
    }),
  ),
  {
    description: 'How many accounts there were, and why others were passed over (ACC-17)',
    example: { candidates: 3, passed_over: { cooldown: 1 }, sticky: 'hit' },
    toWire: (stored: ChoiceExplained | null) =>
      stored && { candidates: stored.candidates, passed_over: stored.passedOver, sticky: stored.sticky },
  },
)

const iterations = shown(
  'iterations',
  Nullable(Type.Array(Type.Object({ model: Nullable(Type.String()), tokens: TokenCounts }))),
  {
    description: 'Work billed at each model’s own price (BIL-1); null: none',
    example: null,
    toWire: (stored: IterationUsage[] | null) =>
      stored === null ? null : stored.map(({ model, usage }) => ({ model, tokens: showTokens(usage) })),
  },
)

const PART_NAMES = {
  inputAudio: 'input_audio_tokens',
  inputImage: 'input_image_tokens',
  cacheReadAudio: 'cache_read_audio_tokens',
  outputAudio: 'output_audio_tokens',
  outputImage: 'output_image_tokens',
  webSearches: 'web_searches',
} as const satisfies Record<(typeof TOKEN_PARTS)[number], string>

const tokenParts = shown('tokenParts', Type.Record(Type.String(), Type.Integer()), {
  description: 'Audio and image parts of the token counts, and searches, where there are any',
  example: { input_audio_tokens: 120 },
  toWire: (stored: TokenParts | null) =>
    Object.fromEntries(
      TOKEN_PARTS.filter((part) => stored?.[part]).map((part) => [PART_NAMES[part], stored?.[part] ?? 0]),
    ),
})

export const usageRecordFields = fieldsOf<NamedUsageRecord>()({
  id: id('id', { description: 'The request id, as in x-turnpike-request-id', example: uuid }),
  user_id: nullable(id('userId', { description: 'User', example: uuid })),
  key_id: nullable(id('keyId', { description: 'API key', example: uuid })),
  key_name: nullable(text('keyName', { description: 'Its name, also once it is deleted (KEY-12)', example: 'laptop' })),
  account_id: nullable(id('accountId', { description: 'Account that served', example: uuid })),
  group_id: nullable(id('groupId', { description: 'Group', example: uuid })),
  subscription_id: nullable(
    id('subscriptionId', { description: 'Subscription that it counts against', example: uuid }),
  ),
  platform: choice('platform', PLATFORMS, { description: 'Platform', example: 'openai' }),
  protocol: choice('protocol', PROTOCOL_IDS, { description: 'What the client spoke', example: 'openai-responses' }),
  endpoint: text('endpoint', { description: 'Path that the client called', example: '/v1/responses' }),
  model: text('model', { description: 'Model asked for', example: 'gpt-5' }),
  upstream_model: nullable(text('upstreamModel', { description: 'Model sent upstream', example: 'gpt-5-2026-05-01' })),
  input_tokens: count('inputTokens', tokens('Uncached input', 1200)),
  output_tokens: count('outputTokens', tokens('Generated, reasoning included', 340)),
  cache_read_tokens: count('cacheReadTokens', tokens('Input read from cache', 8000)),
  cache_write_5m_tokens: count('cacheWrite5mTokens', tokens('Input written to cache for 5 minutes', 0)),
  cache_write_1h_tokens: count('cacheWrite1hTokens', tokens('Input written to cache for an hour', 0)),
  reasoning_tokens: count('reasoningTokens', tokens('Part of output', 128)),
  total_tokens: count('totalTokens', tokens('Sum of input, output, cache reads and writes', 9540)),
  token_parts: tokenParts,
  iterations,
  input_cost_usd: usd('inputCostNano', { description: 'At list price', example: 0.0015 }),
  output_cost_usd: usd('outputCostNano', { description: 'At list price', example: 0.0034 }),
  cache_write_cost_usd: usd('cacheWriteCostNano', { description: 'At list price', example: 0 }),
  cache_read_cost_usd: usd('cacheReadCostNano', { description: 'At list price', example: 0.001 }),
  request_cost_usd: usd('requestCostNano', { description: 'Price of the request itself (BIL-5)', example: 0 }),
  cost_usd: usd('costNano', { description: 'At list price: the sum of the five parts', example: 0.0059 }),
  charged_usd: usd('chargedNano', { description: 'What the payer paid (BIL-6)', example: 0.0059 }),
  upstream_cost_usd: usd('upstreamCostNano', { description: 'What the operator paid (BIL-6)', example: 0.0059 }),
  priced: flag('priced', { description: 'false: no price was known (BIL-3)', example: true }),
  price_used: priceUsed,
  metering: choice('metering', METERINGS, { description: 'How the tokens are known (BIL-9)', example: 'measured' }),
  billing_type: choice('billingType', BILLING_TYPES, { description: 'Who paid (BIL-10)', example: 'balance' }),
  stream: flag('stream', { description: 'Was a stream asked for?', example: true }),
  status: choice('status', REQUEST_STATUSES, { description: 'How it ended', example: 'completed' }),
  http_status: nullable(integer('httpStatus', { description: 'Status sent to the client', example: 200 })),
  error_code: nullable(text('errorCode', { description: 'What went wrong', example: 'upstream_failed' })),
  error_message: nullable(text('errorMessage', { description: 'In words', example: 'Upstream request failed' })),
  upstream_request_id: nullable(
    text('upstreamRequestId', { description: 'The provider’s id for it', example: 'req_011C' }),
  ),
  duration_ms: integer('durationMs', { description: 'From arrival to the end', example: 5230 }),
  first_token_ms: nullable(
    integer('firstTokenMs', { description: 'From arrival to the first data event (REL-9)', example: 810 }),
  ),
  attempts,
  choice: choiceExplained,
  service_tier: nullable(text('serviceTier', { description: 'As the response named it', example: 'default' })),
  user_agent: nullable(text('userAgent', { description: 'The client’s', example: 'codex_cli_rs/0.50.0' })),
  client_ip: nullable(text('clientIp', { description: 'The client’s address, if recorded', example: '203.0.113.7' })),
  created_at: time('createdAt', { description: 'When it arrived', example: at }),
  finished_at: time('finishedAt', { description: 'When it ended', example: at }),
})

const LISTED = [
  'id',
  'user_id',
  'key_id',
  'key_name',
  'account_id',
  'group_id',
  'subscription_id',
  'platform',
  'protocol',
  'endpoint',
  'model',
  'upstream_model',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'total_tokens',
  'input_cost_usd',
  'output_cost_usd',
  'cache_write_cost_usd',
  'cache_read_cost_usd',
  'request_cost_usd',
  'cost_usd',
  'charged_usd',
  'upstream_cost_usd',
  'priced',
  'price_used',
  'metering',
  'billing_type',
  'stream',
  'status',
  'http_status',
  'error_code',
  'error_message',
  'upstream_request_id',
  'duration_ms',
  'first_token_ms',
  'attempts',
  'service_tier',
  'user_agent',
  'client_ip',
  'created_at',
  'finished_at',
] as const

export const UsageRecordView = defineView('UsageRecord', usageRecordFields, LISTED)
export const RequestView = defineView('Request', usageRecordFields, [...LISTED, 'choice', 'iterations', 'token_parts'])
