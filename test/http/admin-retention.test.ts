import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { insertRecordings } from '../../src/db/recordings.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt } from '../support/receipts.ts'
import { seedUser } from '../support/seed.ts'

const DAY_MS = 86_400_000

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
})
afterAll(() => api.database.drop())

async function sums() {
  const { sql } = api.database
  const [totals, hourly, daily, ledger, balances] = await Promise.all([
    sql`select * from usage_totals order by scope, scope_id, period`,
    sql`select * from usage_hourly order by scope, scope_id, hour, platform, model`,
    sql`select * from usage_daily order by scope, scope_id, day, platform, model`,
    sql`select * from ledger_entries order by id`,
    sql`select id, balance_nano from users order by id`,
  ])
  return { totals, hourly, daily, ledger, balances }
}

const side = { headers: { 'content-type': 'application/json' }, body: '{}', bytes: 2, cut: false }

describe('DELETE /admin/usage', () => {
  test('deletes older records and recordings, whole months and the rest, tells how many; totals, rollups, ledger and balances stay (USE-18)', async () => {
    const { sql, db } = api.database
    const user = await seedUser(db, { balanceNano: 10n ** 9n })
    const now = api.time.nowMs
    await ensurePartitions(sql, now - 62 * DAY_MS)
    await ensurePartitions(sql, now)
    // Of May there is a month without records, of June three; July goes record by record.
    const ages = [61, 45, 40, 32, 31, ...Array.from({ length: 1200 }, () => 30.5), 29.9, 1]
    const receipts = ages.map((days) =>
      makeReceipt({
        ...{ createdAtMs: now - days * DAY_MS, userId: user.id, billingType: 'balance' },
        ...{ costNano: 7n, chargedNano: 7n },
      }),
    )
    await insertReceipts(sql, receipts, { timeZone: 'UTC' })
    const [old, young] = [receipts[0]!, receipts.at(-1)!]
    await insertRecordings(
      sql,
      [old, young].map(({ id, createdAtMs }) => ({ id, createdAtMs, request: side, response: side })),
    )
    const before = await sums()
    expect(before.ledger).toHaveLength(receipts.length + 1)

    expect((await api.ask('DELETE', '/admin/usage?older_than_days=30')).json).toEqual({
      deleted_records: 1205,
      dropped_months: 2,
      deleted_recordings: 1,
    })
    expect(await sums()).toEqual(before)
    const left = (await api.ask('GET', '/admin/usage')).json.data.map(({ id }: { id: string }) => id)
    expect(left).toEqual(
      receipts
        .slice(-2)
        .map(({ id }) => id)
        .reverse(),
    )
    expect((await api.ask('GET', `/admin/requests/${young.id}`)).json.recording.request_body).toBe('{}')
    expect((await api.ask('GET', `/admin/requests/${old.id}`)).status).toBe(404)

    const [entry] = (await api.ask('GET', '/admin/audit?resource=usage')).json.data
    expect(entry).toMatchObject({
      action: 'usage.delete',
      actor: 'root',
      changes: { older_than_days: 30 },
    })
    expect((await api.ask('DELETE', '/admin/usage?older_than_days=30')).json.deleted_records).toBe(0)
  })

  test('without an age, or with one that makes no sense, deletes nothing and says so (USE-18)', async () => {
    const { sql } = api.database
    await insertReceipts(sql, [makeReceipt({ id: newId(1), createdAtMs: 1 })], { timeZone: 'UTC' })
    for (const query of [
      '',
      '?older_than_days=0',
      '?older_than_days=-1',
      '?older_than_days=1.5',
      '?older_than_days=x',
    ]) {
      const answer = await api.ask('DELETE', `/admin/usage${query}`)
      expect([query, answer.status, answer.json.error.field]).toEqual([query, 400, 'older_than_days'])
    }
    const [row] = await sql<
      { found: number }[]
    >`select count(*)::int as found from usage_records where created_at < '2000-01-01'`
    expect(row?.found).toBe(1)
  })
})

describe('GET /admin/requests/{id}', () => {
  test('shows recorded headers and bodies to administrators only (USE-1)', async () => {
    const { sql } = api.database
    const receipt = makeReceipt({ createdAtMs: api.time.nowMs })
    await insertReceipts(sql, [receipt], { timeZone: 'UTC' })
    expect((await api.ask('GET', `/admin/requests/${receipt.id}`)).json.recording).toBeNull()
    const response = { headers: { 'x-a': 'b\0' }, body: 'data: \ud800\0x', bytes: 99_999, cut: true }
    const request = { headers: null, body: null, bytes: null, cut: false }
    const recorded = { id: receipt.id, createdAtMs: receipt.createdAtMs, request, response }
    await insertRecordings(sql, [recorded])
    await insertRecordings(sql, [recorded])
    expect((await api.ask('GET', `/admin/requests/${receipt.id}`)).json.recording).toEqual({
      request_headers: null,
      request_body: null,
      request_bytes: null,
      request_cut: false,
      response_headers: { 'x-a': 'b' },
      response_body: 'data: \ufffdx',
      response_bytes: 99_999,
      response_cut: true,
    })
    const { token } = (await api.ask('POST', '/admin/tokens', { name: 'reader', role: 'viewer' })).json
    expect((await api.ask('GET', `/admin/requests/${receipt.id}`, undefined, token)).json.recording).toBeNull()
  })
})
