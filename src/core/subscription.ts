/**
 * A user's subscription to a group (BIL-10): requests cost no balance, but count at list price against daily, weekly and monthly limits.
 * A window starts with the first request in it and lasts 1, 7 or 30 days; when it is over the next request starts a new one, so that
 * nothing has to run for it to renew.
 */
import type { Group } from './entities.ts'
import type { Nano } from './money.ts'

const DAY_MS = 86_400_000
export const SUBSCRIPTION_WINDOWS_MS = { daily: DAY_MS, weekly: 7 * DAY_MS, monthly: 30 * DAY_MS } as const
export type SubscriptionWindowName = keyof typeof SUBSCRIPTION_WINDOWS_MS
const WINDOW_NAMES = Object.keys(SUBSCRIPTION_WINDOWS_MS) as SubscriptionWindowName[]

export interface SubscriptionWindow {
  /** Null: not used yet. */
  startedAtMs: number | null
  usedNano: Nano
}

export interface Subscription {
  id: string
  userId: string
  groupId: string
  /** Expired is no status: it is an `expiresAtMs` in the past. */
  status: 'active' | 'revoked'
  startsAtMs: number
  /** Null: until revoked. */
  expiresAtMs: number | null
  windows: Readonly<Record<SubscriptionWindowName, SubscriptionWindow>>
}

export type SubscriptionLimits = Pick<Group, 'dailyLimitNano' | 'weeklyLimitNano' | 'monthlyLimitNano'>

export function isSubscriptionActive(subscription: Subscription, nowMs: number): boolean {
  const { status, startsAtMs, expiresAtMs } = subscription
  return status === 'active' && startsAtMs <= nowMs && (expiresAtMs === null || nowMs < expiresAtMs)
}

/** What may still be spent: the tightest window decides. Null: no limit is set. May be negative after an estimate was exceeded. */
export function subscriptionRemaining(
  subscription: Subscription,
  limits: SubscriptionLimits,
  nowMs: number,
): Nano | null {
  let remaining: Nano | null = null
  for (const name of WINDOW_NAMES) {
    const limit = limits[`${name}LimitNano`]
    if (limit === null) continue
    const left = limit - usedIn(subscription.windows[name], name, nowMs)
    if (remaining === null || left < remaining) remaining = left
  }
  return remaining
}

/** The windows after a request of that list price. */
export function spendSubscription(subscription: Subscription, costNano: Nano, nowMs: number): Subscription {
  const spend = (name: SubscriptionWindowName): SubscriptionWindow => {
    const window = subscription.windows[name]
    const isLive = isWindowLive(window, name, nowMs)
    return {
      startedAtMs: isLive ? window.startedAtMs : nowMs,
      usedNano: usedIn(window, name, nowMs) + costNano,
    }
  }
  return {
    ...subscription,
    windows: { daily: spend('daily'), weekly: spend('weekly'), monthly: spend('monthly') },
  }
}

function usedIn(window: SubscriptionWindow, name: SubscriptionWindowName, nowMs: number): Nano {
  return isWindowLive(window, name, nowMs) ? window.usedNano : 0n
}

function isWindowLive(window: SubscriptionWindow, name: SubscriptionWindowName, nowMs: number): boolean {
  return window.startedAtMs !== null && nowMs < window.startedAtMs + SUBSCRIPTION_WINDOWS_MS[name]
}
