import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { seedGroup, seedUser } from '../support/seed.ts'

let api: AdminApp
let viewer: string
let group_id: string
beforeAll(async () => {
  api = await adminApp()
  viewer = (await api.ask('POST', '/admin/tokens', { name: 'reader', role: 'viewer' })).json.token
  group_id = (await seedGroup(api.database.db, { billingType: 'subscription' })).id
})
afterAll(() => api.database.drop())

const path = '/admin/subscriptions'
const assign = (body: object, token?: string) => api.ask('POST', path, body, token)
const newUser = async () => (await seedUser(api.database.db)).id

describe('/admin/subscriptions', () => {
  test('is assigned for days, found, listed by user, and this process is told (BIL-10, KEY-3)', async () => {
    const user_id = await newUser()
    const made = await assign({ user_id, group_id, days: 30, note: 'invoice 42' })
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({
      user_id,
      group_id,
      status: 'active',
      daily_started_at: null,
      monthly_used_usd: 0,
    })
    expect(Date.parse(made.json.expires_at) - Date.parse(made.json.starts_at)).toBe(30 * 86_400_000)
    expect(api.changes.at(-1)).toEqual({ kind: 'subscription', id: made.json.id })
    expect((await api.ask('GET', `${path}/${made.json.id}`)).json).toEqual(made.json)
    expect((await api.ask('GET', `${path}?user_id=${user_id}`)).json).toEqual({ data: [made.json], next_cursor: null })
    expect((await api.ask('GET', `${path}?user_id=${user_id}&status=revoked`)).json.data).toEqual([])
  })

  test('is extended by a patch; an end before its start changes nothing (BIL-10)', async () => {
    const { json } = await assign({ user_id: await newUser(), group_id, days: 1 })
    const expires_at = '2027-01-01T00:00:00.000Z'
    const later = await api.ask('PATCH', `${path}/${json.id}`, { expires_at })
    expect([later.status, later.json.expires_at]).toEqual([200, expires_at])
    const wrong = await api.ask('PATCH', `${path}/${json.id}`, { expires_at: '2020-01-01T00:00:00.000Z' })
    expect([wrong.status, wrong.json.error.field]).toEqual([422, 'expires_at'])
    expect((await api.ask('GET', `${path}/${json.id}`)).json.expires_at).toBe(expires_at)
  })

  test('is revoked once, stays readable, cannot be extended then, and leaves room for a new one (BIL-10)', async () => {
    const user_id = await newUser()
    const { json } = await assign({ user_id, group_id, days: 1 })
    const second = await assign({ user_id, group_id, days: 1 })
    expect([second.status, second.json.error.code]).toEqual([409, 'conflict'])
    expect((await api.ask('DELETE', `${path}/${json.id}`)).status).toBe(204)
    expect((await api.ask('GET', `${path}/${json.id}`)).json.status).toBe('revoked')
    expect((await api.ask('DELETE', `${path}/${json.id}`)).status).toBe(404)
    expect((await api.ask('PATCH', `${path}/${json.id}`, { note: 'again' })).status).toBe(404)
    expect((await assign({ user_id, group_id, days: 1 })).status).toBe(201)
  })

  test('what makes no sense is refused, naming the field (contract.md)', async () => {
    const user_id = await newUser()
    const plain = (await seedGroup(api.database.db)).id
    for (const [body, field] of [
      [{ group_id, days: 1 }, 'user_id'],
      [{ user_id, group_id }, 'expires_at'],
      [{ user_id, group_id, days: 0 }, 'days'],
      [{ user_id, group_id, days: 1, expires_at: '2027-01-01T00:00:00Z' }, 'expires_at'],
      [{ user_id, group_id, expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
      [{ user_id: newId(), group_id, days: 1 }, 'user_id'],
      [{ user_id, group_id: newId(), days: 1 }, 'group_id'],
      [{ user_id, group_id: plain, days: 1 }, 'group_id'],
      [{ user_id, group_id, days: 1, daily_used_usd: 0 }, 'daily_used_usd'],
    ] as const) {
      const answer = await assign(body)
      expect([field, answer.status, answer.json.error.field]).toEqual([field, 422, field])
    }
    expect((await api.ask('GET', `${path}?user_id=${user_id}`)).json.data).toEqual([])
  })

  test('a viewer reads them and changes none (OPS-9)', async () => {
    const { json } = await assign({ user_id: await newUser(), group_id, days: 1 })
    expect((await assign({ user_id: await newUser(), group_id, days: 1 }, viewer)).status).toBe(403)
    expect((await api.ask('PATCH', `${path}/${json.id}`, { note: 'x' }, viewer)).status).toBe(403)
    expect((await api.ask('DELETE', `${path}/${json.id}`, undefined, viewer)).status).toBe(403)
    expect((await api.ask('GET', `${path}/${json.id}`, undefined, viewer)).json.status).toBe('active')
  })
})
