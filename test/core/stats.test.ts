import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Detail, detailOf, identityOf, normalTotal } from '../../src/core/stats.ts'
import { createPlaces, formatInstant, parseInstant } from '../../src/core/stats-time.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

describe('a detail', () => {
  test('without a total has the sum of input, output and reasoning, and only without those its cached tokens (USE-6)', () => {
    const tokens = { input: 1, output: 2, reasoning: 3, cached: 4, total: 5 }
    expect(normalTotal(tokens)).toBe(5)
    expect(normalTotal({ ...tokens, total: 0 })).toBe(6)
    expect(normalTotal({ ...tokens, input: 0, output: 0, total: 0 })).toBe(3)
    expect(normalTotal({ input: 0, output: 0, reasoning: 0, cached: 4, total: 0 })).toBe(4)
    expect(normalTotal({ input: 0, output: 0, reasoning: 0, cached: 0, total: 0 })).toBe(0)
  })

  test('of two requests of one millisecond are two, although they agree in all that is known of them (USE-7)', () => {
    const burst = Array.from({ length: 200 }, () => detailOf(makeReceipt({ createdAtMs: NOON })))
    expect(new Set(burst.map(({ nanos }) => nanos)).size).toBeGreaterThan(195)
    for (const { seconds, nanos } of burst) expect([seconds, Math.floor(nanos / 1e6)]).toEqual([NOON / 1000, 0])
  })

  test('differs in its identity when anything but its time differs (USE-7)', () => {
    const text = fc.string({ maxLength: 8 })
    const count = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.maxSafeNat())
    const tokens = fc.record({ input: count, output: count, reasoning: count, cached: count, total: count })
    const detail = fc.record({ source: text, authIndex: text, failed: fc.boolean(), tokens })
    const whole = (part: Omit<Detail, 'seconds' | 'nanos'>): Detail => ({ seconds: 0, nanos: 0, ...part })
    fc.assert(
      fc.property(detail, detail, (a, b) => {
        const same =
          JSON.stringify([a.source, a.authIndex, a.failed, a.tokens]) ===
          JSON.stringify([b.source, b.authIndex, b.failed, b.tokens])
        expect(identityOf(whole(a)) === identityOf(whole(b))).toBe(same)
        expect(Number.isSafeInteger(identityOf(whole(a))) && identityOf(whole(a)) >= 0).toBe(true)
      }),
    )
    const near = Array.from({ length: 100_000 }, (_, index) =>
      identityOf(
        whole({
          source: 's',
          authIndex: '',
          failed: false,
          tokens: { input: index, output: 0, reasoning: 0, cached: 0, total: index },
        }),
      ),
    )
    expect(new Set(near).size).toBe(near.length)
  })
})

describe('a time', () => {
  test('is read to the nanosecond in any offset, as Date reads it to the millisecond (USE-7)', () => {
    const digits = fc.integer({ min: 1, max: 9 })
    const offset = fc.oneof(
      fc.constant('Z'),
      fc.tuple(fc.constantFrom('+', '-'), fc.integer({ min: 0, max: 23 * 60 + 59 })),
    )
    const most = Date.UTC(2099, 11, 30)
    fc.assert(
      fc.property(
        fc.integer({ min: 172_800_000, max: most }),
        fc.integer({ min: 0, max: 999_999_999 }),
        digits,
        offset,
        (ms, nanos, places, zone) => {
          const pad = (value: number) => String(value).padStart(2, '0')
          const end =
            zone === 'Z'
              ? 'Z'
              : `${zone[0]}${pad(Math.floor((zone[1] as unknown as number) / 60))}:${pad((zone[1] as unknown as number) % 60)}`
          const fraction = String(nanos).padStart(9, '0').slice(0, places)
          const text = `${new Date(ms).toISOString().slice(0, 19)}.${fraction}${end}`
          const found = parseInstant(text)
          expect(found?.seconds).toBe(Math.floor(Date.parse(text.replace(/\.\d+/, '')) / 1000))
          expect(found?.nanos).toBe(Number(fraction.padEnd(9, '0')))
          expect(parseInstant(formatInstant(found!))).toEqual(found)
        },
      ),
    )
  })

  test('that is impossible is none (USE-7)', () => {
    const wrong = [
      '2026-02-29T00:00:00Z',
      '2025-04-31T00:00:00Z',
      '2026-00-10T00:00:00Z',
      '2026-13-10T00:00:00Z',
      '2026-01-00T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
      '2026-01-01T00:00:60Z',
      '2026-01-01T00:00:00+24:00',
      '2026-01-01T00:00:00',
      '2026-01-01',
      '2026-01-01T00:00:00.Z',
      '2026-01-01T00:00:00.1234567890Z',
      '1969-12-31T23:59:59Z',
      '2100-01-01T00:00:00Z',
      '0001-01-01T00:00:00Z',
      '',
    ]
    expect(wrong.filter((text) => parseInstant(text) !== null)).toEqual([])
    expect(parseInstant('2024-02-29t00:00:00z')).toEqual({ seconds: Date.UTC(2024, 1, 29) / 1000, nanos: 0 })
    expect(parseInstant('1970-01-01T00:30:00+00:30')).toEqual({ seconds: 0, nanos: 0 })
    expect(parseInstant('2099-12-31T23:59:59.999999999Z')?.nanos).toBe(999_999_999)
  })

  test('counts in the day and hour of its zone, also where clocks change (USE-5)', () => {
    const place = createPlaces('Europe/Berlin')
    const at = (text: string) => place(parseInstant(text)!.seconds)
    expect(at('2026-03-29T00:59:59Z')).toEqual({ day: '2026-03-29', hour: 1 })
    expect(at('2026-03-29T01:00:00Z')).toEqual({ day: '2026-03-29', hour: 3 })
    expect(at('2026-07-24T22:00:00Z')).toEqual({ day: '2026-07-25', hour: 0 })
    expect(at('2026-07-24T21:59:59Z')).toEqual({ day: '2026-07-24', hour: 23 })
    expect(at('2026-07-24T22:00:00Z')).toEqual({ day: '2026-07-25', hour: 0 })
  })
})
