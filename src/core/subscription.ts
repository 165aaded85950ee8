/**
 * Subscriptions as the request path sees them, and the arithmetic of their windows (BIL-10): a window starts with the first
 * use after the last one ended and lasts its fixed length; nobody has to renew it.
 *
 * Example, daily (24 h): first use Monday 15:00 → the window lasts until Tuesday 15:00; next use Wednesday 09:00 → a new one
 * from Wednesday 09:00.
 */
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

export type WindowName = 'daily' | 'weekly' | 'monthly'

const DAY_MS = 86_400_000
export const WINDOW_LENGTH_MS: Readonly<Record<WindowName, number>> = {
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 30 * DAY_MS,
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
