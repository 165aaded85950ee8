import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  addToWindow,
  isSubscriptionActive,
  type Subscription,
  subscriptionRemaining,
  type UsageWindow,
  usedInWindow,
  WINDOW_LENGTH_MS,
} from '../../src/core/subscription.ts'

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

  const limits = { dailyLimitNano: 10n, weeklyLimitNano: 25n, monthlyLimitNano: 60n }
  const fresh: Subscription = {
    id: 's1',
    userId: 'u1',
    groupId: 'g1',
    status: 'active',
    startsAtMs: MONDAY_15,
    expiresAtMs: MONDAY_15 + 365 * 24 * HOUR,
    daily: UNUSED,
    weekly: UNUSED,
    monthly: UNUSED,
  }

  test('the tightest window decides what is left, and each renews by itself (BIL-10)', () => {
    const used = {
      ...fresh,
      daily: { startedAtMs: MONDAY_15, usedNano: 8n },
      weekly: { startedAtMs: MONDAY_15, usedNano: 24n },
    }
    expect(subscriptionRemaining(used, limits, MONDAY_15)).toBe(1n)
    expect(subscriptionRemaining(used, limits, MONDAY_15 + 7 * 24 * HOUR)).toBe(10n)
  })

  test('without a limit there is no end to it; a limit of 0 allows nothing (BIL-10)', () => {
    const none = { dailyLimitNano: null, weeklyLimitNano: null, monthlyLimitNano: null }
    expect(subscriptionRemaining(fresh, none, MONDAY_15)).toBeNull()
    expect(subscriptionRemaining(fresh, { ...none, weeklyLimitNano: 0n }, MONDAY_15)).toBe(0n)
  })

  test('it is active from its start until its end, unless revoked (BIL-10)', () => {
    const active = (change: Partial<Subscription>, nowMs: number) =>
      isSubscriptionActive({ ...fresh, ...change }, nowMs)
    expect([active({}, MONDAY_15 - 1), active({}, MONDAY_15), active({}, fresh.expiresAtMs)]).toEqual([
      false,
      true,
      false,
    ])
    expect(active({ status: 'revoked' }, MONDAY_15)).toBe(false)
  })
})
