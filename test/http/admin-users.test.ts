import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type AdminApp, adminApp } from '../support/admin-app.ts'

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())

const create = async (email: string, more = {}) => (await api.ask('POST', '/admin/users', { email, ...more })).json

describe('/admin/users', () => {
  test('a user is created with sensible defaults and read back the same (contract.md)', async () => {
    const made = await api.ask('POST', '/admin/users', { email: 'ada@example.com' })
    expect(made).toMatchObject({
      status: 201,
      json: {
        email: 'ada@example.com',
        username: 'ada',
        role: 'user',
        status: 'active',
        balance_usd: 0,
        quota_usd: null,
        used_usd: 0,
      },
    })
    expect((await api.ask('GET', `/admin/users/${made.json.id}`)).json).toEqual(made.json)
  })

  test('an e-mail address belongs to one user, whatever its case: 409 naming it (contract.md)', async () => {
    await create('grace@example.com')
    const again = await api.ask('POST', '/admin/users', { email: 'GRACE@example.com' })
    expect(again).toMatchObject({ status: 409, json: { error: { code: 'conflict', field: 'email' } } })
    const other = await create('alan@example.com')
    const renamed = await api.ask('PATCH', `/admin/users/${other.id}`, { email: 'grace@example.com' })
    expect(renamed).toMatchObject({ status: 409, json: { error: { field: 'email' } } })
  })

  test('a patch changes what it names and nothing else (KEY-10)', async () => {
    const user = await create('patch@example.com', { quota_usd: 5 })
    const patched = await api.ask('PATCH', `/admin/users/${user.id}`, { username: 'renamed' })
    expect(patched).toMatchObject({
      status: 200,
      json: { username: 'renamed', quota_usd: 5, email: 'patch@example.com' },
    })
    expect((await api.ask('PATCH', `/admin/users/${user.id}`, { quota_usd: null })).json.quota_usd).toBeNull()
    const balance = await api.ask('PATCH', `/admin/users/${user.id}`, { balance_usd: 5 })
    expect(balance).toMatchObject({ status: 422, json: { error: { code: 'unknown_field', field: 'balance_usd' } } })
    expect((await api.ask('PATCH', `/admin/users/${user.id}`, {})).status).toBe(422)
  })

  test('the balance moves by ledger entries and is their sum (BIL-11)', async () => {
    const user = await create('payer@example.com', { balance_usd: 1.5 })
    const up = await api.ask('POST', `/admin/users/${user.id}/balance`, {
      amount_usd: 10.000000001,
      note: 'Invoice 42',
    })
    expect(up).toMatchObject({ status: 200, json: { balance_usd: 11.500000001 } })
    const down = await api.ask('POST', `/admin/users/${user.id}/balance`, { amount_usd: -20 })
    expect(down.json.balance_usd).toBe(-8.499999999)
    const { data } = (await api.ask('GET', `/admin/users/${user.id}/ledger`)).json
    expect(
      data.map(({ kind, amount_usd, note, actor }: Record<string, unknown>) => [kind, amount_usd, note, actor]),
    ).toEqual([
      ['adjustment', -20, '', 'root'],
      ['top_up', 10.000000001, 'Invoice 42', 'root'],
      ['top_up', 1.5, 'opening balance', 'root'],
    ])
  })

  test('money that cannot be booked exactly is refused by name (BIL-11)', async () => {
    const user = await create('exact@example.com')
    for (const amount of [0, 0.0000000001, 1e15, '5', null]) {
      const answer = await api.ask('POST', `/admin/users/${user.id}/balance`, { amount_usd: amount })
      expect([amount, answer.status, answer.json.error.field]).toEqual([amount, 422, 'amount_usd'])
    }
    expect((await api.ask('GET', `/admin/users/${user.id}/ledger`)).json.data).toEqual([])
  })

  test('a balance beyond what the answer can show is refused and stays as it was (BIL-11)', async () => {
    const user = await create('rich@example.com', { balance_usd: 1_000_000_000 })
    const one = await api.ask('POST', `/admin/users/${user.id}/balance`, { amount_usd: 1 })
    expect(one).toMatchObject({ status: 422, json: { error: { field: 'amount_usd' } } })
    expect((await api.ask('GET', `/admin/users/${user.id}`)).json.balance_usd).toBe(1_000_000_000)
    expect((await api.ask('GET', `/admin/users/${user.id}/ledger`)).json.data).toHaveLength(1)
  })

  test('deleted is gone, with its keys; the address is free again (KEY-12)', async () => {
    const user = await create('gone@example.com')
    const key = (await api.ask('POST', '/admin/keys', { name: 'k', user_id: user.id })).json
    expect((await api.ask('DELETE', `/admin/users/${user.id}`)).status).toBe(204)
    expect((await api.ask('GET', `/admin/users/${user.id}`)).status).toBe(404)
    expect((await api.ask('DELETE', `/admin/users/${user.id}`)).status).toBe(404)
    expect((await api.ask('GET', `/admin/keys/${key.id}`)).status).toBe(404)
    expect((await api.ask('POST', '/admin/users', { email: 'gone@example.com' })).status).toBe(201)
  })

  test('lists page by cursor without repeating or hiding any, and filter (contract.md)', async () => {
    for (let i = 0; i < 5; i++) await create(`page${i}@pages.example`, { status: i === 0 ? 'disabled' : 'active' })
    const seen: string[] = []
    let cursor = ''
    do {
      const { json } = await api.ask('GET', `/admin/users?search=pages.example&limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...json.data.map(({ email }: { email: string }) => email))
      cursor = json.next_cursor ?? ''
    } while (cursor)
    expect(seen).toEqual([4, 3, 2, 1, 0].map((i) => `page${i}@pages.example`))
    expect((await api.ask('GET', '/admin/users?search=pages.example&status=disabled')).json.data).toHaveLength(1)
    expect((await api.ask('GET', '/admin/users?role=queen')).status).toBe(400)
  })
})

describe('the audit log', () => {
  test('holds every write with who, what and what was given; reads leave no trace (OPS-9)', async () => {
    const user = await create('audited@example.com', { quota_usd: 1 })
    await api.ask('PATCH', `/admin/users/${user.id}`, { username: 'x' })
    await api.ask('GET', `/admin/users/${user.id}`)
    await api.ask('POST', `/admin/users/${user.id}/balance`, { amount_usd: 1 })
    await api.ask('DELETE', `/admin/users/${user.id}`)
    const { data } = (await api.ask('GET', `/admin/audit?resource=user&resource_id=${user.id}`)).json
    expect(data.map(({ actor, action, changes }: Record<string, unknown>) => [actor, action, changes])).toEqual([
      ['root', 'user.delete', {}],
      ['root', 'user.balance', { amount_usd: 1 }],
      ['root', 'user.patch', { username: 'x' }],
      ['root', 'user.create', { email: 'audited@example.com', quota_usd: 1 }],
    ])
  })

  test('a write that is refused leaves neither change nor entry (OPS-9)', async () => {
    const before = (await api.ask('GET', '/admin/audit?limit=1000')).json.data.length
    await api.ask('POST', '/admin/users', { email: 'audited2@example.com', quota_usd: 0.00000000001 })
    await api.ask('POST', '/admin/keys', { name: 'k', user_id: '0190a0c0-0000-7000-8000-000000000000' })
    expect((await api.ask('GET', '/admin/audit?limit=1000')).json.data.length).toBe(before)
    expect((await api.ask('GET', '/admin/users?search=audited2')).json.data).toEqual([])
  })

  test('this process is told of a change after it is committed, and not of a refused one (KEY-3)', async () => {
    const user = await create('told@example.com')
    expect(api.changes.at(-1)).toEqual({ kind: 'user', id: user.id })
    const { length } = api.changes
    await api.ask('POST', '/admin/users', { email: 'told@example.com' })
    await api.ask('DELETE', '/admin/users/0190a0c0-0000-7000-8000-000000000000')
    expect(api.changes.length).toBe(length)
  })
})
