/**
 * Anthropic: `retry-after`, `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}` for API keys
 * (https://docs.anthropic.com/en/api/rate-limits), and `anthropic-ratelimit-unified-{5h,7d,7d_oi}-{status,utilization,reset}` for
 * subscriptions: utilization is a fraction, reset is epoch seconds. Of several windows only the exceeded ones count, and the later
 * reset wins. `7d_oi` limits the largest models only.
 */
import type { ToldLimit } from '../../core/failure.ts'
import { later, resetTime } from '../../core/reset-time.ts'
import type { AccountSnapshot, UsageWindow } from '../../core/snapshot.ts'
import { type LimitAnswer, numberIn, type ReadSnapshot } from './limit.ts'

const UNIFIED = 'anthropic-ratelimit-unified'
const WINDOW_MINUTES = { '5h': 300, '7d': 10_080 } as const
const KEY_WINDOWS = ['requests', 'tokens', 'input-tokens', 'output-tokens'] as const
/** Rounding of the fraction must not hide a full window. */
const FULL = 1 - 1e-9

export function anthropicFamily(model: string): string {
  return ['opus', 'sonnet', 'haiku', 'fable'].find((name) => model.includes(name)) ?? model
}

export const anthropicSnapshot: ReadSnapshot = ({ header, nowMs }): AccountSnapshot | null => {
  const raw: Record<string, number> = {}
  const window = (name: '5h' | '7d'): UsageWindow | null => {
    const fraction = numberIn(header, `${UNIFIED}-${name}-utilization`)
    const resetAtMs = resetTime(header(`${UNIFIED}-${name}-reset`), nowMs)
    if (fraction === null && resetAtMs === null) return null
    if (fraction !== null) raw[`${name}_utilization`] = fraction
    const rejected = isExceeded(header, name)
    const usedPercent = fraction === null ? (rejected ? 100 : null) : Math.round(fraction * 10_000) / 100
    return {
      usedPercent: rejected ? Math.max(100, usedPercent ?? 0) : usedPercent,
      resetAtMs,
      windowMinutes: WINDOW_MINUTES[name],
    }
  }
  const fiveHour = window('5h')
  const sevenDay = window('7d')
  return fiveHour || sevenDay ? { fiveHour, sevenDay, raw, takenAtMs: nowMs } : null
}

function isExceeded(header: LimitAnswer['header'], name: string): boolean {
  return (
    header(`${UNIFIED}-${name}-status`) === 'rejected' ||
    header(`${UNIFIED}-${name}-surpassed-threshold`) === 'true' ||
    (numberIn(header, `${UNIFIED}-${name}-utilization`) ?? 0) >= FULL
  )
}

export function anthropicLimit(answer: LimitAnswer): ToldLimit | null {
  const { header, nowMs } = answer
  const exceeded = (name: string) =>
    isExceeded(header, name) ? resetTime(header(`${UNIFIED}-${name}-reset`), nowMs) : null
  const account = later(exceeded('5h'), exceeded('7d'))
  if (account !== null) return { untilMs: account, source: `${UNIFIED}-reset`, family: null }
  const largest = exceeded('7d_oi')
  if (largest !== null) {
    return { untilMs: largest, source: `${UNIFIED}-7d_oi-reset`, family: anthropicFamily(answer.model) }
  }
  const unified = resetTime(header(`${UNIFIED}-reset`), nowMs)
  if (unified !== null && header(`${UNIFIED}-status`) === 'rejected') {
    return { untilMs: unified, source: `${UNIFIED}-reset`, family: null }
  }
  const retryAfter = resetTime(header('retry-after'), nowMs)
  if (retryAfter !== null) return { untilMs: retryAfter, source: 'retry-after', family: null }
  let untilMs: number | null = null
  for (const name of KEY_WINDOWS) {
    if (numberIn(header, `anthropic-ratelimit-${name}-remaining`) !== 0) continue
    untilMs = later(untilMs, resetTime(header(`anthropic-ratelimit-${name}-reset`), nowMs))
  }
  return untilMs === null ? null : { untilMs, source: 'anthropic-ratelimit-reset', family: null }
}
