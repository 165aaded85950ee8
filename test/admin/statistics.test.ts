/** Usage statistics over a real database: what is counted, what a restart and retention leave, what imports add (USE-5 to USE-8). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Receipt } from '../../src/core/receipt.ts'
import { totalTokens } from '../../src/core/usage.ts'
import { listenForChanges } from '../../src/db/changes.ts'
import { connect } from '../../src/db/client.ts'
import { deleteUsageRecordsBefore } from '../../src/db/partitions.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, freshDatabase, withDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { detailOnWire, type SnapshotOnWire, snapshotOf, statisticsOver } from '../support/statistics.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const KEYS = [newId(), newId(), null]
const MODELS = ['gpt-5', 'claude-sonnet-4-5', '']

const receipts = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    model: fc.constantFrom(...MODELS),
    minutes: fc.integer({ min: 0, max: 5 * 24 * 60 }),
    input: fc.integer({ min: 0, max: 1_000_000 }),
    cached: fc.integer({ min: 0, max: 1000 }),
    ending: fc.constantFrom(
      ['completed', 200],
      ['failed', 429],
      ['failed', 200],
      ['cancelled', 200],
      ['cancelled', 499],
    ),
  }),
  { minLength: 1, maxLength: 40 },
)

function toReceipt({ key, model, minutes, input, cached, ending }: Record<string, unknown>): Receipt {
  const [status, httpStatus] = ending as [Receipt['status'], number]
  const createdAtMs = NOON - (minutes as number) * 60_000
  const usage = { input: input as number, cacheRead: cached as number }
  return makeReceipt({ keyId: key as string | null, model: model as string, createdAtMs, usage, status, httpStatus })
}

/** The rules, as plainly as they can be said. */
function sumsOf(list: readonly Receipt[], timeZone: string) {
  const failed = (receipt: Receipt) => receipt.status === 'failed' || (receipt.httpStatus ?? 0) >= 400
  const tokens = (some: readonly Receipt[]) => some.reduce((sum, { usage }) => sum + totalTokens(usage), 0)
  const by = (nameOf: (receipt: Receipt) => string) => {
    const groups = [...Map.groupBy(list, nameOf)]
    return {
      requests: Object.fromEntries(groups.map(([name, some]) => [name, some.length])),
      tokens: Object.fromEntries(groups.map(([name, some]) => [name, tokens(some)])),
    }
  }
  const part = (ms: number, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-CA', { timeZone, ...options }).format(ms)
  const day = by(({ createdAtMs }) => part(createdAtMs, { year: 'numeric', month: '2-digit', day: '2-digit' }))
  const hour = by(({ createdAtMs }) => part(createdAtMs, { hour: '2-digit', hourCycle: 'h23' }))
  const series = by(({ keyId, model }) => `${keyId ?? 'POST /v1/responses'} ${model || 'unknown'}`)
  return {
    total_requests: list.length,
    failure_count: list.filter(failed).length,
    success_count: list.filter((receipt) => !failed(receipt)).length,
    total_tokens: tokens(list),
    series,
    day,
    hour,
  }
}

function sumsIn(snapshot: SnapshotOnWire) {
  const { total_requests, failure_count, success_count, total_tokens } = snapshot
  const models = Object.entries(snapshot.apis).flatMap(([key, { models }]) =>
    Object.entries(models).map(([model, entry]) => [`${key} ${model}`, entry] as const),
  )
  const present = (counts: Record<string, number>, requests: Record<string, number>) =>
    Object.fromEntries(Object.entries(counts).filter(([name]) => requests[name] !== 0))
  return {
    total_requests,
    failure_count,
    success_count,
    total_tokens,
    series: {
      requests: Object.fromEntries(models.map(([name, entry]) => [name, entry.total_requests])),
      tokens: Object.fromEntries(models.map(([name, entry]) => [name, entry.total_tokens])),
    },
    day: { requests: snapshot.requests_by_day, tokens: snapshot.tokens_by_day },
    hour: {
      requests: present(snapshot.requests_by_hour, snapshot.requests_by_hour),
      tokens: present(snapshot.tokens_by_hour, snapshot.requests_by_hour),
    },
  }
}

/** Details as a set: where two have one identity they are one. */
function detailsOf(snapshot: SnapshotOnWire): string[] {
  return Object.entries(snapshot.apis)
    .flatMap(([key, { models }]) =>
      Object.entries(models).flatMap(([model, { details }]) =>
        details.map((detail) => JSON.stringify([key, model, detail])),
      ),
    )
    .sort()
}

function withoutOrder(snapshot: SnapshotOnWire) {
  return { sums: sumsIn(snapshot), details: detailsOf(snapshot) }
}

describe('usage statistics', () => {
  test('are the sums of the records: before a flush, after it, after a restart, after retention (USE-5, USE-8)', async () => {
    await fc.assert(
      fc.asyncProperty(receipts, fc.constantFrom('UTC', 'Europe/Berlin'), async (list, timeZone) => {
        await withDatabase(async (own) => {
          const traffic = list.map(toReceipt)
          const expected = sumsOf(traffic, timeZone)
          const first = await statisticsOver(own, { TIMEZONE: timeZone })
          for (const receipt of traffic.slice(0, 10)) first.accept(receipt)
          await first.flush()
          for (const receipt of traffic.slice(10)) first.accept(receipt)
          const before = await first.snapshot()
          expect(sumsIn(before)).toEqual(expected)
          await first.flush()
          expect(sumsIn(await first.snapshot())).toEqual(expected)

          const second = await statisticsOver(own, { TIMEZONE: timeZone })
          const restarted = await second.snapshot()
          expect(sumsIn(restarted)).toEqual(expected)
          expect(detailsOf(restarted)).toEqual(detailsOf(before))

          await deleteUsageRecordsBefore(own.sql, NOON + DAY)
          const third = await statisticsOver(own, { TIMEZONE: timeZone })
          const retained = sumsIn(await third.snapshot())
          const { series: _, ...totals } = expected
          expect(retained).toMatchObject(totals)
          const keyed = Object.entries(expected.series.requests).filter(([name]) => !name.startsWith('POST'))
          expect(retained.series.requests).toMatchObject(Object.fromEntries(keyed))
        })
      }),
      { numRuns: 5 },
    )
  })

  test('count a request once while its flush is under way, and when its answer was lost (USE-8, BIL-13)', async () => {
    await withDatabase(async (own) => {
      const key = newId()
      const one = await statisticsOver(own)
      for (let made = 0; made < 20; made++) one.accept(makeReceipt({ keyId: key, createdAtMs: NOON + made }))
      const flushing = one.flush()
      expect((await one.snapshot()).total_requests).toBe(20)
      await flushing
      expect((await one.snapshot()).total_requests).toBe(20)
      // Written by somebody who never learnt of it.
      const lost = makeReceipt({ keyId: key })
      const two = await statisticsOver(own)
      two.accept(lost)
      const three = await statisticsOver(own)
      three.accept(lost)
      await three.flush()
      expect((await two.snapshot()).total_requests).toBe(21)
    })
  })

  test('show what a dead sibling’s journal brought and which requests were lost, also on a single instance (USE-3, USE-8)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own)
      const key = newId()
      one.accept(makeReceipt({ keyId: key }))
      expect((await one.snapshot()).total_requests).toBe(1)
      const adopted = makeReceipt({ keyId: key, model: 'adopted', createdAtMs: NOON - 86_400_000 })
      await insertReceipts(own.sql, [adopted], { timeZone: 'UTC' })
      one.loader.distrust()
      const snapshot = await one.snapshot()
      expect(snapshot.total_requests).toBe(2)
      expect(snapshot.apis[key]?.models.adopted?.details).toHaveLength(1)
      await one.flush()
      expect((await one.snapshot()).total_requests).toBe(2)
    })
  })

  test('give what is known when what was found can not be read yet, and read it later (USE-8, OPS-5)', async () => {
    await withDatabase(async (own) => {
      let isAway = false
      const away = () => Promise.reject(new Error('the database is away'))
      const sql = new Proxy(own.sql, { get: (it, name) => (isAway && name === 'begin' ? away : Reflect.get(it, name)) })
      const one = await statisticsOver({ db: own.db, sql })
      expect((await one.snapshot()).total_requests).toBe(0)
      await insertReceipts(own.sql, [makeReceipt({ keyId: newId() })], { timeZone: 'UTC' })
      one.loader.distrust()
      isAway = true
      expect((await one.snapshot()).total_requests).toBe(0)
      isAway = false
      expect((await one.snapshot()).total_requests).toBe(1)
    })
  })

  test('switched off count nothing and keep what they showed; on again nothing is missing (USE-5, USE-8)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own)
      one.accept(makeReceipt({ keyId: newId() }))
      expect((await one.snapshot()).total_requests).toBe(1)
      one.loader.enable(false)
      one.accept(makeReceipt({ keyId: newId() }))
      expect((await one.snapshot()).total_requests).toBe(1)
      one.loader.enable(true)
      one.accept(makeReceipt({ keyId: newId() }))
      await one.flush()
      expect((await one.snapshot()).total_requests).toBe(3)
    })
  })

  test('name hours by where an hour of UTC begins in zones that are half an hour off, live and rebuilt alike (USE-5)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own, { TIMEZONE: 'Asia/Kolkata' })
      // 12:45 UTC is 18:15 there; its hour of UTC began at 17:30.
      one.accept(makeReceipt({ createdAtMs: NOON + 45 * 60_000 }))
      const live = (await one.snapshot()).requests_by_hour
      expect(live['17']).toBe(1)
      await one.flush()
      const rebuilt = await statisticsOver(own, { TIMEZONE: 'Asia/Kolkata' })
      expect((await rebuilt.snapshot()).requests_by_hour).toEqual(live)
    })
  })
})

describe('usage statistics of several instances', () => {
  test('hold the requests of all of them, each once, with their details (USE-5, USE-8)', async () => {
    await withDatabase(async (own) => {
      const time = { nowMs: NOON }
      const clock = { nowMs: () => time.nowMs }
      const listener = { onChange() {}, onReconnect() {} }
      // As many as listen on the database: two gateways.
      const listening = [await listenForChanges(own.sql, listener)]
      const neighbour = connect(own.target, { max: 1, statementTimeoutMs: 0 })
      listening.push(await listenForChanges(neighbour, listener))
      const [one, two] = [await statisticsOver(own, {}, clock), await statisticsOver(own, {}, clock)]
      const keyId = newId()
      const make = (index: number) => makeReceipt({ keyId, createdAtMs: NOON + index, usage: { input: 1 } })
      await one.snapshot()
      for (let made = 0; made < 10; made++) (made % 2 === 0 ? one : two).accept(make(made))
      await two.flush()
      expect((await one.snapshot()).total_requests).toBe(5)
      time.nowMs += 10_000
      const both = await one.snapshot()
      expect([both.total_requests, detailsOf(both).length]).toEqual([10, 10])
      await one.flush()
      time.nowMs += 10_000
      const later = await one.snapshot()
      expect([later.total_requests, later.total_tokens, detailsOf(later)]).toEqual([10, 10, detailsOf(both)])
      await Promise.all(listening.map((unlisten) => unlisten()))
      await neighbour.end()
    })
  })
})

describe('an import', () => {
  const other = snapshotOf({
    'sk-old': {
      'gpt-5': [detailOnWire(), detailOnWire({ timestamp: '2026-07-24T20:00:00.000000001+08:00', failed: true })],
      'claude-sonnet-4-5': [detailOnWire({ tokens: { input_tokens: 7, total_tokens: 0 } })],
    },
  })

  test('adds what is new, skips what is there, and a second time adds nothing, after a restart too (USE-7, USE-8)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own)
      expect(await one.import({ version: 1, exported_at: '2026-07-25T00:00:00Z', usage: other })).toEqual({
        added: 3,
        skipped: 0,
      })
      const snapshot = await one.snapshot()
      expect(snapshot).toMatchObject({ total_requests: 3, failure_count: 1, success_count: 2, total_tokens: 42 })
      expect(snapshot.apis['sk-old']?.models['gpt-5']?.details.map(({ timestamp }) => timestamp)).toEqual([
        '2026-07-24T12:00:00.000000001Z',
        '2026-07-24T12:00:00.123456789Z',
      ])
      expect(await one.import(other)).toEqual({ added: 0, skipped: 3 })
      expect(await one.snapshot()).toEqual(snapshot)

      const restarted = await statisticsOver(own)
      expect(withoutOrder(await restarted.snapshot())).toEqual(withoutOrder(snapshot))
      expect(await restarted.import(other)).toEqual({ added: 0, skipped: 3 })
      expect(withoutOrder(await restarted.snapshot())).toEqual(withoutOrder(snapshot))
    })
  })

  test('tells details apart by each part of their identity, the last nanosecond included (USE-7)', async () => {
    await withDatabase(async (own) => {
      const variants = [
        detailOnWire(),
        detailOnWire({ timestamp: '2026-07-24T12:00:00.123456788Z' }),
        detailOnWire({ source: 'other' }),
        detailOnWire({ auth_index: 'other' }),
        detailOnWire({ failed: true }),
        ...['input_tokens', 'output_tokens', 'reasoning_tokens', 'cached_tokens', 'total_tokens'].map((name) =>
          detailOnWire({ tokens: { [name]: 999 } }),
        ),
      ]
      const one = await statisticsOver(own)
      const twice = snapshotOf({ k: { m: [...variants, ...variants] } })
      expect(await one.import(twice)).toEqual({ added: 10, skipped: 10 })
      expect(await one.import(snapshotOf({ k: { n: variants }, l: { m: variants } }))).toEqual({
        added: 20,
        skipped: 0,
      })
      expect((await one.snapshot()).total_requests).toBe(30)
    })
  })

  test('of an export into an empty gateway makes an equal snapshot, dropped details included (USE-7)', async () => {
    await fc.assert(
      fc.asyncProperty(receipts, async (list) => {
        const exported = await withDatabase(async (own) => {
          const one = await statisticsOver(own, { STATISTICS_DETAILS: '2' })
          for (const receipt of list.map(toReceipt)) one.accept(receipt)
          return one.export()
        })
        await withDatabase(async (own) => {
          const two = await statisticsOver(own, { STATISTICS_DETAILS: '2' })
          const listed = detailsOf(exported.usage).length
          expect(await two.import(exported)).toEqual({ added: listed, skipped: 0 })
          expect(withoutOrder(await two.snapshot())).toEqual(withoutOrder(exported.usage))
          expect(await two.import(exported)).toEqual({ added: 0, skipped: listed })
          expect(withoutOrder(await two.snapshot())).toEqual(withoutOrder(exported.usage))
          const again = await two.export()
          expect(await two.import(again)).toEqual({ added: 0, skipped: listed })
          expect(withoutOrder(await two.snapshot())).toEqual(withoutOrder(exported.usage))
        })
      }),
      { numRuns: 3 },
    )
  })

  test('of its own export adds nothing: with the records, after a flush, after retention has deleted them (USE-7)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own, { STATISTICS_DETAILS: '5' })
      const [key, model] = [newId(), 'gpt-5']
      for (let made = 0; made < 30; made++) {
        one.accept(
          makeReceipt({ keyId: key, model, createdAtMs: NOON - (30 - made) * 7 * 60_000, usage: { input: made } }),
        )
      }
      const exported = await one.export()
      const before = withoutOrder(exported.usage)
      expect(await one.import(exported)).toEqual({ added: 0, skipped: 5 })
      expect(withoutOrder(await one.snapshot())).toEqual(before)
      one.accept(makeReceipt({ keyId: key, model, createdAtMs: NOON + 1, usage: { input: 100 } }))
      await one.flush()
      await deleteUsageRecordsBefore(own.sql, NOON - HOUR)
      const restarted = await statisticsOver(own, { STATISTICS_DETAILS: '5' })
      expect(await restarted.import(exported)).toEqual({ added: 0, skipped: 5 })
      expect((await restarted.snapshot()).total_requests).toBe(31)
      await deleteUsageRecordsBefore(own.sql, NOON + DAY)
      expect(await restarted.import(exported)).toEqual({ added: 0, skipped: 5 })
      expect((await restarted.snapshot()).total_requests).toBe(31)
      expect((await restarted.snapshot()).requests_by_day).toEqual({ '2026-07-24': 31 })
    })
  })

  test('under the name of a key here adds an old history to it, and new requests go on counting (USE-7)', async () => {
    await withDatabase(async (own) => {
      const one = await statisticsOver(own)
      const key = newId()
      one.accept(makeReceipt({ keyId: key, model: 'gpt-5' }))
      const old = snapshotOf({ [key]: { 'gpt-5': [detailOnWire(), detailOnWire({ tokens: { input_tokens: 1 } })] } })
      const model = old.apis[key]!.models['gpt-5']!
      model.total_requests = old.apis[key]!.total_requests = old.total_requests = 10
      expect(await one.import(old)).toEqual({ added: 2, skipped: 0 })
      expect((await one.snapshot()).total_requests).toBe(11)
      expect(await one.import(old)).toEqual({ added: 0, skipped: 2 })
      one.accept(makeReceipt({ keyId: key, model: 'gpt-5' }))
      expect((await one.snapshot()).total_requests).toBe(12)
      // Its own export lists imported details only, and counts its own requests too.
      await one.flush()
      const restarted = await statisticsOver(own, { STATISTICS_DETAILS: '1' })
      expect(await restarted.import(await restarted.export())).toEqual({ added: 0, skipped: 1 })
      expect((await restarted.snapshot()).total_requests).toBe(12)
    })
  })

  test('of exports taken one after another comes to the last total in any order (USE-7)', async () => {
    const all = Array.from({ length: 9 }, (_, index) => detailOnWire({ timestamp: `2026-07-2${index}T10:00:00Z` }))
    const exportAfter = (made: number) => {
      const file = snapshotOf({ k: { m: all.slice(0, made) } })
      const model = file.apis.k!.models.m!
      model.details = model.details.slice(-3)
      return file
    }
    const orders = [
      [3, 6, 9],
      [9, 6, 3],
      [6, 9, 3],
      [9, 3, 6],
    ]
    for (const order of orders) {
      await withDatabase(async (own) => {
        const one = await statisticsOver(own)
        for (const made of order) await one.import(exportAfter(made))
        const { total_requests, total_tokens, success_count, requests_by_day, requests_by_hour } = await one.snapshot()
        const days = Object.fromEntries(all.map(({ timestamp }) => [timestamp.slice(0, 10), 1]))
        const found = { total_requests, total_tokens, success_count, requests_by_day, ten: requests_by_hour['10'] }
        expect([order, found]).toEqual([
          order,
          { total_requests: 9, total_tokens: 135, success_count: 9, requests_by_day: days, ten: 9 },
        ])
      })
    }
  })

  test('that is refused leaves nothing behind, wherever the fault is (USE-7)', async () => {
    const one = await statisticsOver(database)
    const sound = Array.from({ length: 50 }, (_, index) => detailOnWire({ tokens: { input_tokens: index } }))
    const broken = [
      snapshotOf({ k: { m: [...sound, detailOnWire({ tokens: { output_tokens: -1 } })] } }),
      snapshotOf({ k: { m: sound }, l: { m: [detailOnWire({ timestamp: '2026-02-30T00:00:00Z' })] } }),
    ]
    expect(await one.import(broken[0], 97)).toMatchObject({ field: 'apis.k.models.m.details[50].tokens.output_tokens' })
    expect(await one.import({ usage: broken[1] }, 97)).toMatchObject({
      field: 'usage.apis.l.models.m.details[0].timestamp',
    })
    const whole = JSON.stringify(snapshotOf({ k: { m: sound } }))
    for (const cut of [0, 1, 40, whole.length >> 1, whole.length - 1]) {
      await expect(one.import(whole.slice(0, cut))).rejects.toThrow('at byte')
    }
    expect((await one.snapshot()).total_requests).toBe(0)
    const [{ count = 1n } = {}] = await database.sql`select count(*) from imported_usage_details`
    expect(count).toBe(0n)
    // And the next one is not in its way.
    expect(await one.import(whole)).toEqual({ added: 50, skipped: 0 })
  })

  test('is heard of by other instances (USE-7, USE-8)', async () => {
    await withDatabase(async (own) => {
      const [one, two] = [await statisticsOver(own), await statisticsOver(own)]
      await two.snapshot()
      await one.import(other)
      // What the notice makes the other instance do.
      await two.loader.heardOfImport(newId())
      expect((await two.snapshot()).total_requests).toBe(3)
    })
  })
})
