import { describe, expect, test } from 'bun:test'
import { dayBoundaries } from '../../src/core/calendar.ts'
import { type Bucket, MOST_COUNT, type Take } from '../../src/core/limit.ts'
import { mergeSeed, type Seed } from '../../src/core/seed.ts'

const NOW_MS = Date.UTC(2026, 6, 24, 12)
const TODAY_MS = Date.UTC(2026, 6, 24)
const DAY_MS = 86_400_000
const seed = (over: Partial<Seed>): Seed => ({
  counter: 'c',
  span: { kind: 'total' },
  startMs: 0,
  used: 100,
  most: null,
  ...over,
})
const bucket = (over: Partial<Bucket>): Bucket => ({
  startMs: 0,
  used: 7777,
  reserved: 0,
  standing: 'stale',
  most: null,
  ...over,
})
const take = (amount: number, startMs = 0): Take => ({
  counter: 'c',
  measure: 'cost',
  kind: 'bucket',
  startMs,
  amount,
  perMinute: 0,
  durable: true,
})

describe('a counter read from the database (BIL-8)', () => {
  test('is what was read and what the database does not have yet; what is reserved stays', () => {
    const merged = mergeSeed({
      seed: seed({}),
      bucket: bucket({ reserved: 30 }),
      unrecorded: [take(5), take(6)],
      nowMs: NOW_MS,
    })
    expect(merged).toEqual({ startMs: 0, used: 111, reserved: 30, standing: 'known', most: null })
  })

  test('takes over what may be spent', () => {
    expect(mergeSeed({ seed: seed({ most: -5 }), bucket: undefined, unrecorded: [], nowMs: NOW_MS }).most).toBe(-5)
  })

  test('of a day: yesterday’s use and reservations are left out, and a new day that has begun here stays', () => {
    const span = { kind: 'calendar', boundaries: dayBoundaries(NOW_MS, 'UTC') } as const
    const unrecorded = [take(5, TODAY_MS), take(50, TODAY_MS - DAY_MS)]
    const yesterday = bucket({ startMs: TODAY_MS - DAY_MS, reserved: 30 })
    const today = seed({ span, startMs: TODAY_MS })
    expect(mergeSeed({ seed: today, bucket: yesterday, unrecorded, nowMs: NOW_MS })).toMatchObject({
      startMs: TODAY_MS,
      used: 105,
      reserved: 0,
    })
    const tomorrow = bucket({ startMs: TODAY_MS + DAY_MS, reserved: 30 })
    expect(mergeSeed({ seed: today, bucket: tomorrow, unrecorded, nowMs: NOW_MS + DAY_MS })).toMatchObject({
      startMs: TODAY_MS + DAY_MS,
      used: 0,
      reserved: 30,
    })
  })

  test('of a window: its own start wins over the database’s, that over a request’s; a window that is over counts nothing', () => {
    const span = { kind: 'window', lengthMs: DAY_MS } as const
    const merge = (storedMs: number, seededMs: number, takes: Take[]) =>
      mergeSeed({
        seed: seed({ span, startMs: seededMs }),
        bucket: bucket({ startMs: storedMs, reserved: 30 }),
        unrecorded: takes,
        nowMs: NOW_MS,
      })
    const [older, newer, over] = [NOW_MS - 2000, NOW_MS - 1000, NOW_MS - DAY_MS]
    expect(merge(older, newer, [])).toMatchObject({ startMs: older, used: 100, reserved: 30 })
    expect(merge(over, newer, [take(5, older)])).toMatchObject({ startMs: newer, used: 105, reserved: 0 })
    expect(merge(0, over, [take(5, newer), take(6, older), take(7, over)])).toMatchObject({
      startMs: older,
      used: 11,
      reserved: 0,
    })
    expect(merge(over, over, [take(7, over)])).toMatchObject({ startMs: 0, used: 0, reserved: 0 })
  })

  test('stays at the bound', () => {
    expect(
      mergeSeed({ seed: seed({ used: MOST_COUNT }), bucket: undefined, unrecorded: [take(9)], nowMs: NOW_MS }).used,
    ).toBe(MOST_COUNT)
  })
})
