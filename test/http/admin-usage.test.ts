import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isDatabaseAway } from '../../src/db/away.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

const MINUTE_MS = 60_000
const account = newId()
const first = makeReceipt({
  model: 'gpt-5',
  costNano: 1_000_000_001n,
  usage: { input: 10, output: 5 },
  accountId: account,
})
const second = makeReceipt({
  model: 'claude-opus-5',
  platform: 'anthropic',
  protocol: 'anthropic',
  createdAtMs: NOON + MINUTE_MS,
  status: 'failed',
  httpStatus: 502,
  stream: false,
  accountId: account,
  attempts: [
    { accountId: account, status: 429, durationMs: 12, reason: 'rate_limited', upstreamRequestId: null, usage: null },
  ],
  choice: { candidates: 3, passedOver: { cooldown: 2 }, sticky: 'miss' },
})

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
  const { rejected } = await insertReceipts(api.database.sql, [first, second], { timeZone: 'UTC' })
  expect(rejected).toEqual([])
})
afterAll(() => api.database.drop())

describe('/admin/usage', () => {
  test('lists records newest first, page by page (USE-11)', async () => {
    const page = (await api.ask('GET', '/admin/usage?limit=1')).json
    expect(page.data.map(({ id }: { id: string }) => id)).toEqual([second.id])
    const next = (await api.ask('GET', `/admin/usage?limit=1&cursor=${page.next_cursor}`)).json
    expect(next).toMatchObject({
      data: [{ id: first.id, cost_usd: 1.000000001, input_tokens: 10, total_tokens: 15 }],
      next_cursor: null,
    })
  })

  test('filters by time, account, model, status, stream, platform and cost (USE-11)', async () => {
    const from = new Date(NOON + MINUTE_MS).toISOString()
    const only = async (query: string) =>
      (await api.ask('GET', `/admin/usage?${query}`)).json.data.map(({ id }: { id: string }) => id)
    for (const query of [
      `from=${from}`,
      'model=claude-opus-5',
      'status=failed',
      'stream=false',
      'platform=anthropic',
    ]) {
      expect([query, await only(query)]).toEqual([query, [second.id]])
    }
    for (const query of [`to=${from}`, 'min_cost_usd=1', 'stream=true'])
      expect([query, await only(query)]).toEqual([query, [first.id]])
    expect(await only(`account_id=${account}`)).toHaveLength(2)
    expect(await only('user_id=nobody')).toEqual([])
  })

  test('names the key, also after it was deleted (KEY-12)', async () => {
    const made = (await api.ask('POST', '/admin/keys', { name: 'old laptop' })).json
    const receipt = makeReceipt({ keyId: made.id, createdAtMs: NOON - MINUTE_MS })
    await insertReceipts(api.database.sql, [receipt], { timeZone: 'UTC' })
    expect((await api.ask('DELETE', `/admin/keys/${made.id}`)).status).toBe(204)
    const { data } = (await api.ask('GET', `/admin/usage?key_id=${made.id}`)).json
    expect(data).toMatchObject([{ id: receipt.id, key_id: made.id, key_name: 'old laptop' }])
    expect((await api.ask('GET', `/admin/requests/${receipt.id}`)).json.key_name).toBe('old laptop')
    expect((await api.ask('GET', `/admin/requests/${first.id}`)).json).toMatchObject({ key_id: null, key_name: null })
  })

  test('a filter that makes no sense is a 400 naming it (contract.md)', async () => {
    for (const [field, value] of [
      ['from', 'yesterday'],
      ['to', '2026-99-99T00:00:00Z'],
      ['status', 'odd'],
      ['stream', '1'],
      ['min_cost_usd', '-1'],
      ['min_cost_usd', '0.0000000001'],
      ['user', 'x'],
    ] as const) {
      const answer = await api.ask('GET', `/admin/usage?${field}=${value}`)
      expect([field, value, answer.status, answer.json.error.field]).toEqual([field, value, 400, field])
    }
  })
})

describe('/admin/requests/{id}', () => {
  test('shows attempts and why other accounts were passed over (ACC-17)', async () => {
    expect(await api.ask('GET', `/admin/requests/${second.id}`)).toMatchObject({
      status: 200,
      json: {
        id: second.id,
        http_status: 502,
        attempts: [{ account_id: account, status: 429, reason: 'rate_limited' }],
        choice: { candidates: 3, passed_over: { cooldown: 2 }, sticky: 'miss' },
      },
    })
  })
})

describe('a database that is away', () => {
  test('is told from a mistake of ours by what the driver says, however deep it is wrapped (OPS-5)', () => {
    const wrapped = new Error('query failed', { cause: new Error('again', { cause: { code: 'ECONNREFUSED' } }) })
    for (const error of [
      { code: 'CONNECTION_CLOSED' },
      { code: 'CONNECT_TIMEOUT' },
      { code: '57P01' },
      { code: '53300' },
      { code: '08006' },
      wrapped,
    ]) {
      expect([error, isDatabaseAway(error)]).toEqual([error, true])
    }
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    for (const error of [new Error('x'), { code: '23505' }, { code: '42601' }, null, 'text', circle])
      expect(isDatabaseAway(error)).toBe(false)
  })

  test('is a 503 for reads and writes, while the root token still opens the door (OPS-5)', async () => {
    const lost = await adminApp()
    await lost.database.close()
    for (const [method, path, body] of [
      ['GET', '/admin/users', undefined],
      ['POST', '/admin/users', { email: 'a@b.example' }],
    ] as const) {
      const answer = await lost.ask(method, path, body)
      expect(answer).toMatchObject({ status: 503, json: { error: { code: 'database_unavailable' } } })
    }
    expect((await lost.ask('GET', '/admin/users', undefined, 'someone-else')).status).toBe(503)
    await lost.database.drop()
  })
})
