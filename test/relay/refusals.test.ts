/**
 * Every reason of KEY-4 in every protocol, as contract.md's table has it: status, shape, code, when to come back; and that a refusal leaves
 * no trace: nothing is sent upstream, nothing is counted, held or charged.
 */
import { describe, expect, test } from 'bun:test'
import type { ApiKey, Group } from '../../src/core/entities.ts'
import { fundsCounter, type KeyCounter, keyCounter, ownerOf, subscriptionCounter } from '../../src/core/key-limits.ts'
import type { RelaySettings } from '../../src/relay/settings.ts'
import { makeKey } from '../support/make.ts'
import { createTestRelay, type TestCall, type TestRelayOptions } from '../support/relay.ts'
import { PRICES, standFor, WIRES, type Wire } from '../support/wires.ts'

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')
const KEY_TOTALS = { tokens: 0, costNano: 0n, dayCostNano: 0n, weekCostNano: 0n }
/** Tokens of one answer in every dialect. */
const ANSWER_TOKENS = 27

interface Refusal {
  key?: Partial<ApiKey>
  /** Good requests before it. `open`: they have not ended. */
  before?: 'ended' | 'open'
  options?: Partial<TestRelayOptions>
  group?: Partial<Group>
  settings?: Partial<RelaySettings>
  call?: TestCall
  body?: string
  status: number
  type:
    | 'authentication_error'
    | 'permission_error'
    | 'rate_limit_error'
    | 'insufficient_quota'
    | 'invalid_request_error'
  /** In the OpenAI shape; for money that is the reason, the code is `insufficient_quota`. */
  code: string
  /** Seconds; absent: there must be no `retry-after`. */
  retryAfter?: number
  /** Does it pass once that time is over? */
  passesThen?: boolean
}

const auth = (code: string) => ({ status: 401, type: 'authentication_error', code }) as const
const forbidden = (code: string) => ({ status: 403, type: 'permission_error', code }) as const
const money = (code: string) => ({ status: 403, type: 'insufficient_quota', code }) as const
const later = (code: string, retryAfter: number, passesThen = true) =>
  ({ status: 429, type: 'rate_limit_error', code, retryAfter, passesThen }) as const
const invalid = (code: string, status = 400) => ({ status, type: 'invalid_request_error', code }) as const

const window = { rateLimitWindowMinutes: 5 }
const unused = { startedAtMs: null, usedNano: 0n }
const windows = { daily: unused, weekly: unused, monthly: unused }
const subscription = {
  id: 'subscription-1',
  userId: 'user-1',
  groupId: 'g',
  status: 'active',
  startsAtMs: 0,
  expiresAtMs: NOW_MS * 2,
  ...windows,
} as const

const REFUSALS: Record<string, Refusal> = {
  'no key': { call: { key: null }, ...auth('invalid_api_key') },
  'a key that is longer than any': { call: { key: 'x'.repeat(600) }, ...auth('invalid_api_key') },
  'an unknown key': { call: { key: 'key-of-nobody' }, ...auth('invalid_api_key') },
  'a disabled key': { key: { active: false }, ...auth('api_key_disabled') },
  'an expired key': { key: { expiresAtMs: NOW_MS }, ...auth('api_key_expired') },
  'a disabled user': { options: { user: { status: 'disabled' } }, ...auth('api_key_disabled') },
  'no permission for the platform': { key: { permissions: ['bedrock'] }, ...forbidden('platform_not_allowed') },
  'a disabled group': { group: { status: 'disabled' }, ...forbidden('group_not_allowed') },
  'an exclusive group of others': { group: { exclusive: true }, ...forbidden('group_not_allowed') },
  'a model that is not listed': {
    key: { modelRestriction: 'allow', models: ['other-*'] },
    ...forbidden('model_not_allowed'),
  },
  'a model that is ruled out': { key: { modelRestriction: 'deny', models: ['*'] }, ...forbidden('model_not_allowed') },
  'a model without a price': {
    options: { prices: [] },
    settings: { unpricedModels: 'deny' },
    ...forbidden('model_unpriced'),
  },
  'a client that is not listed': {
    key: { clientRestriction: true, clients: ['claude_code'] },
    call: { headers: { 'user-agent': 'curl/8.0' } },
    ...forbidden('client_not_allowed'),
  },
  'an address that is not listed': {
    key: { ipAllow: ['10.0.0.0/8'] },
    call: { address: '203.0.113.7' },
    ...forbidden('ip_not_allowed'),
  },
  'an address that is ruled out': {
    key: { ipDeny: ['203.0.113.0/24'] },
    call: { address: '203.0.113.7' },
    ...forbidden('ip_not_allowed'),
  },
  'requests in the window': {
    key: { ...window, rateLimitRequests: 1 },
    before: 'ended',
    ...later('rate_limit_exceeded', 300),
  },
  'tokens in the window': {
    key: { ...window, rateLimitTokens: ANSWER_TOKENS },
    before: 'ended',
    ...later('token_rate_limit_exceeded', 300),
  },
  'cost in the window': {
    key: { ...window, rateLimitCostNano: 1n },
    before: 'ended',
    ...later('cost_rate_limit_exceeded', 300),
  },
  'tokens that requests under way hold': {
    key: { ...window, rateLimitTokens: 100 },
    before: 'open',
    ...later('token_rate_limit_exceeded', 1, false),
  },
  'requests a minute': { key: { rpm: 1 }, before: 'ended', ...later('rate_limit_exceeded', 60) },
  'tokens a minute': { key: { tpm: ANSWER_TOKENS }, before: 'ended', ...later('token_rate_limit_exceeded', 60) },
  'requests at a time': {
    key: { concurrencyLimit: 1 },
    before: 'open',
    ...later('concurrency_limit_exceeded', 1, false),
  },
  'cost a day': {
    key: { dailyCostLimitNano: 1n },
    before: 'ended',
    // Until midnight.
    ...later('daily_cost_limit_exceeded', 43_200, false),
  },
  'cost a week': {
    key: { weeklyCostLimitNano: 1n },
    before: 'ended',
    // Sunday noon; weeks begin on Monday.
    ...later('weekly_cost_limit_exceeded', 43_200, false),
  },
  'cost in all': { key: { totalCostLimitNano: 1n }, before: 'ended', ...money('total_cost_limit_exceeded') },
  'tokens in all': { key: { tokenLimit: ANSWER_TOKENS }, before: 'ended', ...money('token_limit_exceeded') },
  'the user’s quota or balance': {
    options: { user: { quotaNano: 1n }, totals: { fundsNano: 1n } },
    ...money('insufficient_user_quota'),
  },
  'the key’s own balance': {
    key: { standalone: true, balanceNano: 1n },
    options: { totals: { fundsNano: 1n } },
    ...money('insufficient_key_balance'),
  },
  'the subscription’s limit': {
    group: { billingType: 'subscription', dailyLimitNano: 1n },
    options: { subscription, totals: { subscription: windows } },
    ...money('subscription_limit_exceeded'),
  },
  'a body that is no JSON': { body: '{"model":', ...invalid('invalid_json') },
  'a body that is too large': { settings: { maxBodyBytes: 20 }, ...invalid('body_too_large', 413) },
}

async function open(wire: Wire, refusal: Refusal) {
  const { dialect } = wire
  const hung = Promise.withResolvers<Response>()
  const gateway = await createTestRelay({
    ...standFor(wire, { group: refusal.group }),
    keys: [makeKey(refusal.key)],
    prices: PRICES,
    script: () => (refusal.before === 'open' ? hung.promise : new Response(dialect.body, JSON_HEADERS)),
    settings: refusal.settings,
    ...refusal.options,
    totals: { key: KEY_TOTALS, fundsNano: 0n, ...refusal.options?.totals },
  })
  const send = (body = dialect.wholeRequest, call: TestCall = {}) =>
    gateway.call(wire.whole, body, { path: dialect.wholePath, ...call })
  const key = gateway.directory.findKey('key-1')?.key as ApiKey
  /** Used and reserved; that a counter was read from the database is no trace. */
  async function counted() {
    const names = countersOf(key)
    const { buckets } = await gateway.counters.read(ownerOf(key), names)
    return names.map((name, index) => `${name} ${buckets[index]?.used ?? 0} ${buckets[index]?.reserved ?? 0}`)
  }
  const finish = () => hung.resolve(new Response(dialect.body, JSON_HEADERS))
  return { ...gateway, send, counted, finish }
}

const JSON_HEADERS = { headers: { 'content-type': 'application/json' } }
const NAMES: KeyCounter[] = [
  'total',
  'tokens',
  'week',
  'day',
  'slots',
  'window-requests',
  'window-tokens',
  'window-cost',
]
const countersOf = ({ id }: ApiKey) => [
  ...NAMES.map((name) => keyCounter(id, name)),
  fundsCounter({ kind: 'balance', id: 'user-1' }),
  fundsCounter({ kind: 'key', id }),
  ...(['daily', 'weekly', 'monthly'] as const).map((name) => subscriptionCounter(subscription.id, name)),
]

const GEMINI_STATUS: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
}

/** As contract.md's tables have it, written down a second time. */
function expectShape(wire: Wire, refusal: Refusal, answer: { status: number; headers: Headers; json: unknown }) {
  const { status, type, code } = refusal
  const isMoney = type === 'insufficient_quota'
  const message = expect.stringMatching(/^[A-Z].{15,}$/)
  const reason = isMoney ? { reason: code } : {}
  if (wire.shape === 'openai') {
    expect(answer.status).toBe(isMoney ? 429 : status)
    expect(answer.json).toEqual({ error: { message, type, param: null, code: isMoney ? type : code, ...reason } })
  } else if (wire.shape === 'anthropic') {
    expect(answer.status).toBe(status)
    const error = { type: isMoney ? 'billing_error' : type, message, ...reason }
    expect(answer.json).toEqual({
      type: 'error',
      error,
      request_id: answer.headers.get('x-turnpike-request-id') ?? '',
    })
  } else {
    expect(answer.status).toBe(status)
    expect(answer.json).toEqual({ error: { code: status, message, status: GEMINI_STATUS[status], ...reason } })
  }
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(answer.headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  const wait = refusal.retryAfter === undefined ? null : String(refusal.retryAfter)
  expect(answer.headers.get('retry-after')).toBe(wait)
}

for (const wire of WIRES) {
  describe(`${wire.dialect.name}: a refusal leaves no trace, and says why (KEY-4, KEY-7)`, () => {
    test.each(Object.entries(REFUSALS))('%s', async (_, refusal) => {
      const { send, sent, counted, receipts, clock, finish } = await open(wire, refusal)
      const first = refusal.before && send()
      if (refusal.before === 'ended') expect((await first)?.status).toBe(200)
      if (refusal.before === 'open') while (sent.length === 0) await Promise.resolve()
      const before = { sent: sent.length, counted: await counted() }
      const ended = receipts.length
      // Twice: the second must hear the same, to the second, or the first one took something.
      for (let time = 0; time < 2; time++) {
        const answer = await send(refusal.body, refusal.call)
        expectShape(wire, refusal, {
          status: answer.status,
          headers: answer.headers,
          json: await answer.json(),
        })
      }
      expect({ sent: sent.length, counted: await counted() }).toEqual(before)
      for (const receipt of receipts.slice(ended)) {
        expect(receipt).toMatchObject({ status: 'failed', attempts: [], costs: { totalNano: 0n, chargedNano: 0n } })
      }
      if (refusal.passesThen) {
        clock.nowMs += (refusal.retryAfter ?? 0) * 1000 - 1
        expect((await send()).status).toBe(429)
        clock.nowMs += 1
        expect((await send()).status).toBe(200)
      }
      finish()
      if (first) expect((await first).status).toBe(200)
    })
  })
}

test('each reason has a sentence of its own (KEY-4)', async () => {
  const [, chat] = WIRES
  const sentences = new Map<string, string>()
  for (const [name, refusal] of Object.entries(REFUSALS)) {
    const { send, sent, finish } = await open(chat as Wire, refusal)
    const first = refusal.before && send()
    if (refusal.before === 'ended') await first
    if (refusal.before === 'open') while (sent.length === 0) await Promise.resolve()
    const { error } = (await (await send(refusal.body, refusal.call)).json()) as { error: { message: string } }
    sentences.set(name, error.message)
    finish()
  }
  // Which list an address or a model is on, and how a key is unknown, is nobody's business.
  const alike = ['a model that is ruled out', 'an address that is ruled out', 'a key that is longer than any']
  for (const name of alike) sentences.delete(name)
  expect(new Set(sentences.values()).size).toBe(sentences.size)
})

test.each(WIRES)(
  '$dialect.name: wrong keys are slowed in the protocol’s shape; a good key from there passes at once (KEY-14)',
  async (wire) => {
    const { send, sent, receipts, clock, deps } = await open(wire, REFUSALS['no key'] as Refusal)
    const wrong = () => send(undefined, { key: 'key-of-nobody', address: '203.0.113.7' })
    for (let attempt = 0; attempt < 30; attempt++) expect((await wrong()).status).toBe(401)
    const slowed = { ...later('too_many_attempts', 2), status: 429 } as const
    const answer = await wrong()
    expectShape(wire, slowed, { status: answer.status, headers: answer.headers, json: await answer.json() })
    expect(sent).toHaveLength(0)
    expect((await send(undefined, { address: '203.0.113.7' })).status).toBe(200)
    expect((await send(undefined, { key: null, address: '203.0.113.7' })).status).toBe(401)
    expect((await send(undefined, { key: 'key-of-nobody', address: '203.0.113.8' })).status).toBe(401)
    clock.nowMs += 2000
    expect([(await wrong()).status, (await wrong()).status]).toEqual([401, 429])
    expect(deps.keyAttempts.counts).toEqual({ wrong: 34, slowed: 2 })
    expect(receipts).toHaveLength(1)
  },
)
