import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { findLedgerDrift } from '../../src/db/ledger.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { findHourDrift, findTotalsDrift } from '../../src/db/totals-drift.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt, NOON, type ReceiptParts } from '../support/receipts.ts'
import { granted, seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())
// What a test leaves without a price is not the next one’s business.
beforeEach(async () => {
  await api.database.sql`update usage_records set priced = true where not priced`
})

let models = 0
/** A model that nobody else has records of. */
const newModel = () => `unpriced-${models++}`

async function store(...parts: ReceiptParts[]) {
  const receipts = parts.map((part) =>
    makeReceipt({ priced: false, upstreamModel: null, usage: { input: 1_000_000, output: 100_000 }, ...part }),
  )
  const { rejected } = await insertReceipts(api.database.sql, receipts, { timeZone: 'UTC' })
  expect(rejected).toEqual([])
  return receipts
}

/** 2 USD a million in, 10 out: a record of `store` costs 3 USD. */
const price = (model: string) => api.ask('PUT', `/admin/prices/${model}`, { rates: { input_usd: 2, output_usd: 10 } })
const reprice = (body: object = {}, token?: string) => api.ask('POST', '/admin/usage/reprice', body, token)
const recordOf = async ({ id }: { id: string }) => (await api.ask('GET', `/admin/requests/${id}`)).json
const balanceOf = async ({ id }: { id: string }) => (await api.ask('GET', `/admin/users/${id}`)).json

async function expectSoundBooks() {
  expect(await findLedgerDrift(api.database.sql)).toEqual([])
  expect(await findTotalsDrift(api.database.sql)).toEqual([])
  expect(await findHourDrift(api.database.sql)).toEqual([])
}

describe('POST /admin/usage/reprice', () => {
  test('books the correction as its own ledger entry, moves all sums with it, and does so once (BIL-3, BIL-11, BIL-12)', async () => {
    const { db, sql } = api.database
    const [user, model] = [await seedUser(db, { balanceNano: 20_000_000_000n }), newModel()]
    const group = await seedGroup(db, { rateMultiplier: 1_500_000 })
    const account = await seedAccount(db, { rateMultiplier: 500_000 })
    const owners = { userId: user.id, groupId: group.id, accountId: account.id, billingType: 'balance', model } as const
    const [receipt] = await store(owners)
    expect((await balanceOf(user)).balance_usd).toBe(20)
    await price(model)
    const done = await reprice({ model })
    expect(done.json).toEqual({ examined: 1, repriced: 1, cost_usd: 3, charged_usd: 4.5, next_cursor: null })
    expect(await recordOf(receipt!)).toMatchObject({
      priced: true,
      input_cost_usd: 2,
      output_cost_usd: 1,
      cost_usd: 3,
      charged_usd: 4.5,
      upstream_cost_usd: 1.5,
      price_used: { model, group_multiplier: 1.5, account_multiplier: 0.5 },
    })
    expect(await balanceOf(user)).toMatchObject({ balance_usd: 15.5, used_usd: 4.5 })
    const { data } = (await api.ask('GET', `/admin/users/${user.id}/ledger`)).json
    expect(data[0]).toMatchObject({ kind: 'reprice', amount_usd: -4.5, request_id: receipt!.id, actor: 'root' })
    expect(data).toHaveLength(2)
    const [hour] =
      await sql`select unpriced_requests as unpriced from usage_hourly where scope = 'user' and scope_id = ${user.id}`
    expect(hour?.unpriced).toBe(0n)
    const [day] = await sql`select cost_nano as cost from usage_daily where scope = 'user' and scope_id = ${user.id}`
    expect(day?.cost).toBe(3_000_000_000n)
    const [month] =
      await sql`select cost_nano as cost from usage_totals where scope_id = ${account.id} and period = '2026-07'`
    expect(month?.cost).toBe(3_000_000_000n)
    await expectSoundBooks()

    expect((await reprice({ model })).json).toMatchObject({ examined: 0, repriced: 0, charged_usd: 0 })
    expect((await balanceOf(user)).balance_usd).toBe(15.5)
    const audit = (await api.ask('GET', '/admin/audit?resource=usage')).json.data
    expect(audit[0]).toMatchObject({ action: 'usage.reprice', changes: { repriced: 1, model } })
  })

  test('what a cache saved is worked out then, too, and the sums of reports move with it (USE-16)', async () => {
    const model = newModel()
    await store({ model, usage: { input: 0, cacheRead: 1_000_000, cacheWrite5m: 2_000_000 } })
    await api.ask('PUT', `/admin/prices/${model}`, {
      rates: { input_usd: 2, output_usd: 10, cache_read_usd: 0.5, cache_write_5m_usd: 2.5 },
    })
    expect((await reprice({ model })).json.repriced).toBe(1)
    api.time.nowMs = NOON
    const { total } = (await api.ask('GET', `/admin/usage/cache-hits?tz=UTC&model=${model}`)).json
    expect(total).toMatchObject({
      cache_read_cost_usd: 0.5,
      cache_write_cost_usd: 5,
      saving_usd: 1.5,
      write_surcharge_usd: 1,
      net_saving_usd: 0.5,
    })
    const berlin = (await api.ask('GET', `/admin/usage/cache-hits?tz=Europe/Berlin&from=2026-07-24&model=${model}`))
      .json
    expect(berlin.total).toEqual(total)
    await expectSoundBooks()
  })

  test('ten calls at once book each record once (BIL-3, BIL-11)', async () => {
    const [user, model] = [await seedUser(api.database.db, { balanceNano: 100_000_000_000n }), newModel()]
    const part = { userId: user.id, billingType: 'balance', model } as const
    await store(part, part, part, part, part)
    await price(model)
    const answers = await Promise.all(Array.from({ length: 10 }, () => reprice({ model })))
    expect(answers.reduce((sum, { json }) => sum + json.repriced, 0)).toBe(5)
    expect((await balanceOf(user)).balance_usd).toBe(85)
    await expectSoundBooks()
  })

  test('what the response said of place and speed multiplies the price afterwards too (BIL-3, BIL-4)', async () => {
    const claude = { platform: 'anthropic', model: 'claude-opus-4-8', uplifts: ['us', 'fast'] }
    const [receipt] = await store(claude)
    expect((await reprice({ model: 'claude-opus-4-8' })).json).toMatchObject({ repriced: 1 })
    const { cost_usd, price_used } = await recordOf(receipt!)
    const { input_usd, output_usd } = price_used.rates
    expect(price_used.uplift).toBe(2.2)
    expect(cost_usd).toBeCloseTo((input_usd + output_usd / 10) * 2.2, 9)
  })

  test('what still has no price stays, and does not stand in the way of others (BIL-3)', async () => {
    const [without, model] = [newModel(), newModel()]
    const first = { createdAtMs: NOON - 5000, finishedAtMs: NOON }
    const [stays, moves] = await store({ model: without, ...first }, { model })
    await price(model)
    expect((await reprice()).json).toMatchObject({ examined: 2, repriced: 1, cost_usd: 3, charged_usd: 3 })
    expect([(await recordOf(stays!)).priced, (await recordOf(moves!)).priced]).toEqual([false, true])
  })

  test('a call looks at `limit` records; its cursor goes on behind them (BIL-3)', async () => {
    const model = newModel()
    await store(
      ...Array.from({ length: 5 }, (_, index) => ({ model, createdAtMs: NOON + index, finishedAtMs: NOON + 9 })),
    )
    await price(model)
    const first = (await reprice({ model, limit: 3 })).json
    expect(first).toMatchObject({ examined: 3, repriced: 3 })
    const rest = (await reprice({ model, limit: 3, cursor: first.next_cursor })).json
    expect(rest).toMatchObject({ examined: 2, repriced: 2, next_cursor: null })
  })

  test('only records of the time asked for are looked at (BIL-3)', async () => {
    const model = newModel()
    await store({ model })
    await price(model)
    const after = new Date(NOON + 1).toISOString()
    expect((await reprice({ model, from: after })).json.examined).toBe(0)
    expect((await reprice({ model, to: after })).json.repriced).toBe(1)
  })

  test('a standalone key pays itself; who is not charged pays nothing (BIL-10)', async () => {
    const model = newModel()
    const key = await seedKey(api.database.db, { standalone: true, balanceNano: 5_000_000_000n })
    const user = await seedUser(api.database.db)
    await store({ model, keyId: key.id, billingType: 'key' }, { model, userId: user.id, billingType: 'none' })
    await price(model)
    expect((await reprice({ model })).json.repriced).toBe(2)
    expect((await api.ask('GET', `/admin/keys/${key.id}`)).json.balance_usd).toBe(2)
    expect((await balanceOf(user)).balance_usd).toBe(0)
    await expectSoundBooks()
  })

  test('a subscription’s open window counts it; one that began later does not (BIL-10)', async () => {
    const { db, sql } = api.database
    const [user, model] = [await seedUser(db), newModel()]
    const group = await seedGroup(db, { billingType: 'subscription' })
    const made = granted(
      await api.ask('POST', '/admin/subscriptions', { user_id: user.id, group_id: group.id, days: 90 }),
    )
    const subscriptionId = made.json.id
    const later = new Date(NOON + 5 * 86_400_000)
    await sql`update subscriptions set daily_started_at = ${later}, daily_used_nano = 7, weekly_started_at = ${new Date(NOON)}
      where id = ${subscriptionId}`
    await store({ model, userId: user.id, groupId: group.id, subscriptionId, billingType: 'subscription' })
    await price(model)
    await reprice({ model })
    expect((await api.ask('GET', `/admin/subscriptions/${subscriptionId}`)).json).toMatchObject({
      daily_started_at: later.toISOString(),
      daily_used_usd: 7e-9,
      weekly_used_usd: 3,
      monthly_used_usd: 3,
    })
    expect((await balanceOf(user)).balance_usd).toBe(0)
  })

  test('the price per request is not charged for a request that failed (BIL-5)', async () => {
    const model = newModel()
    const [failed] = await store({ model, status: 'failed' }, { model })
    await api.ask('PUT', `/admin/prices/${model}`, { rates: { request_usd: 1 } })
    expect((await reprice({ model })).json).toMatchObject({ repriced: 2, cost_usd: 1 })
    expect((await recordOf(failed!)).request_cost_usd).toBe(0)
  })

  test('wrong wishes are refused, a viewer’s too, and change nothing (contract.md, OPS-9)', async () => {
    const viewer = (await api.ask('POST', '/admin/tokens', { name: `reader-${newId()}`, role: 'viewer' })).json.token
    const model = newModel()
    const [receipt] = await store({ model })
    await price(model)
    expect((await reprice({ model }, viewer)).status).toBe(403)
    for (const [body, field] of [
      [{ limit: 0 }, 'limit'],
      [{ from: '2026-02-31T99:00:00Z' }, 'from'],
      [{ cursor: 'bm9uc2Vuc2U' }, 'cursor'],
      [{ models: [model] }, 'models'],
    ] as const) {
      const answer = await reprice(body)
      expect([answer.status, answer.json.error.field]).toEqual([422, field])
    }
    expect((await recordOf(receipt!)).priced).toBe(false)
  })
})
