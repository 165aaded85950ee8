/**
 * Every write of the admin API leaves exactly one entry in the audit log, with the name of who did it and none of the secrets (OPS-9). The
 * table of calls is the list of cases: a call that is added and leaves none, or can't be made by what is here, fails.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insertReceipts } from '../../src/db/receipts.ts'
import type { Call } from '../../src/http/admin/call.ts'
import { exampleOf } from '../../src/http/describe-call.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt } from '../support/receipts.ts'
import { seedGroup, seedUser } from '../support/seed.ts'
import { startTokenServer, type TokenServer } from '../support/token-server.ts'

let api: AdminApp
let admin: string
let tokens: TokenServer
const folder = mkdtempSync(join(tmpdir(), 'turnpike-writes-'))
beforeAll(async () => {
  tokens = startTokenServer()
  api = await adminApp({ OAUTH_OPENAI_TOKEN_URL: tokens.url })
  admin = (await api.ask('POST', '/admin/tokens', { name: 'deputy', role: 'admin' })).json.token
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await tokens.stop()
  await api.database.drop()
})

const SECRET = 'hunter2-sk-0123456789abcdef'

/** Calls that are no GET and change nothing of what operators set up; `why` stands for the reader. */
const LEAVES_NONE: Readonly<Record<string, string>> = {
  'POST /admin/accounts/:id/test': 'sends a request through the account and changes nothing',
  'POST /admin/proxies/:id/test': 'connects through the proxy and changes nothing',
  'POST /admin/oauth/:platform/authorize': 'begins a sign-in; what it comes to is written down at its exchange',
}

/** How to make a call that its documented example alone does not make succeed: a body, a query, or what must be there before. */
const PREPARED: Readonly<Record<string, () => Promise<Partial<Wish>>>> = {
  'POST /admin/accounts': async () => ({
    body: {
      name: 'a',
      platform: 'openai',
      type: 'oauth',
      credentials: { access_token: SECRET, refresh_token: SECRET },
    },
  }),
  'PATCH /admin/accounts/:id': async () => ({ body: { credentials: { access_token: `${SECRET}-2` } } }),
  'POST /admin/proxies': async () => ({
    body: { name: 'p', url: 'http://10.0.0.9:8080', username: 'name', password: SECRET },
  }),
  'POST /admin/keys/import': async () => ({ body: { api_key: SECRET, name: 'imported' } }),
  'POST /admin/subscriptions': async () => ({
    body: {
      ...(exampleBody(find('POST /admin/subscriptions')) as object),
      user_id: (await seedUser(api.database.db)).id,
      group_id: (await seedGroup(api.database.db, { billingType: 'subscription' })).id,
    },
  }),
  'POST /admin/oauth/:platform/exchange': async () => {
    const begun = await ask('POST', '/admin/oauth/openai/authorize')
    return { id: 'openai', body: { code: SECRET, state: begun.json.state } }
  },
  'PUT /admin/prices/:model': async () => ({ id: 'house-model' }),
  'DELETE /admin/prices/:model': async () => ({ id: 'house-model' }),
  'POST /admin/prices/refresh': async () => {
    const row = { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 }
    const source = join(folder, 'prices.json')
    writeFileSync(source, JSON.stringify({ 'gpt-refreshed': row }))
    return { body: { source, date: '2026-11-01' } }
  },
  'DELETE /admin/usage': async () => ({ query: '?older_than_days=30' }),
  'POST /admin/usage/reprice': async () => {
    const receipt = makeReceipt({ priced: false, model: 'later-priced', upstreamModel: null, usage: { input: 1000 } })
    await insertReceipts(api.database.sql, [receipt], { timeZone: 'UTC' })
    await ask('PUT', '/admin/prices/later-priced', { rates: { input_usd: 2, output_usd: 10 } })
    return { body: {} }
  },
}

interface Wish {
  id: string
  body: unknown
  /** With its question mark. */
  query: string
}

const named = ({ method, path }: Call) => `${method} ${path}`
const exampleBody = (call: Call) => call.bodyExample ?? (call.body && exampleOf(call.body))
const find = (name: string) => api.calls.find((call) => named(call) === name)!
const ask = (method: string, path: string, body?: unknown) => api.ask(method, path, body, admin)
const entries = async () =>
  (await api.ask('GET', '/admin/audit?limit=1000')).json.data as { id: string; actor: string; action: string }[]

/** Deletions last: until then everything that was made is there. */
const inOrder = (calls: readonly Call[]) =>
  calls.filter(({ method, readOnly }) => method !== 'GET' && !readOnly).toSorted((a, b) => rank(a) - rank(b))
const rank = ({ method, path }: Call) => (method === 'DELETE' ? 3 : path.includes('/:') && method !== 'PUT' ? 2 : 1)

test('each write leaves exactly one entry, in the name of who did it, without the secrets (OPS-9)', async () => {
  const made = new Map<string, string>()
  for (const call of inOrder(api.calls)) {
    const prepared: Partial<Wish> = (await PREPARED[named(call)]?.()) ?? {}
    const body = prepared.body ?? exampleBody(call)
    const id = prepared.id ?? made.get(call.path.split('/:')[0] ?? '') ?? ''
    const before = new Set((await entries()).map((entry) => entry.id))
    const answer = await ask(
      call.method,
      call.path.replace(/:\w+/, call.path.startsWith('/admin/oauth') ? 'openai' : id) + (prepared.query ?? ''),
      body,
    )
    expect([named(call), answer.status, answer.json?.error]).toEqual([named(call), call.status, undefined])
    if (call.status === 201 && !made.has(call.path)) made.set(call.path, answer.json.id)
    const left = (await entries()).filter((entry) => !before.has(entry.id))
    const expected = named(call) in LEAVES_NONE ? [] : ['deputy']
    expect([named(call), left.map(({ actor }) => actor)]).toEqual([named(call), expected])
  }
  const log = (await api.ask('GET', '/admin/audit?limit=1000')).text
  expect(log).not.toContain(SECRET)
  expect(log).not.toContain(admin)
})

test('a write that is refused leaves none (OPS-9)', async () => {
  const before = (await entries()).length
  for (const call of inOrder(api.calls).filter(({ body }) => body)) {
    const answer = await ask(call.method, call.path.replace(/:\w+/, '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11'), {
      nmae: 1,
    })
    expect([named(call), answer.status]).toEqual([named(call), 422])
  }
  expect((await entries()).length).toBe(before)
})
