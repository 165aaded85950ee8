import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dayBoundaries } from '../../src/core/calendar.ts'
import {
  type Bucket,
  currentStart,
  endOf,
  hasRoom,
  type Limit,
  refuse,
  reservation,
  viewWindow,
} from '../../src/core/limit.ts'

const NOW_MS = Date.UTC(2026, 6, 24, 12)
const MINUTE_MS = 60_000
const window = { kind: 'window', lengthMs: 5 * MINUTE_MS } as const
const room = (most: number | null, used = 0, reserved = 0) => ({ most, used, reserved })

describe('start and end', () => {
  test('a window starts with its first request, and a new one with the first after its end (KEY-6)', () => {
    expect(currentStart(window, 0, NOW_MS)).toBe(NOW_MS)
    expect(currentStart(window, NOW_MS, NOW_MS + 5 * MINUTE_MS - 1)).toBe(NOW_MS)
    expect(currentStart(window, NOW_MS, NOW_MS + 5 * MINUTE_MS)).toBe(NOW_MS + 5 * MINUTE_MS)
    expect(endOf(window, NOW_MS)).toBe(NOW_MS + 5 * MINUTE_MS)
  })

  test('a calendar period never goes back', () => {
    const today = { kind: 'calendar', boundaries: dayBoundaries(NOW_MS, 'UTC') } as const
    const midnightMs = Date.UTC(2026, 6, 25)
    expect(currentStart(today, 0, NOW_MS)).toBe(Date.UTC(2026, 6, 24))
    expect(currentStart(today, 0, midnightMs)).toBe(midnightMs)
    expect(currentStart(today, midnightMs, midnightMs - 1)).toBe(midnightMs)
    expect(endOf(today, Date.UTC(2026, 6, 24))).toBe(midnightMs)
  })

  test('a total never ends', () => {
    expect(currentStart({ kind: 'total' }, 0, NOW_MS)).toBe(0)
    expect(endOf({ kind: 'total' }, 0)).toBeNull()
  })
})

describe('room', () => {
  const counts = fc.record({ most: fc.nat(50), used: fc.nat(60), reserved: fc.nat(60), amount: fc.nat(60) })

  test('what is counted as a whole, or held, fits or is refused (KEY-7, BIL-7)', () => {
    fc.assert(
      fc.property(counts, ({ most, used, reserved, amount }) => {
        const fits = used + reserved + amount <= most
        expect(hasRoom('whole', room(most, used, reserved), amount)).toBe(fits)
        expect(hasRoom('hold', room(most, used, reserved), amount)).toBe(fits)
      }),
    )
  })

  test('an estimate never overruns together with another, and alone only while something is left (KEY-7)', () => {
    fc.assert(
      fc.property(counts, ({ most, used, reserved, amount }) => {
        const isLeft = used + reserved < most
        const expected = isLeft && (reserved === 0 || used + reserved + amount <= most)
        expect(hasRoom('estimate', room(most, used, reserved), amount)).toBe(expected)
      }),
    )
  })

  test('without a limit there is always room', () => {
    for (const rule of ['whole', 'estimate', 'hold'] as const) expect(hasRoom(rule, room(null, 9, 9), 99)).toBe(true)
  })

  test('a hold is made unless there is more than 100 times as much (BIL-7)', () => {
    expect(reservation('hold', room(1000), 10)).toBe(10)
    expect(reservation('hold', room(1001), 10)).toBe(0)
    expect(reservation('hold', room(1101, 50, 51), 10)).toBe(10)
    expect(reservation('hold', room(null), 10)).toBe(0)
    expect(reservation('estimate', room(100_000), 10)).toBe(10)
  })
})

describe('refusals', () => {
  const limit = (over: Partial<Limit>): Limit => ({
    name: 'test',
    counter: 'test',
    measure: 'tokens',
    span: window,
    most: 100,
    rule: 'estimate',
    durable: false,
    ...over,
  })
  const of = (over: Partial<Limit>, used: number, reserved: number) =>
    refuse(limit(over), { ...room(100, used, reserved), startMs: NOW_MS - MINUTE_MS }, NOW_MS)

  test('used up: until the window ends; for good when it never does (KEY-4)', () => {
    expect(of({}, 100, 0)).toMatchObject({ waitMs: 4 * MINUTE_MS, isHeld: false })
    expect(of({ rule: 'whole' }, 60, 40)).toMatchObject({ waitMs: 4 * MINUTE_MS, isHeld: false })
    expect(of({ span: { kind: 'total' } }, 100, 0)).toMatchObject({ waitMs: null, isHeld: false })
    expect(of({ rule: 'hold' }, 0, 100)).toMatchObject({ waitMs: null, isHeld: false })
  })

  test('held by requests under way: soon (KEY-4)', () => {
    expect(of({}, 99, 1)).toMatchObject({ waitMs: 1000, isHeld: true })
    expect(of({ measure: 'slots', rule: 'whole', span: { kind: 'total' } }, 0, 100)).toMatchObject({
      waitMs: 1000,
      isHeld: true,
    })
  })
})

describe('what a key’s holder sees of its window (KEY-6)', () => {
  const bucket = (used: number, reserved: number): Bucket => ({
    startMs: NOW_MS,
    used,
    reserved,
    standing: 'known',
    most: null,
  })
  const buckets = { requests: bucket(3, 2), tokens: bucket(700, 99), cost: bucket(5, 4) }
  const view = (laterMs: number) => viewWindow(buckets, window.lengthMs, NOW_MS + laterMs)

  test('null before the first request', () => {
    const nothing = { requests: 0, tokens: 0, cost: 0, startMs: null, endMs: null, remainingSeconds: null }
    expect(viewWindow({ requests: null, tokens: null, cost: null }, window.lengthMs, NOW_MS)).toEqual(nothing)
  })

  test('while it lasts: requests with those under way, tokens and cost without estimates, seconds rounded up', () => {
    const endMs = NOW_MS + window.lengthMs
    expect(view(500)).toEqual({ requests: 5, tokens: 700, cost: 5, startMs: NOW_MS, endMs, remainingSeconds: 300 })
    expect(view(window.lengthMs - 1).remainingSeconds).toBe(1)
  })

  test('0 and zero counts once it is over', () => {
    expect(view(window.lengthMs)).toMatchObject({
      requests: 0,
      tokens: 0,
      cost: 0,
      remainingSeconds: 0,
      startMs: NOW_MS,
    })
  })
})
