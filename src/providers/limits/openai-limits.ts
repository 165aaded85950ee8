/**
 * OpenAI's API: `retry-after`, `retry-after-ms`, `x-ratelimit-reset-{requests,tokens}` (durations such as "6m0s").
 * https://platform.openai.com/docs/guides/rate-limits – limits are per model, so that a 429 cools that model only; a used-up
 * quota (`insufficient_quota`) concerns the account.
 */
import type { ToldLimit } from '../../core/failure.ts'
import { later, resetTime } from '../../core/reset-time.ts'
import { fieldAt, type LimitAnswer, numberIn } from './limit.ts'

export function openaiLimit(answer: LimitAnswer): ToldLimit | null {
  const { header, nowMs } = answer
  const exhausted = fieldAt(answer.body, 'error', 'code') === 'insufficient_quota'
  const family = exhausted ? null : answer.model
  const milliseconds = numberIn(header, 'retry-after-ms')
  if (milliseconds !== null && milliseconds >= 0) {
    return { untilMs: nowMs + milliseconds, source: 'retry-after-ms', family }
  }
  const retryAfter = resetTime(header('retry-after'), nowMs)
  if (retryAfter !== null) return { untilMs: retryAfter, source: 'retry-after', family }
  let untilMs: number | null = null
  for (const window of ['requests', 'tokens']) {
    // Only a window that is used up counts: the other one's reset is always there and always soon.
    if (numberIn(header, `x-ratelimit-remaining-${window}`) !== 0) continue
    untilMs = later(untilMs, resetTime(header(`x-ratelimit-reset-${window}`), nowMs))
  }
  return untilMs === null ? null : { untilMs, source: 'x-ratelimit-reset', family }
}
