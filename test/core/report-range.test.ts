import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isFault } from '../../src/core/fault.ts'
import { bucketsOf, latestSpan, PERIODS } from '../../src/core/report-buckets.ts'
import { type RangeRules, type RangeWish, readRange } from '../../src/core/report-range.ts'
import { piecesOf } from '../../src/core/rollup-pieces.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.UTC(2026, 6, 24, 12)
const most = 1000

const days = (from: string, to: string, timeZone: string) =>
  bucketsOf({ fromMs: Date.parse(from), toMs: Date.parse(to) }, { period: 'day', timeZone, most }) ?? []
const iso = (ms: number) => new Date(ms).toISOString()

/** Another way to a date than the code's. */
const dateIn = (ms: number, timeZone: string) => new Intl.DateTimeFormat('en-CA', { timeZone }).format(ms)

describe('periods of a report', () => {
  test('a day has the hours that it has: 23 and 25 when clocks change (USE-12)', () => {
    const hours = (day: string) => {
      const [bucket] = days(`${day}T12:00:00Z`, `${day}T13:00:00Z`, 'Europe/Berlin')
      return [bucket!.day, (bucket!.toMs - bucket!.fromMs) / HOUR_MS]
    }
    expect(hours('2026-03-29')).toEqual(['2026-03-29', 23])
    expect(hours('2026-10-25')).toEqual(['2026-10-25', 25])
    expect(hours('2026-07-24')).toEqual(['2026-07-24', 24])
  })

  test('weeks begin on Monday, also over a year’s turn; months on the first (USE-12)', () => {
    const span = { fromMs: Date.parse('2026-12-30T00:00Z'), toMs: Date.parse('2027-01-05T00:00Z') }
    const of = (period: 'week' | 'month') => bucketsOf(span, { period, timeZone: 'UTC', most })?.map(({ day }) => day)
    expect(of('week')).toEqual(['2026-12-28', '2027-01-04'])
    expect(of('month')).toEqual(['2026-12-01', '2027-01-01'])
  })

  test('any span is covered without gap or overlap, each period by its own zone’s calendar', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe')
    const start = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) })
    fc.assert(
      fc.property(zones, start, fc.integer({ min: 1, max: 90 * DAY_MS }), fc.constantFrom(...PERIODS), (...given) => {
        const [timeZone, fromMs, lengthMs, period] = given
        const buckets = bucketsOf({ fromMs, toMs: fromMs + lengthMs }, { period, timeZone, most }) ?? []
        expect(buckets[0]!.fromMs).toBeLessThanOrEqual(fromMs)
        expect(buckets[0]!.toMs).toBeGreaterThan(fromMs)
        expect(buckets.at(-1)!.fromMs).toBeLessThan(fromMs + lengthMs)
        expect(buckets.at(-1)!.toMs).toBeGreaterThanOrEqual(fromMs + lengthMs)
        for (const [index, bucket] of buckets.entries()) {
          if (index > 0) expect(bucket.fromMs).toBe(buckets[index - 1]!.toMs)
          expect(dateIn(bucket.fromMs, timeZone)).toBe(bucket.day)
          expect(dateIn(bucket.fromMs - 1, timeZone)).not.toBe(bucket.day)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('the last ones end with the current one', () => {
    const { fromMs, toMs } = latestSpan(NOW, { period: 'week', timeZone: 'Europe/Berlin', count: 2 })
    expect([iso(fromMs), iso(toMs)]).toEqual(['2026-07-12T22:00:00.000Z', '2026-07-26T22:00:00.000Z'])
  })
})

describe('the stored sums of a span (USE-10)', () => {
  test('together they are the span: nothing is missing, nothing is counted twice', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Pacific/Auckland', 'America/Sao_Paulo')
    const start = fc.integer({ min: Date.UTC(2016, 0, 1), max: Date.UTC(2030, 0, 1) })
    const length = fc.integer({ min: 1, max: 70 * DAY_MS })
    fc.assert(
      fc.property(zones, zones, start, length, fc.constantFrom(...PERIODS), (...given) => {
        const [timeZone, configuredZone, fromMs, lengthMs, period] = given
        const buckets = bucketsOf({ fromMs, toMs: fromMs + lengthMs }, { period, timeZone, most }) ?? []
        const pieces = piecesOf(buckets, configuredZone)!
        const midnight = (day: string) => Temporal.PlainDate.from(day).toZonedDateTime(configuredZone).epochMilliseconds
        const spans = [
          ...[...pieces.months, ...pieces.days].map(({ bucket, from, to }) => ({
            bucket,
            fromMs: midnight(from),
            toMs: midnight(to),
          })),
          ...pieces.hours,
        ].sort((a, b) => a.fromMs - b.fromMs)
        let atMs = buckets[0]!.fromMs
        for (const piece of spans) {
          expect(piece.fromMs).toBe(atMs)
          expect(piece.fromMs).toBeGreaterThanOrEqual(buckets[piece.bucket]!.fromMs)
          expect(piece.toMs).toBeLessThanOrEqual(buckets[piece.bucket]!.toMs)
          atMs = piece.toMs
        }
        expect(atMs).toBe(buckets.at(-1)!.toMs)
      }),
      { numRuns: 200 },
    )
  })

  test('a year is months and the days around them; of another zone also some hours (USE-19)', () => {
    const year = { fromMs: Date.UTC(2025, 6, 9, 22), toMs: Date.UTC(2026, 6, 9, 22), day: '2025-07-10' }
    expect(piecesOf([year], 'Europe/Berlin')).toEqual({
      months: [{ bucket: 0, from: '2025-08-01', to: '2026-07-01' }],
      days: [
        { bucket: 0, from: '2025-07-10', to: '2025-08-01' },
        { bucket: 0, from: '2026-07-01', to: '2026-07-10' },
      ],
      hours: [],
    })
    expect(piecesOf([year], 'UTC')).toMatchObject({
      months: [{ bucket: 0, from: '2025-08-01', to: '2026-07-01' }],
      hours: [{ fromMs: year.fromMs }, { toMs: year.toMs }],
    })
  })

  test('a month of the configured zone is one sum; one of another is days and some hours at its ends (USE-19)', () => {
    const month = { fromMs: Date.UTC(2026, 5, 30, 22), toMs: Date.UTC(2026, 6, 31, 22), day: '2026-07-01' }
    expect(piecesOf([month], 'Europe/Berlin')).toEqual({
      months: [{ bucket: 0, from: '2026-07-01', to: '2026-08-01' }],
      days: [],
      hours: [],
    })
    expect(piecesOf([month], 'UTC')).toEqual({
      months: [],
      days: [{ bucket: 0, from: '2026-07-01', to: '2026-07-31' }],
      hours: [
        { bucket: 0, fromMs: month.fromMs, toMs: Date.UTC(2026, 6, 1) },
        { bucket: 0, fromMs: Date.UTC(2026, 6, 31), toMs: month.toMs },
      ],
    })
  })

  test('days that begin within an hour are exact in the configured zone, under any of its names, and refused in another', () => {
    const [day] = days('2026-07-24T12:00:00Z', '2026-07-24T13:00:00Z', 'Asia/Kolkata')
    expect(piecesOf([day!], 'UTC')).toBeNull()
    expect(piecesOf([day!], 'Asia/Calcutta')).toEqual({
      months: [],
      days: [{ bucket: 0, from: '2026-07-24', to: '2026-07-25' }],
      hours: [],
    })
    // And where the configured zone is the one that is half an hour off, whole hours do for the others.
    const [utc] = days('2026-07-24T12:00:00Z', '2026-07-24T13:00:00Z', 'UTC')
    expect(piecesOf([utc!], 'Asia/Kolkata')?.hours).toEqual([{ bucket: 0, fromMs: utc!.fromMs, toMs: utc!.toMs }])
  })
})

describe('what from, to and tz mean', () => {
  const rules: RangeRules = { nowMs: NOW, configuredZone: 'UTC', period: 'day', usual: 30, most: 400 }
  const read = (wish: RangeWish, change: Partial<RangeRules> = {}) => readRange(wish, { ...rules, ...change })
  const spanOf = (wish: RangeWish, change: Partial<RangeRules> = {}) => {
    const range = read(wish, change)
    return isFault(range) ? range.field : [iso(range.fromMs), iso(range.toMs)]
  }

  test('unless told, the last periods and the current one', () => {
    expect(spanOf({})).toEqual(['2026-06-25T00:00:00.000Z', '2026-07-25T00:00:00.000Z'])
    expect(spanOf({ to: '2026-07-01' })).toEqual(['2026-06-01T00:00:00.000Z', '2026-07-01T00:00:00.000Z'])
    expect(spanOf({ from: '2026-07-20' })).toEqual(['2026-07-20T00:00:00.000Z', '2026-07-25T00:00:00.000Z'])
  })

  test('days are days of the zone, `to` is excluded, and a time widens to its whole period', () => {
    expect(spanOf({ from: '2026-07-01', to: '2026-07-03', timeZone: 'Europe/Berlin' })).toEqual([
      '2026-06-30T22:00:00.000Z',
      '2026-07-02T22:00:00.000Z',
    ])
    expect(spanOf({ from: '2026-07-01T10:00:00Z', to: '2026-07-02T00:00:00.001Z' })).toEqual([
      '2026-07-01T00:00:00.000Z',
      '2026-07-03T00:00:00.000Z',
    ])
    expect(spanOf({ from: '2026-07-15', to: '2026-07-16' }, { period: 'month' })).toEqual([
      '2026-07-01T00:00:00.000Z',
      '2026-08-01T00:00:00.000Z',
    ])
  })

  test('all of it together is one bucket', () => {
    expect(read({ from: '2026-01-01', to: '2026-07-01' }, { together: true })).toMatchObject({
      buckets: [{ day: '2026-01-01' }],
      pieces: { months: [{ bucket: 0, from: '2026-01-01', to: '2026-07-01' }], days: [], hours: [] },
    })
  })

  test('what makes no sense is refused by the name of its parameter', () => {
    for (const [wish, field] of [
      [{ from: '2026-02-30' }, 'from'],
      [{ from: '2026-02-30T00:00:00Z' }, 'from'],
      [{ from: '2026-07-25' }, 'from'],
      [{ from: '2024-01-01' }, 'from'],
      [{ to: '2026-99-01' }, 'to'],
      [{ from: '2026-07-02', to: '2026-07-02' }, 'to'],
      [{ from: '2026-07-02', to: '2026-07-01' }, 'to'],
      [{ timeZone: 'Mars/Base' }, 'tz'],
      [{ timeZone: '+02:00' }, 'tz'],
      [{ timeZone: 'Asia/Kolkata' }, 'tz'],
    ] as const) {
      expect([wish, spanOf(wish)]).toEqual([wish, field])
    }
  })
})
