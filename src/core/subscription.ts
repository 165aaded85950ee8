/**
 * A user's subscription to a group (BIL-10): requests cost no balance, but count at list price against daily, weekly and monthly limits.
 * A window starts with the first use after the last one ended and lasts 1, 7 or 30 days; nothing has to run for it to renew.
 *
 * Example, daily (24 h): first use Monday 15:00 → the window lasts until Tuesday 15:00; next use Wednesday 09:00 → a new one
 * from Wednesday 09:00.
 */
import type { Group } from './entities.ts'
import type { Nano } from './money.ts'

export interface UsageWindow {
  /** Null: never used. */
  startedAtMs: number | null
  usedNano: Nano
}

export interface Subscription {
  id: string
  userId: string
  groupId: string
  status: 'active' | 'revoked'
  startsAtMs: number
  expiresAtMs: number
  daily: UsageWindow
  weekly: UsageWindow
  monthly: UsageWindow
}

export const WINDOW_NAMES = ['daily', 'weekly', 'monthly'] as const
export type WindowName = (typeof WINDOW_NAMES)[number]

const DAY_MS = 86_400_000
export const WINDOW_LENGTH_MS: Readonly<Record<WindowName, number>> = {
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 30 * DAY_MS,
}

export type SubscriptionLimits = Pick<Group, 'dailyLimitNano' | 'weeklyLimitNano' | 'monthlyLimitNano'>

export function isSubscriptionActive(subscription: Subscription, nowMs: number): boolean {
  const { status, startsAtMs, expiresAtMs } = subscription
  return status === 'active' && startsAtMs <= nowMs && nowMs < expiresAtMs
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
    const left = limit - usedInWindow(subscription[name], name, nowMs)
    if (remaining === null || left < remaining) remaining = left
  }
  return remaining
}

/** What was used in the window that is open now. */
export function usedInWindow(window: UsageWindow, name: WindowName, nowMs: number): Nano {
  return isOpen(window, name, nowMs) ? window.usedNano : 0n
}

/**
 * The window after a use. One that comes late (a batch that was held up) counts in the window that is there: money is never
 * lost, and a window never moves backwards.
 */
export function addToWindow(
  window: UsageWindow,
  name: WindowName,
  use: { atMs: number; amountNano: Nano },
): UsageWindow {
  if (window.startedAtMs !== null && use.atMs < window.startedAtMs + WINDOW_LENGTH_MS[name])
    return { startedAtMs: window.startedAtMs, usedNano: window.usedNano + use.amountNano }
  return { startedAtMs: use.atMs, usedNano: use.amountNano }
}

function isOpen(window: UsageWindow, name: WindowName, nowMs: number): boolean {
  return window.startedAtMs !== null && nowMs < window.startedAtMs + WINDOW_LENGTH_MS[name]
}
