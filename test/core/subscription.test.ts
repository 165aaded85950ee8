import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { addToWindow, type UsageWindow, usedInWindow, WINDOW_LENGTH_MS } from '../../src/core/subscription.ts'

const HOUR = 3_600_000
const UNUSED: UsageWindow = { startedAtMs: null, usedNano: 0n }
const MONDAY_15 = Date.UTC(2026, 6, 20, 15)

describe('subscription windows', () => {
  test('a window starts with its first use (BIL-10)', () => {
    expect(usedInWindow(UNUSED, 'daily', MONDAY_15)).toBe(0n)
    expect(addToWindow(UNUSED, 'daily', { atMs: MONDAY_15, amountNano: 5n })).toEqual({
      startedAtMs: MONDAY_15,
      usedNano: 5n,
    })
  })

  test('uses add up until its length is over, then the next use starts a new one (BIL-10)', () => {
    const first = addToWindow(UNUSED, 'daily', { atMs: MONDAY_15, amountNano: 5n })
    const second = addToWindow(first, 'daily', { atMs: MONDAY_15 + 24 * HOUR - 1, amountNano: 2n })
    expect(second).toEqual({ startedAtMs: MONDAY_15, usedNano: 7n })
    expect(usedInWindow(second, 'daily', MONDAY_15 + 24 * HOUR - 1)).toBe(7n)
    expect(usedInWindow(second, 'daily', MONDAY_15 + 24 * HOUR)).toBe(0n)

    const later = MONDAY_15 + 42 * HOUR
    expect(addToWindow(second, 'daily', { atMs: later, amountNano: 1n })).toEqual({ startedAtMs: later, usedNano: 1n })
  })

  test('a use that comes late counts in the window that is there, which never moves back (BIL-10)', () => {
    const window = addToWindow(UNUSED, 'weekly', { atMs: MONDAY_15, amountNano: 5n })
    expect(addToWindow(window, 'weekly', { atMs: MONDAY_15 - HOUR, amountNano: 3n })).toEqual({
      startedAtMs: MONDAY_15,
      usedNano: 8n,
    })
  })

  test('within one length of a window no money is lost, in whatever order uses come (BIL-10)', () => {
    const use = fc.record({
      atMs: fc.integer({ min: 0, max: WINDOW_LENGTH_MS.monthly - 1 }),
      amountNano: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    })
    fc.assert(
      fc.property(fc.array(use, { minLength: 1 }), (uses) => {
        const window = uses.reduce((current, next) => addToWindow(current, 'monthly', next), UNUSED)
        expect(window.usedNano).toBe(uses.reduce((sum, { amountNano }) => sum + amountNano, 0n))
      }),
    )
  })
})
