import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { adviseTtl, MINUTE_MS, shownMinutes } from '../../src/core/cache-ttl.ts'

const advise = (p75: number, p90: number) => adviseTtl({ p75Ms: p75 * MINUTE_MS, p90Ms: p90 * MINUTE_MS })

describe('the recommended cache time (USE-15)', () => {
  test('no data gives the shortest, and says why', () => {
    expect(adviseTtl(null)).toEqual({ ttlMinutes: 5, reason: 'Fewer than two requests: no pause to judge by.' })
  })

  const MS = 1 / MINUTE_MS
  test.each([
    [0, 0, 5],
    [5, 5, 5],
    [5, 5 + MS, 15],
    [15, 500, 15],
    [15 + MS, 500, 30],
    [30, 500, 30],
    [30 + MS, 31, 60],
    [60, 60, 60],
    [500, 500, 60],
  ])('p75 of %d and p90 of %d minutes give %d: a bound is within', (p75, p90, ttl) => {
    expect(advise(p75, p90).ttlMinutes).toBe(ttl as 5)
  })

  test('the reason names the number that decided, never rounded to the right side of a bound', () => {
    expect(advise(2, 4.5).reason).toBe('9 of 10 pauses last at most 4.5 minutes: within the shortest cache.')
    expect(advise(1, 6).reason).toBe('3 of 4 pauses last at most 1 minute: within 15 minutes.')
    expect(advise(20, 60).reason).toBe('3 of 4 pauses last at most 20 minutes: within 30 minutes.')
    expect(advise(30 + MS, 60).reason).toBe('More than 1 in 4 pauses last longer than 30 minutes (p75 30.01 minutes).')
    expect(shownMinutes(5 * MINUTE_MS)).toBe(5)
    expect(shownMinutes(5 * MINUTE_MS + 1)).toBe(5.01)
  })

  test('longer pauses never shorten it', () => {
    const minutes = fc.double({ min: 0, max: 200, noNaN: true })
    fc.assert(
      fc.property(minutes, minutes, minutes, minutes, (p75, p90, more75, more90) => {
        const longer = advise(p75 + more75, p90 + more90).ttlMinutes
        expect(longer).toBeGreaterThanOrEqual(advise(p75, p90).ttlMinutes)
      }),
    )
  })
})
