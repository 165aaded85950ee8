/** A key's rate-limit window as people are shown it (KEY-6), to its holder and to operators alike. */
import type { WindowView } from './limit.ts'
import { toUsd } from './money.ts'

/** Times and seconds are null before the first request; once it is over, the seconds and the counts are 0. */
export interface WireWindow {
  requests: number
  tokens: number
  cost_usd: number
  started_at: string | null
  ends_at: string | null
  remaining_seconds: number | null
}

export function toWireWindow(window: WindowView): WireWindow {
  return {
    requests: window.requests,
    tokens: window.tokens,
    cost_usd: toUsd(BigInt(Math.round(window.cost))),
    started_at: toTime(window.startMs),
    ends_at: toTime(window.endMs),
    remaining_seconds: window.remainingSeconds,
  }
}

const toTime = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
