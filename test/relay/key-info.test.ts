import { describe, expect, test } from 'bun:test'
import Elysia from 'elysia'
import type { ApiKey } from '../../src/core/entities.ts'
import { relayRoutes } from '../../src/http/relay-routes.ts'
import { createKeyInfo, type KeyInfoDeps } from '../../src/relay/key-info.ts'
import { makeAccount, makeGroup, makeKey } from '../support/make.ts'
import { chatAnswer, createTestRelay } from '../support/relay.ts'

const TOTALS = {
  recordedIds: [],
  key: { tokens: 900, costNano: 3_000_000_000n, dayCostNano: 1_000_000_000n, weekCostNano: 2_000_000_000n },
  fundsNano: 7_500_000_000n,
  subscription: null,
}

async function open(key: Partial<ApiKey> = {}, over: Partial<KeyInfoDeps> = {}, user = {}) {
  const gateway = await createTestRelay({
    accounts: [makeAccount({ id: 'a' })],
    script: () => chatAnswer(),
    keys: [makeKey(key), makeKey({ id: 'key-2', name: 'somebody else’s' })],
    groups: [makeGroup()],
    user,
  })
  const { directory, keyAttempts, limiter, nowMs } = gateway.deps
  const refused: string[] = []
  const keyInfo = createKeyInfo({
    directory,
    keyAttempts,
    onUnauthenticated: (code) => void refused.push(code),
    limiter,
    nowMs,
    timeZone: 'UTC',
    loadTotals: async () => TOTALS,
    ...over,
  })
  const models = { answer: async () => new Response(null) }
  const relay = async () => new Response(null)
  const app = relayRoutes({ relay, models, keyInfo, clientAddress: () => '203.0.113.7' })(new Elysia())
  async function ask(path = '/v1/key', headers: Record<string, string> = { authorization: 'Bearer key-1' }) {
    const answer = await app.handle(new Request(`http://localhost${path}`, { headers }))
    // biome-ignore lint/suspicious/noExplicitAny: the tests name the fields that they read
    return { status: answer.status, headers: answer.headers, json: (await answer.json()) as any }
  }
  return { ...gateway, ask, refused }
}

describe('GET /v1/key (KEY-13)', () => {
  test('shows the key’s own limits and spend, and nothing of users, groups and accounts (KEY-13)', async () => {
    const { ask } = await open({ rpm: 60, dailyCostLimitNano: 10_000_000_000n, boundAccounts: { openai: 'a' } })
    const { status, headers, json } = await ask()
    expect(status).toBe(200)
    expect(headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(json).toMatchObject({
      name: 'test key',
      active: true,
      limits: { rpm: 60, daily_cost_limit_usd: 10, token_limit: 0 },
      spend: { tokens: 900, total_cost_usd: 3, weekly_cost_usd: 2, daily_cost_usd: 1 },
      balance_usd: null,
      window: null,
    })
    expect(Object.keys(json).sort()).toEqual([
      'active',
      'balance_usd',
      'concurrency',
      'expires_at',
      'limits',
      'model_restriction',
      'models',
      'name',
      'permissions',
      'spend',
      'window',
    ])
    expect(JSON.stringify(json)).not.toMatch(/user-1|"a"|openai-default|somebody|user@example/)
  })

  test('is read from every place that a key may stand in; the query’s too (KEY-2)', async () => {
    const { ask } = await open()
    for (const [path, headers] of [
      ['/v1/key', { 'x-api-key': 'key-2' }],
      ['/v1/key', { 'x-goog-api-key': 'key-2' }],
      ['/v1/key?key=key-2', {}],
    ] as [string, Record<string, string>][]) {
      expect((await ask(path, headers)).json.name).toBe('somebody else’s')
    }
  })

  test('counts of a window are those of this moment, with its end (KEY-6)', async () => {
    const { ask, call, clock } = await open({ rateLimitWindowMinutes: 60, rateLimitRequests: 5 })
    expect((await ask()).json.window).toMatchObject({ requests: 0, started_at: null, remaining_seconds: null })
    const answer = await call('chat_completions', { model: 'gpt-5.4', messages: [] })
    await answer.text()
    clock.nowMs += 60_000
    expect((await ask()).json.window).toEqual({
      requests: 1,
      tokens: 15,
      cost_usd: 0,
      started_at: '2026-11-22T12:00:00.000Z',
      ends_at: '2026-11-22T13:00:00.000Z',
      remaining_seconds: 3540,
    })
  })

  test('a standalone key sees its own balance (BIL-10)', async () => {
    const { ask } = await open({ standalone: true, userId: null })
    expect((await ask()).json.balance_usd).toBe(7.5)
  })

  test('with the database away it answers all the same, with null for what only that knows (OPS-5)', async () => {
    const { ask } = await open({ rpm: 5 }, { loadTotals: () => Promise.reject(new Error('away')) })
    const { status, json } = await ask()
    expect([status, json.limits.rpm, json.spend.total_cost_usd]).toEqual([200, 5, null])
  })

  test('who holds no good key learns nothing (KEY-4)', async () => {
    const nowMs = Date.parse('2026-11-22T12:00:00Z')
    for (const [key, user, headers, code] of [
      [{}, {}, {}, 'invalid_api_key'],
      [{}, {}, { authorization: 'Bearer wrong' }, 'invalid_api_key'],
      [{ active: false }, {}, undefined, 'api_key_disabled'],
      [{ expiresAtMs: nowMs }, {}, undefined, 'api_key_expired'],
      [{}, { status: 'disabled' }, undefined, 'api_key_disabled'],
      [{ ipAllow: ['198.51.100.0/24'] }, {}, undefined, 'ip_not_allowed'],
    ] as const) {
      const { ask, refused } = await open(key, {}, user)
      const answer = await ask('/v1/key', headers)
      // Counted for the metrics, like everywhere else (KEY-14).
      expect(refused).toHaveLength(1)
      expect([code, answer.json.error.code, answer.status >= 400]).toEqual([code, code, true])
      expect(answer.json.limits).toBeUndefined()
    }
  })

  test('a key for one platform, client or model may ask too: none of them is involved (KEY-13)', async () => {
    const { ask } = await open({ permissions: ['gemini'], clientRestriction: true, clients: ['claude_code'] })
    expect((await ask()).status).toBe(200)
  })
})
