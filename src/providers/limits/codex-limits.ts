/**
 * ChatGPT's Codex endpoint: `x-codex-{primary,secondary}-{used-percent,window-minutes,reset-after-seconds,reset-at}`, and a 429 body
 * `usage_limit_reached` with `resets_at` (epoch seconds) or `resets_in_seconds`. On some errors the headers are there and empty.
 */
import type { ToldLimit } from '../../core/failure.ts'
import { later, resetTime } from '../../core/reset-time.ts'
import { type AccountSnapshot, exhaustedUntil, sortWindows, type UsageWindow } from '../../core/snapshot.ts'
import { fieldAt, type LimitAnswer, numberIn, type ReadSnapshot } from './limit.ts'

const FIELDS = ['used-percent', 'window-minutes', 'reset-after-seconds'] as const
const OVER = 'primary-over-secondary-limit-percent'

export const codexSnapshot: ReadSnapshot = ({ header, nowMs }): AccountSnapshot | null => {
  const raw: Record<string, number> = {}
  for (const name of [...['primary', 'secondary'].flatMap((slot) => FIELDS.map((field) => `${slot}-${field}`)), OVER]) {
    const value = numberIn(header, `x-codex-${name}`)
    if (value !== null) raw[name.replaceAll('-', '_')] = value
  }
  if (Object.keys(raw).length === 0) return null
  const window = (slot: string): UsageWindow | null => {
    const usedPercent = raw[`${slot}_used_percent`] ?? null
    const windowMinutes = raw[`${slot}_window_minutes`] ?? null
    const resetAtMs =
      resetTime(raw[`${slot}_reset_after_seconds`], nowMs) ?? resetTime(header(`x-codex-${slot}-reset-at`), nowMs)
    return usedPercent === null && windowMinutes === null && resetAtMs === null
      ? null
      : { usedPercent, windowMinutes, resetAtMs }
  }
  return { ...sortWindows(window('primary'), window('secondary')), raw, takenAtMs: nowMs }
}

export function codexLimit(answer: LimitAnswer): ToldLimit | null {
  const { nowMs } = answer
  const snapshot = codexSnapshot(answer)
  const window = snapshot === null ? null : exhaustedUntil(snapshot, nowMs)
  const error = fieldAt(answer.body, 'error') ?? fieldAt(answer.body, 'detail')
  const body =
    resetTime(fieldAt(error, 'resets_at') as number | null, nowMs) ??
    resetTime(fieldAt(error, 'resets_in_seconds') as number | null, nowMs)
  const untilMs = later(window, body)
  if (untilMs !== null) {
    return { untilMs, source: untilMs === window ? 'x-codex-reset' : 'resets_at', family: null }
  }
  const retryAfter = resetTime(answer.header('retry-after'), nowMs)
  return retryAfter === null ? null : { untilMs: retryAfter, source: 'retry-after', family: null }
}
