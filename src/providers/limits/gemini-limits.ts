/**
 * Gemini: the error body's `google.rpc.RetryInfo.retryDelay` ("34s"), else `retry-after`. A violated quota whose id says `PerModel`
 * limits that model only. https://ai.google.dev/gemini-api/docs/rate-limits
 */
import type { ToldLimit } from '../../core/failure.ts'
import { resetTime } from '../../core/reset-time.ts'
import { fieldAt, type LimitAnswer } from './limit.ts'

export function geminiLimit(answer: LimitAnswer): ToldLimit | null {
  // Errors of stream calls come in an array.
  const error = fieldAt(answer.body, 'error') ?? fieldAt(answer.body, 0, 'error')
  const details = fieldAt(error, 'details')
  const list: unknown[] = Array.isArray(details) ? details : []
  const perModel = JSON.stringify(list).includes('PerModel')
  const family = perModel ? answer.model : null
  for (const detail of list) {
    const untilMs = resetTime(fieldAt(detail, 'retryDelay') as string | null, answer.nowMs)
    if (untilMs !== null) return { untilMs, source: 'RetryInfo.retryDelay', family }
  }
  const retryAfter = resetTime(answer.header('retry-after'), answer.nowMs)
  return retryAfter === null && family === null ? null : { untilMs: retryAfter, source: 'retry-after', family }
}
