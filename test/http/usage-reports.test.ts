/** The reports that are made of stored sums, against the same numbers worked out plainly from the receipts. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { toUsd } from '../../src/core/money.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { totalTokens } from '../../src/core/usage.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { makeReceipt } from '../support/receipts.ts'
import { seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

const ZONE = 'Europe/Berlin'
const DAY_MS = 86_400_000
/** A quarter after the clocks were set forward. */
const NOW = Date.UTC(2026, 5, 20, 12)

let api: AdminApp
let receipts: Receipt[]
let users: string[]
let keys: string[]
let accounts: string[]
let groups: string[]

beforeAll(async () => {
  api = await adminApp({ TIMEZONE: ZONE })
  api.time.nowMs = NOW
  const { db } = api.database
  const three = [0, 1, 2]
  users = await Promise.all(three.map(async (index) => (await seedUser(db, { username: `name-${index}` })).id))
  keys = await Promise.all(three.map(async (index) => (await seedKey(db, { name: `key of ${index}` })).id))
  accounts = await Promise.all(three.map(async () => (await seedAccount(db)).id))
  groups = [(await seedGroup(db)).id]
  receipts = fc.sample(anyReceipt(), { numRuns: 400, seed: 7 })
  const { rejected } = await insertReceipts(api.database.sql, receipts, { timeZone: ZONE })
  expect(rejected).toEqual([])
})
afterAll(() => api.database.drop())

function anyReceipt(): fc.Arbitrary<Receipt> {
  const tokens = fc.integer({ min: 0, max: 50_000 })
  const money = fc.bigInt({ min: 0n, max: 10n ** 12n })
  const orNull = (ids: string[]) => fc.option(fc.constantFrom(...ids), { freq: 8 })
  return fc
    .record({
      // Much of it near midnights and around 29 March, when the day has 23 hours.
      createdAtMs: fc.oneof(
        fc.integer({ min: NOW - 120 * DAY_MS, max: NOW }),
        fc.integer({ min: Date.UTC(2026, 2, 28, 20), max: Date.UTC(2026, 2, 30, 4) }),
        fc.integer({ min: -20, max: 20 }).map((ms) => Date.UTC(2026, 4, 31, 22) + ms),
      ),
      userId: orNull(users),
      keyId: orNull(keys),
      accountId: orNull(accounts),
      groupId: orNull(groups),
      billingType: fc.constantFrom('none', 'balance', 'key', 'subscription'),
      platform: fc.constantFrom('openai', 'anthropic'),
      model: fc.constantFrom('gpt-5', 'claude-opus-5', 'o"dd, =model'),
      status: fc.constantFrom('completed', 'completed', 'completed', 'failed', 'cancelled'),
      priced: fc.boolean(),
      durationMs: fc.integer({ min: 0, max: 90_000 }),
      firstTokenMs: fc.option(fc.integer({ min: 0, max: 5000 })),
      usage: fc.record({
        input: tokens,
        output: tokens,
        cacheRead: fc.oneof(fc.constant(0), tokens),
        cacheWrite5m: tokens,
        cacheWrite1h: tokens,
        reasoning: tokens,
      }),
      costNano: money,
      chargedNano: money,
      cacheSavingNano: fc.bigInt({ min: -1000n, max: 10n ** 12n }),
      cacheSurchargeNano: fc.bigInt({ min: -1000n, max: 10n ** 12n }),
    })
    .map((parts) => makeReceipt(parts as Parameters<typeof makeReceipt>[0]))
}

/** The day of a time in a zone, by another way than the code's. */
const dayIn = (ms: number, timeZone: string) => new Intl.DateTimeFormat('en-CA', { timeZone }).format(ms)

function periodOf(ms: number, timeZone: string, period: string): string {
  const day = dayIn(ms, timeZone)
  if (period === 'month') return `${day.slice(0, 7)}-01`
  if (period === 'day') return day
  const noon = Date.parse(`${day}T12:00:00Z`)
  const sinceMonday = (new Date(noon).getUTCDay() + 6) % 7
  return new Date(noon - sinceMonday * DAY_MS).toISOString().slice(0, 10)
}

const count = (some: Receipt[], wanted: (receipt: Receipt) => boolean) => some.filter(wanted).length
const sum = (some: Receipt[], of: (receipt: Receipt) => number) => some.reduce((total, each) => total + of(each), 0)
const usd = (some: Receipt[], of: (receipt: Receipt) => bigint) =>
  toUsd(some.reduce((total, each) => total + of(each), 0n))

function plainSums(some: Receipt[]) {
  const withFirst = some.filter(({ firstTokenMs }) => firstTokenMs !== null)
  return {
    requests: some.length,
    completed_requests: count(some, ({ status }) => status === 'completed'),
    failed_requests: count(some, ({ status }) => status === 'failed'),
    cache_hit_requests: count(some, ({ status, usage }) => status === 'completed' && usage.cacheRead > 0),
    unpriced_requests: count(some, ({ priced }) => !priced),
    input_tokens: sum(some, ({ usage }) => usage.input),
    output_tokens: sum(some, ({ usage }) => usage.output),
    cache_read_tokens: sum(some, ({ usage }) => usage.cacheRead),
    cache_write_5m_tokens: sum(some, ({ usage }) => usage.cacheWrite5m),
    cache_write_1h_tokens: sum(some, ({ usage }) => usage.cacheWrite1h),
    reasoning_tokens: sum(some, ({ usage }) => usage.reasoning),
    total_tokens: sum(some, ({ usage }) => totalTokens(usage)),
    cost_usd: usd(some, ({ costs }) => costs.totalNano),
    charged_usd: usd(some, ({ costs }) => costs.chargedNano),
    upstream_cost_usd: usd(some, ({ costs }) => costs.upstreamNano),
    average_duration_ms: Math.round(sum(some, ({ durationMs }) => durationMs) / some.length),
    average_first_token_ms:
      withFirst.length === 0 ? null : Math.round(sum(withFirst, (each) => each.firstTokenMs ?? 0) / withFirst.length),
  }
}

function grouped(some: readonly Receipt[], keyOf: (receipt: Receipt) => string): Map<string, Receipt[]> {
  return Map.groupBy(some, keyOf)
}

const get = async (path: string) => (await api.ask('GET', `/admin/usage/${path}`)).json
const between = (from: string, to: string) => (receipt: Receipt) =>
  receipt.createdAtMs >= Date.parse(from) && receipt.createdAtMs < Date.parse(to)

describe('GET /admin/usage/summary (USE-12)', () => {
  for (const tz of [ZONE, 'UTC', 'America/New_York', 'Pacific/Auckland']) {
    for (const period of ['day', 'week', 'month']) {
      test(`per ${period} × platform × model in ${tz} it equals the plain sums of the records`, async () => {
        const path = `summary?period=${period}&tz=${tz}&from=2026-01-01&to=2026-07-01&limit=77`
        const data: (Record<'day' | 'from' | 'to' | 'platform' | 'model', string> & Record<string, unknown>)[] = []
        for (let cursor: string | null = ''; cursor !== null; ) {
          const page = await get(`${path}&cursor=${cursor}`)
          expect(page.data.length).toBeLessThanOrEqual(77)
          data.push(...page.data)
          cursor = page.next_cursor
        }
        const plain = grouped(receipts, (receipt) =>
          [periodOf(receipt.createdAtMs, tz, period), receipt.platform, receipt.model].join('|'),
        )
        expect(data.length).toBe(plain.size)
        const places = data.map(({ day, platform, model }) => [day, platform, model].join('|'))
        expect(places.map((place) => place.slice(0, 10))).toEqual(places.map((place) => place.slice(0, 10)).sort())
        expect(new Set(places)).toEqual(new Set(plain.keys()))
        for (const { day, from, to, platform, model, ...sums } of data) {
          expect(dayIn(Date.parse(from), tz)).toBe(day)
          expect(Date.parse(to)).toBeGreaterThan(Date.parse(from))
          expect(sums as unknown).toEqual(plainSums(plain.get([day, platform, model].join('|')) ?? []))
        }
      })
    }
  }

  test('of one user, key, account or group it counts what is theirs; a standalone key’s use is not its user’s (BIL-10)', async () => {
    for (const [name, ids, isTheirs] of [
      ['user_id', users, (each: Receipt, id: string) => each.userId === id && each.billingType !== 'key'],
      ['key_id', keys, (each: Receipt, id: string) => each.keyId === id],
      ['account_id', accounts, (each: Receipt, id: string) => each.accountId === id],
      ['group_id', groups, (each: Receipt, id: string) => each.groupId === id],
    ] as const) {
      const id = ids[0] as string
      const { data } = await get(`summary?period=month&from=2026-01-01&platform=openai&model=gpt-5&${name}=${id}`)
      const theirs = receipts.filter(
        (each) => isTheirs(each, id) && each.platform === 'openai' && each.model === 'gpt-5',
      )
      expect(theirs.length).toBeGreaterThan(5)
      expect([name, data.reduce((total: number, each: { requests: number }) => total + each.requests, 0)]).toEqual([
        name,
        theirs.length,
      ])
    }
    expect((await get('summary?user_id=nobody')).data).toEqual([])
  })

  test('says which whole periods it counted', async () => {
    expect(await get('summary?period=month&from=2026-03-29T12:00:00Z&to=2026-03-30')).toMatchObject({
      period: 'month',
      tz: ZONE,
      from: '2026-02-28T23:00:00.000Z',
      to: '2026-03-31T22:00:00.000Z',
    })
    expect(await get('summary?from=2026-03-29&to=2026-03-30')).toMatchObject({
      from: '2026-03-28T23:00:00.000Z',
      to: '2026-03-29T22:00:00.000Z',
    })
  })
})

describe('GET /admin/usage/activity (USE-13)', () => {
  test('has 365 days up to today, with zeros where nothing was, and the busiest for the scale', async () => {
    for (const tz of [ZONE, 'UTC', 'America/New_York']) {
      const answer = await get(`activity?tz=${tz}&upstream_cost=true`)
      const plain = grouped(receipts, ({ createdAtMs }) => dayIn(createdAtMs, tz))
      expect(answer.data.map(({ day }: { day: string }) => day)).toEqual(
        Array.from({ length: 365 }, (_, index) => dayIn(NOW - (364 - index) * DAY_MS, tz)),
      )
      for (const { day, ...sums } of answer.data) {
        const { requests, total_tokens, cost_usd, upstream_cost_usd } = plainSums(plain.get(day) ?? [])
        expect(sums).toEqual({ requests, total_tokens, cost_usd, upstream_cost_usd })
      }
      expect(answer.max_requests).toBe(Math.max(...[...plain.values()].map((some) => some.length)))
    }
  })

  test('the operator’s cost is in it only when asked for', async () => {
    expect((await get('activity')).data[0]).toEqual({
      day: dayIn(NOW - 364 * DAY_MS, ZONE),
      requests: 0,
      total_tokens: 0,
      cost_usd: 0,
    })
  })

  test('today is live, the past is remembered for five minutes', async () => {
    const own = { userId: users[0]!, model: 'of-the-cache' }
    const add = (createdAtMs: number) =>
      insertReceipts(api.database.sql, [makeReceipt({ ...own, createdAtMs })], { timeZone: ZONE })
    const path = `activity?user_id=${users[0]}&model=of-the-cache`
    const seen = async () => (await get(path)).data.slice(-2).map(({ requests }: { requests: number }) => requests)
    await add(NOW - 1000)
    expect(await seen()).toEqual([0, 1])
    await add(NOW - 2000)
    await add(NOW - DAY_MS)
    expect(await seen()).toEqual([0, 2])
    api.time.nowMs = NOW + 5 * 60_000 - 1
    expect(await seen()).toEqual([0, 2])
    api.time.nowMs = NOW + 5 * 60_000
    expect(await seen()).toEqual([1, 2])
    await add(NOW - DAY_MS)
    expect(await seen()).toEqual([1, 2])
    // A change of role forgets this user's map at once.
    await api.ask('PATCH', `/admin/users/${users[0]}`, { role: 'admin' })
    expect(await seen()).toEqual([2, 2])
    api.time.nowMs = NOW
    receipts = receipts.concat(
      [NOW - 1000, NOW - 2000, NOW - DAY_MS, NOW - DAY_MS].map((createdAtMs) => makeReceipt({ ...own, createdAtMs })),
    )
  })
})

describe('GET /admin/usage/top-users (USE-14)', () => {
  test('orders by cost, tokens or requests, over whole days of any zone', async () => {
    for (const [tz, from, to] of [
      [ZONE, '2026-03-01T00:00:00+01:00', '2026-06-01T00:00:00+02:00'],
      ['UTC', '2026-03-01T00:00:00Z', '2026-06-01T00:00:00Z'],
      ['America/New_York', '2026-03-01T00:00:00-05:00', '2026-06-01T00:00:00-04:00'],
    ] as const) {
      const inside = receipts.filter(between(from, to)).filter((each) => each.userId && each.billingType !== 'key')
      const plain = [...grouped(inside, ({ userId }) => userId!)].map(([user_id, some]) => ({
        user_id,
        ...plainSums(some),
      }))
      for (const [by, field] of [
        ['cost', 'cost_usd'],
        ['tokens', 'total_tokens'],
        ['requests', 'requests'],
      ] as const) {
        const answer = await get(`top-users?by=${by}&from=2026-03-01&to=2026-06-01&tz=${tz}&limit=2`)
        const expected = plain.toSorted((a, b) => b[field] - a[field]).slice(0, 2)
        expect([tz, by, answer.data.map((each: { user_id: string }) => each.user_id)]).toEqual([
          tz,
          by,
          expected.map(({ user_id }) => user_id),
        ])
        for (const [index, shown] of answer.data.entries()) {
          const { requests, failed_requests, total_tokens, cost_usd, charged_usd, upstream_cost_usd } = expected[index]!
          expect(shown).toMatchObject({
            requests,
            failed_requests,
            total_tokens,
            cost_usd,
            charged_usd,
            upstream_cost_usd,
          })
          expect(shown.username).toMatch(/^name-/)
        }
      }
    }
  })

  test('a deleted user keeps the name (KEY-12)', async () => {
    const { db, sql } = api.database
    const gone = await seedUser(db, { username: 'gone' })
    await insertReceipts(sql, [makeReceipt({ userId: gone.id, model: 'of-the-gone', createdAtMs: NOW })], {
      timeZone: ZONE,
    })
    expect((await api.ask('DELETE', `/admin/users/${gone.id}`)).status).toBe(204)
    expect((await get('top-users?model=of-the-gone')).data).toMatchObject([
      { user_id: gone.id, username: 'gone', email: gone.email, deleted: true, requests: 1 },
    ])
  })
})

describe('a report’s parameters', () => {
  test('that make no sense are refused with 400, naming them (contract.md)', async () => {
    const id = users[0]
    for (const [path, field] of [
      ['summary?period=year', 'period'],
      ['summary?from=2026-02-30', 'from'],
      ['summary?from=2026-02-30T00:00:00Z', 'from'],
      ['summary?from=yesterday', 'from'],
      ['summary?from=0000-01-01&to=0000-01-02', 'from'],
      ['summary?from=2020-01-01', 'from'],
      ['summary?from=2026-07-01', 'from'],
      ['summary?from=2026-03-02&to=2026-03-01', 'to'],
      ['summary?to=2026-03-32', 'to'],
      ['summary?tz=Mars/Base', 'tz'],
      ['summary?tz=%2B02:00', 'tz'],
      ['summary?tz=Asia/Kolkata', 'tz'],
      ['summary?cursor=eHg', 'cursor'],
      ['summary?platform=acme', 'platform'],
      [`summary?user_id=${id}&key_id=${id}`, 'key_id'],
      ['activity?upstream_cost=maybe', 'upstream_cost'],
      ['activity?from=2026-03-01', 'from'],
      ['activity?tz=', 'tz'],
      ['top-users?by=charm', 'by'],
      ['top-users?limit=0', 'limit'],
      ['top-users?limit=-5', 'limit'],
      ['top-users?limit=1.5', 'limit'],
      ['top-users?user_id=x', 'user_id'],
      ['cache-hits?group_by=colour', 'group_by'],
      [`cache-hits?group_by=key&user_id=${id}`, 'group_by'],
      ['cache-hits?limit=0', 'limit'],
      ['cache-affinity?hours=0', 'hours'],
      ['cache-affinity?hours=-1', 'hours'],
      ['cache-affinity?hours=169', 'hours'],
      ['cache-affinity?group_by=model', 'group_by'],
      [`cache-affinity?group_by=user&key_id=${id}`, 'key_id'],
      [`cache-affinity?group_by=key&user_id=${id}`, 'user_id'],
      ['intervals?limit=0', 'limit'],
      ['intervals?limit=10001', 'limit'],
      ['intervals?hours=x', 'hours'],
      ['export?format=xml', 'format'],
      ['export?cursor=x', 'cursor'],
      ['export?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 'to'],
    ] as const) {
      const answer = await api.ask('GET', `/admin/usage/${path}`)
      expect([path, answer.status, answer.json?.error.field]).toEqual([path, 400, field])
      expect(answer.json.error.message.length).toBeGreaterThan(10)
    }
    const { status, json } = await api.ask('GET', '/admin/usage?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z')
    expect([status, json.error.field]).toEqual([400, 'to'])
  })
})
