import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  isSubscriptionActive,
  SUBSCRIPTION_WINDOWS_MS,
  type Subscription,
  spendSubscription,
  subscriptionRemaining,
} from '../../src/core/subscription.ts'

const START = Date.parse('2026-03-01T15:30:00Z')
const { daily: DAY, weekly: WEEK, monthly: MONTH } = SUBSCRIPTION_WINDOWS_MS

const unused = { startedAtMs: null, usedNano: 0n }
const fresh: Subscription = {
  id: 's1',
  userId: 'u1',
  groupId: 'g1',
  status: 'active',
  startsAtMs: START,
  expiresAtMs: START + 365 * DAY,
  windows: { daily: unused, weekly: unused, monthly: unused },
}
const limits = { dailyLimitNano: 10n, weeklyLimitNano: 25n, monthlyLimitNano: 60n }

describe('subscription windows (BIL-10)', () => {
  test('a window starts with the first request, not at midnight, and lasts its whole length (BIL-10)', () => {
    const used = spendSubscription(fresh, 4n, START)
    expect(subscriptionRemaining(used, limits, START)).toBe(6n)
    expect(subscriptionRemaining(used, limits, START + DAY - 1)).toBe(6n)
    expect(subscriptionRemaining(used, limits, START + DAY)).toBe(10n)
  })

  test('a window renews by itself: the next request after its end starts a new one (BIL-10)', () => {
    const used = spendSubscription(spendSubscription(fresh, 4n, START), 3n, START + DAY + 5)
    expect(used.windows.daily).toEqual({ startedAtMs: START + DAY + 5, usedNano: 3n })
    expect(used.windows.weekly).toEqual({ startedAtMs: START, usedNano: 7n })
    expect(used.windows.monthly).toEqual({ startedAtMs: START, usedNano: 7n })
  })

  test('the tightest window decides what is left (BIL-10)', () => {
    const used = [0, 1, 2].reduce((now, day) => spendSubscription(now, 8n, START + day * DAY), fresh)
    expect(subscriptionRemaining(used, limits, START + 2 * DAY)).toBe(1n)
    expect(subscriptionRemaining(used, limits, START + WEEK)).toBe(10n)
  })

  test('without a limit there is no end to it; a limit of 0 allows nothing (BIL-10)', () => {
    const none = { dailyLimitNano: null, weeklyLimitNano: null, monthlyLimitNano: null }
    expect(subscriptionRemaining(fresh, none, START)).toBeNull()
    expect(subscriptionRemaining(fresh, { ...none, weeklyLimitNano: 0n }, START)).toBe(0n)
  })

  test('it is active from its start until its end, unless revoked (BIL-10)', () => {
    const active = (change: Partial<Subscription>, nowMs: number) =>
      isSubscriptionActive({ ...fresh, ...change }, nowMs)
    expect([active({}, START - 1), active({}, START), active({}, START + 365 * DAY)]).toEqual([false, true, false])
    expect(active({ expiresAtMs: null }, START + 3650 * DAY)).toBe(true)
    expect(active({ status: 'revoked' }, START)).toBe(false)
  })

  test('within one window nothing spent is forgotten, whenever it was spent (BIL-10)', () => {
    const spending = fc.record({
      afterMs: fc.integer({ min: 0, max: DAY - 1 }),
      costNano: fc.bigInt({ min: 0n, max: 1_000_000n }),
    })
    fc.assert(
      fc.property(fc.array(spending, { minLength: 1, maxLength: 20 }), (spendings) => {
        const inOrder = [...spendings].sort((a, b) => a.afterMs - b.afterMs)
        const first = inOrder[0]?.afterMs ?? 0
        const end = inOrder.reduce(
          (now, { afterMs, costNano }) => spendSubscription(now, costNano, START + afterMs),
          fresh,
        )
        const total = inOrder.reduce((sum, { costNano }) => sum + costNano, 0n)
        expect(end.windows.daily).toEqual({ startedAtMs: START + first, usedNano: total })
        expect(end.windows.monthly.usedNano).toBe(total)
      }),
    )
  })

  test('windows are 1, 7 and 30 days', () => {
    expect([DAY, WEEK, MONTH]).toEqual([86_400_000, 604_800_000, 2_592_000_000])
  })
})
