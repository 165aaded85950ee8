/** What the API shows and takes of an API key (KEY-5). The key itself is in the answer to create and rotate only (KEY-1). */
import { Type } from '@sinclair/typebox'
import { PERMISSIONS } from '../core/entities.ts'
import type { WindowView } from '../core/limit.ts'
import { toWireWindow } from '../core/window-wire.ts'
import { DISCONNECT_MODES, type LiveApiKey, MODEL_RESTRICTIONS } from './api-keys.ts'
import {
  choice,
  count,
  flag,
  id,
  integer,
  json,
  nullable,
  oneOf,
  shown,
  TIME_PATTERN,
  text,
  time,
  UUID_PATTERN,
  usd,
} from './field.ts'
import { defineCreate, definePatch, defineView, fieldsOf } from './resource.ts'

const at = '2026-07-24T18:23:00.000Z'
const Words = Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { maxItems: 1000 })
const Permissions = Type.Array(oneOf(PERMISSIONS), { minItems: 1, uniqueItems: true })
const Bound = Type.Optional(Type.String({ pattern: UUID_PATTERN }))
const BoundAccounts = Type.Object(
  { openai: Bound, anthropic: Bound, gemini: Bound, bedrock: Bound },
  { additionalProperties: false },
)
const NONE = '0: no limit'

const Time = Type.Union([Type.String({ pattern: TIME_PATTERN }), Type.Null()])
const Window = Type.Object({
  requests: Type.Integer({ minimum: 0 }),
  tokens: Type.Integer({ minimum: 0 }),
  cost_usd: Type.Number({ minimum: 0 }),
  started_at: Time,
  ends_at: Time,
  remaining_seconds: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
})

const apiKeyFields = fieldsOf<LiveApiKey>()({
  id: id('id', { description: 'The key’s id', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e15' }),
  name: text('name', { description: 'Name in reports', example: 'laptop', minLength: 1, maxLength: 200 }),
  description: text('description', { description: 'A note for operators', example: 'Ada’s laptop' }),
  user_id: nullable(
    id('userId', { description: 'Who it belongs to', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10' }),
  ),
  group_id: nullable(
    id('groupId', {
      description: 'Group that serves it; null: default groups',
      example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11',
    }),
  ),
  tags: json('tags', Words, { description: 'Words to find it by', example: ['research'] }),
  key_prefix: text('keyPrefix', { description: 'Its first characters', example: 'tp_4f2a' }),
  key_last4: text('keyLast4', { description: 'Its last four characters', example: '9c1e' }),
  active: flag('active', { description: 'A key that is not active is refused', example: true }),
  expires_at: nullable(time('expiresAt', { description: 'Refused from then on', example: at })),
  expires_after_days: nullable(
    integer('expiresAfterDays', {
      description: 'Sets expires_at at first use',
      example: 30,
      minimum: 1,
      maximum: 36_500,
    }),
  ),
  permissions: json('permissions', Permissions, { description: 'Platforms it may use', example: ['all'] }),
  token_limit: count('tokenLimit', { description: `Tokens in its lifetime; ${NONE}`, example: 0 }),
  concurrency_limit: integer('concurrencyLimit', { description: `Requests at a time; ${NONE}`, example: 4 }),
  rate_limit_window: integer('rateLimitWindowMinutes', {
    description: 'Minutes of the rate-limit window, from its first request (KEY-6); 0: no window',
    example: 60,
    maximum: 525_600,
  }),
  rate_limit_requests: integer('rateLimitRequests', { description: `Requests in the window; ${NONE}`, example: 100 }),
  rate_limit_tokens: count('rateLimitTokens', { description: `Tokens in the window; ${NONE}`, example: 1_000_000 }),
  rate_limit_cost_usd: usd('rateLimitCostNano', { description: `Cost in the window; ${NONE}`, example: 5 }),
  rpm: integer('rpm', { description: `Requests a minute, sliding; ${NONE}`, example: 60 }),
  tpm: integer('tpm', { description: `Tokens a minute, sliding; ${NONE}`, example: 200_000 }),
  daily_cost_limit_usd: usd('dailyCostLimitNano', { description: `Cost a day; ${NONE}`, example: 10 }),
  weekly_cost_limit_usd: usd('weeklyCostLimitNano', { description: `Cost a week; ${NONE}`, example: 50 }),
  total_cost_limit_usd: usd('totalCostLimitNano', { description: `Cost in its lifetime; ${NONE}`, example: 500 }),
  model_restriction: choice('modelRestriction', MODEL_RESTRICTIONS, {
    description: 'allow: only `models`; deny: all but `models`',
    example: 'allow',
  }),
  models: json('models', Words, { description: 'Model names, * as wildcard', example: ['claude-*'] }),
  client_restriction: flag('clientRestriction', {
    description: 'Only the clients in `clients` (KEY-9)',
    example: false,
  }),
  clients: json('clients', Words, { description: 'Known clients or user-agent patterns', example: ['claude_code'] }),
  ip_allow: json('ipAllow', Words, { description: 'CIDRs that may use it; empty: all', example: ['10.0.0.0/8'] }),
  ip_deny: json('ipDeny', Words, { description: 'CIDRs that may not', example: [] }),
  bound_accounts: json('boundAccounts', BoundAccounts, {
    description: 'Platform → the only account it uses there',
    example: { openai: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e14' },
  }),
  standalone: flag('standalone', { description: 'Pays from its own balance (BIL-10)', example: false }),
  balance_usd: usd('balanceNano', {
    description: 'Own balance; setting it books an adjustment in the ledger',
    example: 0,
    minimum: -1_000_000_000,
  }),
  on_client_disconnect: nullable(
    choice('onClientDisconnect', DISCONNECT_MODES, { description: 'null: the setting (REL-14)', example: 'drain' }),
  ),
  sse_keepalive: nullable(
    integer('sseKeepaliveSeconds', {
      description: 'Seconds; 0: off; null: the setting (REL-15)',
      example: 15,
      maximum: 3600,
    }),
  ),
  request_count: count('requests', { description: 'Requests so far', example: 128 }),
  total_tokens: count('totalTokens', { description: 'Tokens of all kinds so far', example: 1_250_000 }),
  cost_usd: usd('costNano', { description: 'Cost at list price so far', example: 12.5 }),
  charged_usd: usd('chargedNano', { description: 'Charged so far', example: 12.5 }),
  window: nullable(
    shown('window', Window, {
      description:
        'What is used in its rate-limit window now (KEY-6): times null before its first request, seconds and counts 0 once over; null: it has no window',
      example: {
        requests: 12,
        tokens: 48_200,
        cost_usd: 0.31,
        started_at: at,
        ends_at: '2026-07-24T19:23:00.000Z',
        remaining_seconds: 2710,
      },
      toWire: (window: WindowView) => toWireWindow(window),
    }),
  ),
  concurrency: nullable(
    integer('concurrency', { description: 'Requests under way; null: it has no such limit', example: 1 }),
  ),
  last_used_at: nullable(time('lastUsedAt', { description: 'Newest request (ACC-14)', example: at })),
  created_at: time('createdAt', { description: 'When the key was made', example: at }),
  updated_at: time('updatedAt', { description: 'Last edit by an operator', example: at }),
})

/** What an operator may set, at creation and later (KEY-5). */
const SETTABLE = [
  'description',
  'user_id',
  'group_id',
  'tags',
  'active',
  'expires_at',
  'expires_after_days',
  'permissions',
  'token_limit',
  'concurrency_limit',
  'rate_limit_window',
  'rate_limit_requests',
  'rate_limit_tokens',
  'rate_limit_cost_usd',
  'rpm',
  'tpm',
  'daily_cost_limit_usd',
  'weekly_cost_limit_usd',
  'total_cost_limit_usd',
  'model_restriction',
  'models',
  'client_restriction',
  'clients',
  'ip_allow',
  'ip_deny',
  'bound_accounts',
  'standalone',
  'balance_usd',
  'on_client_disconnect',
  'sse_keepalive',
] as const

export const ApiKeyView = defineView('ApiKey', apiKeyFields, [
  'id',
  'name',
  'key_prefix',
  'key_last4',
  ...SETTABLE,
  'request_count',
  'total_tokens',
  'cost_usd',
  'charged_usd',
  'window',
  'concurrency',
  'last_used_at',
  'created_at',
  'updated_at',
])

export const ApiKeyCreate = defineCreate('ApiKeyCreate', apiKeyFields, { required: ['name'], optional: SETTABLE })
export const ApiKeyPatch = definePatch('ApiKeyPatch', apiKeyFields, ['name', ...SETTABLE])
