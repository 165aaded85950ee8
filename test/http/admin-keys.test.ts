import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { hashApiKey } from '../../src/lib/hash-api-key.ts'
import { deriveSecret } from '../../src/lib/secretbox.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())

const create = (body = {}) => api.ask('POST', '/admin/keys', { name: 'laptop', ...body })
const pepper = deriveSecret('encryption key of the tests', 'api key pepper v1')
const stored = async (id: string) =>
  (
    await api.database.sql`select key_hash, previous_key_hash, previous_key_expires_at from api_keys where id = ${id}`
  )[0]!

describe('/admin/keys', () => {
  test('a new key is the prefix and 32 random bytes in hex, shown by create only (KEY-1)', async () => {
    const made = await create()
    expect(made.status).toBe(201)
    expect(made.json.api_key).toMatch(/^tp_[0-9a-f]{64}$/)
    expect(made.json).toMatchObject({
      key_prefix: made.json.api_key.slice(0, 7),
      key_last4: made.json.api_key.slice(-4),
    })
    const texts = [
      (await api.ask('GET', `/admin/keys/${made.json.id}`)).text,
      (await api.ask('GET', '/admin/keys')).text,
      (await api.ask('GET', '/admin/audit')).text,
      api.lines.join(),
    ]
    for (const text of texts) expect(text).not.toContain(made.json.api_key.slice(8, -5))
    expect((await create()).json.api_key).not.toBe(made.json.api_key)
  })

  test('list and get show what is counted in the window now; a list asks for all its keys at once (KEY-6)', async () => {
    const [used, fresh, without] = [
      (await create({ rate_limit_window: 60 })).json,
      (await create({ rate_limit_window: 60 })).json,
      (await create()).json,
    ]
    const none = { dayCost: null, weekCost: null, totalCost: null, tokens: null, concurrency: null }
    const startMs = Date.UTC(2026, 7, 1)
    const view = { requests: 3, tokens: 40, cost: 2_500_000, startMs, endMs: startMs + 3_600_000, remainingSeconds: 7 }
    const idle = { requests: 0, tokens: 0, cost: 0, startMs: null, endMs: null, remainingSeconds: null }
    api.keyUsages.set(used.id, { ...none, window: view, concurrency: 2 })
    api.keyUsages.set(fresh.id, { ...none, window: idle })
    const shown = {
      requests: 3,
      tokens: 40,
      cost_usd: 0.0025,
      started_at: '2026-08-01T00:00:00.000Z',
      ends_at: '2026-08-01T01:00:00.000Z',
      remaining_seconds: 7,
    }
    expect((await api.ask('GET', `/admin/keys/${used.id}`)).json).toMatchObject({ window: shown, concurrency: 2 })
    api.usageReads.length = 0
    const { data } = (await api.ask('GET', '/admin/keys?limit=3')).json
    expect(api.usageReads).toEqual([[without.id, fresh.id, used.id]])
    const nothing = { requests: 0, tokens: 0, cost_usd: 0, started_at: null, ends_at: null, remaining_seconds: null }
    expect(data.map((key: { window: unknown }) => key.window)).toEqual([null, nothing, shown])
    const over = { ...view, requests: 0, tokens: 0, cost: 0, remainingSeconds: 0 }
    api.keyUsages.set(used.id, { ...none, window: over })
    const patched = (await api.ask('PATCH', `/admin/keys/${used.id}`, { rpm: 5 })).json
    expect(patched.window).toEqual({ ...shown, requests: 0, tokens: 0, cost_usd: 0, remaining_seconds: 0 })
  })

  test('only the keyed hash is stored (KEY-1)', async () => {
    const { json } = await create()
    expect((await stored(json.id)).key_hash).toBe(hashApiKey(pepper, json.api_key))
  })

  test('every field of KEY-5 can be set, read and changed (KEY-5)', async () => {
    const user = (await api.ask('POST', '/admin/users', { email: 'k5@example.com' })).json
    const group = (await api.ask('GET', '/admin/groups?platform=openai')).json.data[0]
    const fields = {
      description: 'note',
      user_id: user.id,
      group_id: group.id,
      tags: ['a'],
      active: true,
      expires_at: '2027-01-01T00:00:00.000Z',
      permissions: ['openai', 'claude'],
      token_limit: 1000,
      concurrency_limit: 2,
      rate_limit_window: 60,
      rate_limit_requests: 10,
      rate_limit_tokens: 20,
      rate_limit_cost_usd: 0.5,
      rpm: 5,
      tpm: 6,
      daily_cost_limit_usd: 1,
      weekly_cost_limit_usd: 2,
      total_cost_limit_usd: 3,
      model_restriction: 'allow',
      models: ['gpt-*'],
      client_restriction: true,
      clients: ['claude_code'],
      ip_allow: ['10.0.0.0/8'],
      ip_deny: ['10.1.1.1'],
      bound_accounts: {},
      standalone: true,
      balance_usd: 4,
      on_client_disconnect: 'abort',
      sse_keepalive: 15,
    }
    const made = await create(fields)
    expect(made).toMatchObject({ status: 201, json: fields })
    const patched = await api.ask('PATCH', `/admin/keys/${made.json.id}`, {
      active: false,
      rpm: 0,
      expires_at: null,
      expires_after_days: 30,
    })
    expect(patched).toMatchObject({
      status: 200,
      json: { ...fields, active: false, rpm: 0, expires_at: null, expires_after_days: 30 },
    })
  })

  test('lists that make no sense are refused by name (KEY-5)', async () => {
    const cases: [object, string][] = [
      [{ ip_allow: ['10.0.0.0/33'] }, 'ip_allow'],
      [{ ip_deny: ['localhost'] }, 'ip_deny'],
      [{ models: ['gpt-*-mini'] }, 'models'],
      [{ permissions: [] }, 'permissions'],
      [{ permissions: ['everything'] }, 'permissions.0'],
      [{ bound_accounts: { openai: '0190a0c0-0000-7000-8000-000000000000' } }, 'bound_accounts.openai'],
      [{ user_id: '0190a0c0-0000-7000-8000-000000000000' }, 'user_id'],
      [{ daily_cost_limit_usd: -1 }, 'daily_cost_limit_usd'],
      [{ expires_at: 'soon' }, 'expires_at'],
    ]
    const { id } = (await create()).json
    for (const [body, field] of cases) {
      expect([field, (await create(body)).json.error?.field]).toEqual([field, field])
      const patched = await api.ask('PATCH', `/admin/keys/${id}`, body)
      expect([field, patched.status, patched.json.error?.field]).toEqual([field, 422, field])
    }
  })

  test('counters cannot be edited (KEY-10)', async () => {
    const { id } = (await create()).json
    for (const field of ['request_count', 'total_tokens', 'cost_usd', 'last_used_at', 'key_prefix', 'id']) {
      const answer = await api.ask('PATCH', `/admin/keys/${id}`, { [field]: 0 })
      expect([field, answer.status, answer.json.error.field]).toEqual([field, 422, field])
    }
  })

  test('rotate gives a new secret to the same key; the old one ends at once, or after the grace period (KEY-10)', async () => {
    const made = (await create({ rpm: 7 })).json
    const rotated = await api.ask('POST', `/admin/keys/${made.id}/rotate`)
    expect(rotated).toMatchObject({ status: 200, json: { id: made.id, name: 'laptop', rpm: 7 } })
    expect(rotated.json.api_key).not.toBe(made.api_key)
    expect(await stored(made.id)).toMatchObject({
      key_hash: hashApiKey(pepper, rotated.json.api_key),
      previous_key_hash: null,
    })

    const again = (await api.ask('POST', `/admin/keys/${made.id}/rotate`, { grace_seconds: 3600 })).json
    expect(await stored(made.id)).toMatchObject({
      key_hash: hashApiKey(pepper, again.api_key),
      previous_key_hash: hashApiKey(pepper, rotated.json.api_key),
      previous_key_expires_at: new Date(api.time.nowMs + 3_600_000),
    })
  })

  test('a plain key of another gateway is imported and stored as a hash (KEY-1)', async () => {
    const imported = await api.ask('POST', '/admin/keys/import', {
      api_key: 'cr_hunter2_hunter2_0001',
      name: 'old',
      rpm: 3,
    })
    expect(imported).toMatchObject({ status: 201, json: { name: 'old', rpm: 3, imported: 1, key_last4: '0001' } })
    expect((await stored(imported.json.id)).key_hash).toBe(hashApiKey(pepper, 'cr_hunter2_hunter2_0001'))
    for (const text of [imported.text, (await api.ask('GET', '/admin/audit')).text])
      expect(text).not.toContain('hunter2')
    expect(
      (await api.ask('POST', '/admin/keys/import', { api_key: 'cr_hunter2_hunter2_0001', name: 'again' })).status,
    ).toBe(409)
  })

  test('of a short imported key too little is shown to guess the rest (KEY-1)', async () => {
    const { json } = await api.ask('POST', '/admin/keys/import', { api_key: 'sk-12345', name: 'short' })
    expect([json.key_prefix, json.key_last4]).toEqual(['sk', ''])
  })

  test('many keys are imported together, or none of them (KEY-1)', async () => {
    const keys = [
      { api_key: 'bulk-key-0000001', name: 'one' },
      { api_key: 'bulk-key-0000002', name: 'two' },
    ]
    expect(await api.ask('POST', '/admin/keys/import', { keys })).toMatchObject({
      status: 201,
      json: { imported: 2, data: [{ name: 'one' }, { name: 'two' }] },
    })
    const half = [
      { api_key: 'bulk-key-0000003', name: 'three' },
      { api_key: 'bulk-key-0000001', name: 'one again' },
    ]
    expect(await api.ask('POST', '/admin/keys/import', { keys: half })).toMatchObject({
      status: 409,
      json: { error: { field: 'keys.1.api_key' } },
    })
    expect((await api.ask('GET', '/admin/keys?search=three')).json.data).toEqual([])
    expect((await api.ask('POST', '/admin/keys/import', { keys, name: 'both' })).status).toBe(422)
    expect((await api.ask('POST', '/admin/keys/import', { name: 'no key' })).json.error.field).toBe('api_key')
    expect((await api.ask('POST', '/admin/keys/import', { api_key: 'has a space', name: 'x' })).json.error.field).toBe(
      'api_key',
    )
  })

  test('lists filter by user, group, tag, activity and text', async () => {
    const user = (await api.ask('POST', '/admin/users', { email: 'filter@example.com' })).json
    const { id } = (await create({ user_id: user.id, tags: ['blue'], active: false, name: 'needle' })).json
    for (const query of [`user_id=${user.id}`, 'tag=blue', 'active=false&search=needle', 'search=needle']) {
      const { data } = (await api.ask('GET', `/admin/keys?${query}`)).json
      expect([query, data.map((key: { id: string }) => key.id)]).toEqual([query, [id]])
    }
    expect((await api.ask('GET', '/admin/keys?user_id=nobody')).json.data).toEqual([])
  })

  test('deleted is gone (KEY-12)', async () => {
    const { id } = (await create()).json
    expect((await api.ask('DELETE', `/admin/keys/${id}`)).status).toBe(204)
    expect((await api.ask('GET', `/admin/keys/${id}`)).status).toBe(404)
    expect((await api.ask('POST', `/admin/keys/${id}/rotate`)).status).toBe(404)
  })
})

describe('/admin/tokens', () => {
  test('named tokens have a role, are shown once and end when deleted or expired (OPS-9)', async () => {
    const admin = (await api.ask('POST', '/admin/tokens', { name: 'ci', role: 'admin' })).json
    const brief = (
      await api.ask('POST', '/admin/tokens', {
        name: 'brief',
        role: 'viewer',
        expires_at: new Date(api.time.nowMs + 60_000).toISOString(),
      })
    ).json
    expect(admin.token).toMatch(/^tpa_[0-9a-f]{64}$/)
    expect((await api.ask('POST', '/admin/users', { email: 'by-ci@example.com' }, admin.token)).status).toBe(201)
    expect((await api.ask('GET', '/admin/audit?actor=ci')).json.data[0].action).toBe('user.create')
    expect((await api.ask('GET', '/admin/users', undefined, brief.token)).status).toBe(200)
    api.time.nowMs += 60_000
    expect((await api.ask('GET', '/admin/users', undefined, brief.token)).status).toBe(401)
    expect((await api.ask('GET', '/admin/tokens')).text).not.toContain(admin.token.slice(8, -5))
    expect((await api.ask('DELETE', `/admin/tokens/${admin.id}`)).status).toBe(204)
    expect((await api.ask('GET', '/admin/users', undefined, admin.token)).status).toBe(401)
  })

  test('names are unique, and those of turnpike itself are taken (OPS-9)', async () => {
    await api.ask('POST', '/admin/tokens', { name: 'twice', role: 'viewer' })
    for (const name of ['twice', 'root', 'cli'])
      expect((await api.ask('POST', '/admin/tokens', { name, role: 'viewer' })).status).toBe(409)
    const past = await api.ask('POST', '/admin/tokens', {
      name: 'past',
      role: 'viewer',
      expires_at: '2020-01-01T00:00:00Z',
    })
    expect(past.json.error.field).toBe('expires_at')
  })

  test('when it was last used is kept to the minute, not written at every call (OPS-9)', async () => {
    const { id, token } = (await api.ask('POST', '/admin/tokens', { name: 'poller', role: 'viewer' })).json
    const lastUsed = async () =>
      (await api.ask('GET', '/admin/tokens')).json.data.find((row: { id: string }) => row.id === id).last_used_at
    expect(await lastUsed()).toBeNull()
    await api.ask('GET', '/admin/users', undefined, token)
    const first = await lastUsed()
    expect(first).toBe(new Date(api.time.nowMs).toISOString())
    api.time.nowMs += 30_000
    await api.ask('GET', '/admin/users', undefined, token)
    expect(await lastUsed()).toBe(first)
  })
})

describe('/admin/settings', () => {
  test('stored values are laid over the environment’s; null takes them away', async () => {
    expect((await api.ask('GET', '/admin/settings')).json).toMatchObject({ max_attempts: 5, unpriced_models: 'allow' })
    const patched = await api.ask('PATCH', '/admin/settings', {
      max_attempts: 2,
      unpriced_models: 'deny',
      record_bodies: true,
    })
    expect(patched).toMatchObject({
      status: 200,
      json: { max_attempts: 2, unpriced_models: 'deny', record_bodies: true, queue_size: 100 },
    })
    expect(api.changes.slice(-3).map(({ kind, id }) => `${kind}:${id}`)).toEqual([
      'setting:max_attempts',
      'setting:unpriced_models',
      'setting:record_bodies',
    ])
    expect((await api.ask('PATCH', '/admin/settings', { max_attempts: null })).json.max_attempts).toBe(5)
    expect((await api.ask('GET', '/admin/settings')).json.unpriced_models).toBe('deny')
  })

  test('values that the environment would refuse are refused here too, and settings that need a start are unknown', async () => {
    for (const [field, value] of [
      ['max_attempts', 0],
      ['unpriced_models', 'maybe'],
      ['first_byte_timeout', -1],
      ['port', 80],
      ['admin_token', 'x'],
    ] as const) {
      const answer = await api.ask('PATCH', '/admin/settings', { [field]: value })
      expect([field, answer.status, answer.json.error.field]).toEqual([field, 422, field])
    }
  })
})
