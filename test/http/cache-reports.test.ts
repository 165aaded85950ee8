/** Cache affinity, cache hits and intervals, against plain computations on random requests (USE-15, USE-16, USE-17). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { MINUTE_MS } from '../../src/core/cache-ttl.ts'
import { computeCosts } from '../../src/core/cost.ts'
import { toUsd } from '../../src/core/money.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { NO_USAGE, type Usage } from '../../src/core/usage.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { rates, resolved } from '../support/prices.ts'
import { makeReceipt, type ReceiptParts } from '../support/receipts.ts'
import { seedKey, seedUser } from '../support/seed.ts'

const NOW = Date.UTC(2026, 6, 24, 12)
const HOUR_MS = 3_600_000

let api: AdminApp
beforeAll(async () => {
  api = await adminApp()
  api.time.nowMs = NOW
})
afterAll(() => api.database.drop())

let models = 0
/** What a test stores is found by a model of its own. */
const newModel = () => `model-${models++}`

async function store(receipts: Receipt[]): Promise<void> {
  const { rejected } = await insertReceipts(api.database.sql, receipts, { timeZone: 'UTC' })
  expect(rejected).toEqual([])
}

const get = async (path: string) => (await api.ask('GET', `/admin/usage/${path}`)).json

/** Requests of one user that end at NOW, with these pauses between them; the oldest first. */
function withPauses(pausesMs: readonly number[], parts: ReceiptParts): Receipt[] {
  const total = pausesMs.reduce((sum, pause) => sum + pause, 0)
  let atMs = NOW - 1 - total
  return [0, ...pausesMs].map((pause) => {
    atMs += pause
    return makeReceipt({ ...parts, createdAtMs: atMs })
  })
}

/** Position (n − 1) × p, between its neighbours. */
function percentile(sorted: readonly number[], p: number): number {
  const position = (sorted.length - 1) * p
  const [below, above] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!]
  return below + (above - below) * (position - Math.floor(position))
}

function plainTtl(sorted: readonly number[]): number {
  if (sorted.length === 0) return 5
  const minutes = (p: number) => percentile(sorted, p) / MINUTE_MS
  if (minutes(0.9) <= 5) return 5
  if (minutes(0.75) <= 15) return 15
  return minutes(0.75) <= 30 ? 30 : 60
}

const bound = (minutes: number) => minutes * MINUTE_MS
const pause = fc.oneof(
  fc.constantFrom(
    0,
    1,
    ...[5, 15, 30, 60].flatMap((minutes) => [bound(minutes) - 1, bound(minutes), bound(minutes) + 1]),
  ),
  fc.integer({ min: 0, max: 20 * MINUTE_MS }),
  fc.integer({ min: 0, max: 90 * MINUTE_MS }),
)

describe('GET /admin/usage/cache-affinity (USE-15)', () => {
  test('for any pauses, exact bounds among them, it equals the plain computation, by user and by key', async () => {
    const people = fc.array(fc.array(pause, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(people, fc.constantFrom('user', 'key'), async (pausesOfEach, groupBy) => {
        const model = newModel()
        const owner = groupBy === 'user' ? 'userId' : 'keyId'
        const ids = pausesOfEach.map(() => newId())
        await store(pausesOfEach.flatMap((pauses, index) => withPauses(pauses, { model, [owner]: ids[index] })))
        const answer = await get(`cache-affinity?group_by=${groupBy}&hours=168&model=${model}`)
        const counted = pausesOfEach.flatMap((pauses, index) =>
          pauses.length === 0 ? [] : [{ pauses, id: ids[index] }],
        )
        expect(answer.groups).toBe(counted.length)
        for (const { pauses, id } of counted) {
          const group = answer.data.find((each: { id: string }) => each.id === id)
          const sorted = pauses.toSorted((a, b) => a - b)
          const edges = [-1, bound(5), bound(15), bound(30), bound(60), Number.POSITIVE_INFINITY]
          const classes = edges
            .slice(1)
            .map((upTo, at) => sorted.filter((each) => each > edges[at]! && each <= upTo).length)
          expect(group.distribution.map(({ count }: { count: number }) => count)).toEqual(classes)
          expect(group).toMatchObject({
            requests: pauses.length + 1,
            intervals: pauses.length,
            recommended_ttl_minutes: plainTtl(sorted),
          })
          const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length
          for (const [name, ms] of [
            ['p50_minutes', percentile(sorted, 0.5)],
            ['p75_minutes', percentile(sorted, 0.75)],
            ['p90_minutes', percentile(sorted, 0.9)],
            ['mean_minutes', mean],
            ['min_minutes', sorted[0]!],
            ['max_minutes', sorted.at(-1)!],
          ] as const) {
            expect(Math.abs(group[name] - ms / MINUTE_MS)).toBeLessThanOrEqual(0.0101)
          }
        }
        for (const { ttl_minutes, count } of answer.recommendations) {
          const advised = counted.filter(({ pauses }) => plainTtl(pauses.toSorted((a, b) => a - b)) === ttl_minutes)
          expect([ttl_minutes, count]).toEqual([ttl_minutes, advised.length])
        }
      }),
      { numRuns: 25 },
    )
  })

  test('only completed requests count, and only those of the window', async () => {
    const [model, userId] = [newModel(), newId()]
    const at = (minutesAgo: number, status: Receipt['status'] = 'completed') =>
      makeReceipt({ model, userId, status, createdAtMs: NOW - minutesAgo * MINUTE_MS })
    await store([at(61), at(60), at(50, 'failed'), at(45, 'cancelled'), at(40), at(0)])
    const { data } = await get(`cache-affinity?hours=1&model=${model}`)
    // The one of 61 minutes ago is too old, the one of this very moment too young.
    expect(data).toMatchObject([{ id: userId, requests: 2, intervals: 1, p50_minutes: 20 }])
  })

  test('percentages are of the intervals; with one request there is nothing to judge by, but who asks is told', async () => {
    const [user, model] = [await seedUser(api.database.db, { username: 'rare' }), newModel()]
    const path = `cache-affinity?model=${model}&user_id=${user.id}`
    const nothing = { id: user.id, name: 'rare', intervals: 0, p90_minutes: null, recommended_ttl_minutes: 5 }
    const reason = 'Fewer than two requests: no pause to judge by.'
    expect((await get(path)).data).toMatchObject([{ ...nothing, requests: 0, reason }])
    await store(withPauses([], { model, userId: user.id }))
    expect((await get(path)).data).toMatchObject([{ ...nothing, requests: 1, reason }])
    expect((await get(path)).groups).toBe(0)
    expect((await get(`cache-affinity?model=${model}`)).data).toEqual([])
    expect((await get(`cache-affinity?user_id=${newId()}`)).data).toEqual([])
    await store([makeReceipt({ model, userId: user.id, createdAtMs: NOW - 20 * MINUTE_MS })])
    await store([makeReceipt({ model, userId: user.id, createdAtMs: NOW - 21 * MINUTE_MS })])
    const [group] = (await get(path)).data
    expect(group.distribution.map(({ percent }: { percent: number }) => percent)).toEqual([50, 0, 50, 0, 0])
  })

  test('a deleted key keeps its name (KEY-12)', async () => {
    const [key, model] = [await seedKey(api.database.db, { name: 'old key' }), newModel()]
    await store(withPauses([1000], { model, keyId: key.id }))
    await api.ask('DELETE', `/admin/keys/${key.id}`)
    expect((await get(`cache-affinity?group_by=key&model=${model}`)).data).toMatchObject([{ name: 'old key' }])
    expect((await get(`cache-hits?group_by=key&model=${model}`)).data).toMatchObject([{ name: 'old key' }])
  })
})

describe('GET /admin/usage/cache-hits (USE-16)', () => {
  const price = resolved({
    rates: rates({ input: 3, output: 15, cacheRead: 0.75, cacheWrite5m: 3.75, cacheWrite1h: 6 }),
  })
  const cheap = resolved({ rates: rates({ input: 1, output: 2, cacheRead: 0.9 }) })

  function priced(parts: ReceiptParts & { usage: Usage }, at: typeof price, serviceTier: string | null): Receipt {
    const { costs, priceUsed } = computeCosts({
      usage: parts.usage,
      iterations: null,
      price: at,
      priceOf: () => null,
      serviceTier,
      uplifts: [],
      groupMultiplier: 2_000_000,
      accountMultiplier: 1_000_000,
      freeTier: false,
      failed: false,
    })
    return { ...makeReceipt(parts), costs, priceUsed }
  }

  test('for any requests it equals the plain computation, request by request, at the price that each one had', async () => {
    const tokens = fc.integer({ min: 0, max: 1_000_000 })
    const use = fc.record({
      input: tokens,
      cacheRead: fc.oneof(fc.constant(0), tokens),
      cacheWrite5m: tokens,
      cacheWrite1h: tokens,
      status: fc.constantFrom('completed', 'failed', 'cancelled'),
      dear: fc.boolean(),
      tier: fc.constantFrom(null, 'batch'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(use, { maxLength: 8 }), async (uses) => {
        const model = newModel()
        const usageOf = ({ input, cacheRead, cacheWrite5m, cacheWrite1h }: (typeof uses)[number]): Usage => ({
          ...NO_USAGE,
          input,
          cacheRead,
          cacheWrite5m,
          cacheWrite1h,
        })
        await store(
          uses.map((each) =>
            priced(
              { model, usage: usageOf(each), status: each.status as Receipt['status'] },
              each.dear ? price : cheap,
              each.tier,
            ),
          ),
        )
        const { total, data } = await get(`cache-hits?from=2026-07-24&model=${model}`)
        // In nanodollars per token; batch is half of each. Rounded half up per request, as costs are.
        const perToken = (each: (typeof uses)[number]) => {
          const [input, read, short, long] = each.dear ? [3000, 750, 3750, 6000] : [1000, 900, 1250, 2000]
          const factor = each.tier === 'batch' ? 0.5 : 1
          return {
            saving: (input! - read!) * factor,
            short: (short! - input!) * factor,
            long: (long! - input!) * factor,
          }
        }
        const saving = uses.reduce((sum, each) => sum + Math.round(each.cacheRead * perToken(each).saving), 0)
        const surcharge = uses.reduce(
          (sum, each) =>
            sum + Math.round(each.cacheWrite5m * perToken(each).short + each.cacheWrite1h * perToken(each).long),
          0,
        )
        const completed = uses.filter(({ status }) => status === 'completed')
        const hits = completed.filter(({ cacheRead }) => cacheRead > 0)
        const [input, read] = (['input', 'cacheRead'] as const).map((name) =>
          uses.reduce((sum, each) => sum + each[name], 0),
        ) as [number, number]
        expect(total).toMatchObject({
          requests: uses.length,
          completed_requests: completed.length,
          cache_hit_requests: hits.length,
          saving_usd: toUsd(BigInt(saving)),
          write_surcharge_usd: toUsd(BigInt(surcharge)),
          net_saving_usd: toUsd(BigInt(saving - surcharge)),
        })
        const percent = (part: number, whole: number) => (whole === 0 ? null : Math.round((part / whole) * 1e4) / 100)
        expect(total.request_hit_rate_percent).toBe(percent(hits.length, completed.length))
        expect(total.token_hit_rate_percent).toBe(percent(read, input + read))
        expect(data).toEqual(uses.length === 0 ? [] : [{ of: model, name: null, ...total }])
      }),
      { numRuns: 25 },
    )
  })

  test('by user, key, account, group, platform and model: the parts add up to the total', async () => {
    const model = newModel()
    const user = await seedUser(api.database.db, { username: 'reader' })
    const use = (userId: string | null, cacheRead: number, platform = 'openai') =>
      priced({ model, platform, userId, usage: { ...NO_USAGE, input: 10, cacheRead } }, price, null)
    await store([use(user.id, 100), use(user.id, 0), use(null, 50, 'anthropic')])
    const of = async (query: string) =>
      (await get(`cache-hits?model=${model}&${query}`)).data.map((each: Record<string, unknown>) => [
        each.of,
        each.name,
        each.requests,
        each.cache_read_tokens,
      ])
    expect(await of('group_by=user')).toEqual([[user.id, 'reader', 2, 100]])
    expect(await of('group_by=platform')).toEqual([
      ['openai', null, 2, 100],
      ['anthropic', null, 1, 50],
    ])
    expect(await of('group_by=platform&limit=1')).toEqual([['openai', null, 2, 100]])
    expect(await of(`group_by=model&user_id=${user.id}`)).toEqual([[model, null, 2, 100]])
    expect(await of(`group_by=user&user_id=${user.id}`)).toEqual([[user.id, 'reader', 2, 100]])
    for (const group of ['key', 'account', 'group']) expect(await of(`group_by=${group}`)).toEqual([])
  })
})

describe('GET /admin/usage/intervals (USE-17)', () => {
  interface Point {
    at: string
    minutes: number
    user_id: string
  }

  /** Each completed request that had another of its user within two hours before it. */
  function plainPoints(receipts: readonly Receipt[], fromMs: number) {
    const points: { atMs: number; intervalMs: number; userId: string }[] = []
    for (const later of receipts) {
      const before = receipts.filter(
        (each) => each.userId === later.userId && each !== later && each.createdAtMs <= later.createdAtMs,
      )
      const previousMs = Math.max(...before.filter((each) => isBefore(each, later)).map((each) => each.createdAtMs))
      const intervalMs = later.createdAtMs - previousMs
      if (intervalMs <= 2 * HOUR_MS && later.createdAtMs >= fromMs) {
        points.push({ atMs: later.createdAtMs, intervalMs, userId: later.userId! })
      }
    }
    return points
  }
  const isBefore = (a: Receipt, b: Receipt) =>
    a.createdAtMs < b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id < b.id)

  test('for any requests the points equal the plain computation, also across the window’s edge and at exactly 120 minutes', async () => {
    const gap = fc.oneof(
      fc.constantFrom(0, 120 * MINUTE_MS - 1, 120 * MINUTE_MS, 120 * MINUTE_MS + 1),
      fc.integer({ min: 0, max: 150 * MINUTE_MS }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(gap, { maxLength: 15 }), { minLength: 1, maxLength: 3 }),
        async (gapsOfEach) => {
          const model = newModel()
          const receipts = gapsOfEach.flatMap((gaps) => withPauses(gaps, { model, userId: newId() }))
          await store(receipts)
          const answer = await get(`intervals?hours=12&model=${model}`)
          const fromMs = NOW - 12 * HOUR_MS
          const inOrder = (points: { at: string; minutes: number; user_id: string }[]) =>
            points.map(({ at, minutes, user_id }) => `${at} ${minutes} ${user_id}`).sort()
          const plain = plainPoints(receipts, fromMs).map(({ atMs, intervalMs, userId }) => ({
            at: new Date(atMs).toISOString(),
            minutes: Math.round(intervalMs / 60) / 1000,
            user_id: userId,
          }))
          expect(inOrder(answer.data)).toEqual(inOrder(plain))
          expect([answer.total_points, answer.sampled]).toEqual([plain.length, false])
        },
      ),
      { numRuns: 25 },
    )
  })

  test('a sample has exactly `limit` points, of each user its share, spread over the whole time and never just the oldest', async () => {
    const model = newModel()
    const sizes = [600, 300, 90, 9, 1]
    const users = await Promise.all(sizes.map((size) => seedUser(api.database.db, { username: `of ${size}` })))
    // Of each user one request more than points: the first has none before it.
    const receipts = sizes.flatMap((size, index) =>
      Array.from({ length: size + 1 }, (_, at) =>
        makeReceipt({ model, userId: users[index]!.id, createdAtMs: NOW - (size + 1 - at) * MINUTE_MS }),
      ),
    )
    await store(receipts)
    const all: Point[] = (await get(`intervals?hours=24&model=${model}&limit=1000`)).data
    expect(all.length).toBe(1000)
    for (const limit of [1, 7, 100, 333, 999]) {
      const answer = await get(`intervals?hours=24&model=${model}&limit=${limit}`)
      expect([limit, answer.data.length, answer.total_points, answer.sampled]).toEqual([limit, limit, 1000, true])
      const known = new Set(all.map(({ at, user_id }) => `${at} ${user_id}`))
      expect(answer.data.every(({ at, user_id }: Point) => known.has(`${at} ${user_id}`))).toBe(true)
      for (const [index, size] of sizes.entries()) {
        const own: Point[] = answer.data.filter(({ user_id }: Point) => user_id === users[index]!.id)
        expect(Math.abs(own.length - (size * limit) / 1000)).toBeLessThan(1)
        // A user's points lie one after another at equal distances: so must its sample.
        const places = own
          .map(({ at }) => (Date.parse(at) - (NOW - size * MINUTE_MS)) / MINUTE_MS)
          .sort((a, b) => a - b)
        const stride = 1000 / limit
        for (let at = 1; at < places.length; at++)
          expect(Math.abs(places[at]! - places[at - 1]! - stride)).toBeLessThan(1)
        if (places.length > 0) expect(places[0]).toBeLessThan(stride)
        if (places.length > 0) expect(size - places.at(-1)!).toBeLessThan(stride + 1)
      }
      expect(answer.data.map(({ at }: Point) => at)).toEqual(answer.data.map(({ at }: Point) => at).sort())
    }
    const { users: listed, models: used } = await get(`intervals?hours=24&model=${model}&limit=1`)
    expect(used).toEqual([{ model, points: 1000 }])
    expect(listed).toEqual(
      sizes.map((points, index) => ({ user_id: users[index]!.id, username: `of ${points}`, points })),
    )
  })

  test('with none, one or two requests there are none, none and one', async () => {
    const [model, userId] = [newModel(), newId()]
    const seen = async () => (await get(`intervals?model=${model}&user_id=${userId}`)).data.length
    expect(await seen()).toBe(0)
    await store([makeReceipt({ model, userId, createdAtMs: NOW - 2 * MINUTE_MS })])
    expect(await seen()).toBe(0)
    await store([makeReceipt({ model, userId, createdAtMs: NOW - MINUTE_MS })])
    expect(await seen()).toBe(1)
    await store([makeReceipt({ model, userId, status: 'failed', createdAtMs: NOW - 1000 })])
    expect(await seen()).toBe(1)
  })
})
