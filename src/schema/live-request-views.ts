/** A request under way as the API shows it (USE-4): the names of a usage record's fields, so that the one becomes the other. */
import { LIVE_STATUSES, type LiveRequest } from '../core/live-request.ts'
import { PLATFORMS, PROTOCOL_IDS } from '../core/platform.ts'
import { BILLING_TYPES } from '../core/receipt.ts'
import { totalTokens } from '../core/usage.ts'
import { choice, count, flag, id, integer, nullable, text, time, usd } from './field.ts'
import { defineView, fieldsOf } from './resource.ts'

/** A LiveRequest laid flat, with what is added for the reader. */
export type LiveRow = Omit<LiveRequest, 'usage' | 'createdAtMs'> & {
  userName: string | null
  keyName: string | null
  accountName: string | null
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  totalTokens: number
  durationMs: number
  createdAt: Date
}

export function toLiveRow(
  { usage, createdAtMs, ...request }: LiveRequest,
  names: { user: string | null; key: string | null; account: string | null },
  durationMs: number,
): LiveRow {
  return {
    ...request,
    userName: names.user,
    keyName: names.key,
    accountName: names.account,
    inputTokens: usage.input,
    outputTokens: usage.output,
    cacheReadTokens: usage.cacheRead,
    totalTokens: totalTokens(usage),
    durationMs,
    createdAt: new Date(createdAtMs),
  }
}

const uuid = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19'
const tokens = (description: string, example: number) => ({ description, example })

const fields = fieldsOf<LiveRow>()({
  id: id('id', { description: 'The request id, as in x-turnpike-request-id', example: uuid }),
  status: choice('status', LIVE_STATUSES, {
    description: 'streaming: from the first byte that went to the client; an answer in one piece is pending to its end',
    example: 'streaming',
  }),
  user_id: nullable(id('userId', { description: 'User', example: uuid })),
  user_name: nullable(text('userName', { description: 'For administrators; null to viewers', example: 'ada' })),
  key_id: nullable(id('keyId', { description: 'API key', example: uuid })),
  key_name: nullable(text('keyName', { description: 'For administrators; null to viewers', example: 'laptop' })),
  account_id: nullable(id('accountId', { description: 'Account that serves, once one is chosen', example: uuid })),
  account_name: nullable(
    text('accountName', { description: 'For administrators; null to viewers', example: 'openai main' }),
  ),
  group_id: nullable(id('groupId', { description: 'Group', example: uuid })),
  platform: choice('platform', PLATFORMS, { description: 'Platform', example: 'openai' }),
  protocol: choice('protocol', PROTOCOL_IDS, { description: 'What the client speaks', example: 'openai-responses' }),
  endpoint: text('endpoint', { description: 'Path that the client called', example: '/v1/responses' }),
  model: text('model', { description: 'Model asked for; empty until the body is read', example: 'gpt-5' }),
  upstream_model: nullable(text('upstreamModel', { description: 'Model sent upstream', example: 'gpt-5-2026-05-01' })),
  billing_type: choice('billingType', BILLING_TYPES, { description: 'Who pays (BIL-10)', example: 'balance' }),
  stream: flag('stream', { description: 'Was a stream asked for?', example: true }),
  input_tokens: count('inputTokens', tokens('So far, as it would be recorded now: measured, else estimated', 1200)),
  output_tokens: count('outputTokens', tokens('So far', 85)),
  cache_read_tokens: count('cacheReadTokens', tokens('So far', 8000)),
  total_tokens: count('totalTokens', tokens('So far', 9285)),
  cost_usd: usd('costNano', { description: 'So far, at list price', example: 0.0032 }),
  attempts: integer('attempts', { description: 'Accounts tried so far', example: 1 }),
  duration_ms: integer('durationMs', { description: 'Since it arrived', example: 4200 }),
  first_token_ms: nullable(
    integer('firstTokenMs', { description: 'From arrival to the first data event', example: 810 }),
  ),
  created_at: time('createdAt', { description: 'When it arrived', example: '2026-07-24T18:23:00.000Z' }),
})

export const LiveRequestView = defineView('LiveRequest', fields, [
  'id',
  'status',
  'user_id',
  'user_name',
  'key_id',
  'key_name',
  'account_id',
  'account_name',
  'group_id',
  'platform',
  'protocol',
  'endpoint',
  'model',
  'upstream_model',
  'billing_type',
  'stream',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'total_tokens',
  'cost_usd',
  'attempts',
  'duration_ms',
  'first_token_ms',
  'created_at',
])
