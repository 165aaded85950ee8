import { describe, expect, test } from 'bun:test'
import { exhaustedUntil, toExtra } from '../../src/core/snapshot.ts'
import { anthropicLimit, anthropicSnapshot } from '../../src/providers/limits/anthropic-limits.ts'
import { codexLimit, codexSnapshot } from '../../src/providers/limits/codex-limits.ts'
import { geminiLimit } from '../../src/providers/limits/gemini-limits.ts'
import type { LimitAnswer } from '../../src/providers/limits/limit.ts'
import { openaiLimit } from '../../src/providers/limits/openai-limits.ts'

const NOW = Date.parse('2026-09-25T00:00:00Z')
const epoch = (seconds: number) => String(NOW / 1000 + seconds)

function answer(headers: Record<string, string>, body: unknown = null, model = 'gpt-5.4'): LimitAnswer {
  const bag = new Headers(headers)
  return { status: 429, header: (name) => bag.get(name), body, model, nowMs: NOW }
}

describe('OpenAI', () => {
  test('retry-after limits the model, a spent quota the account (ACC-6)', () => {
    expect(openaiLimit(answer({ 'Retry-After': '20' }))).toEqual({
      untilMs: NOW + 20_000,
      source: 'retry-after',
      family: 'gpt-5.4',
    })
    const quota = { error: { code: 'insufficient_quota' } }
    expect(openaiLimit(answer({ 'retry-after': '20' }, quota))?.family).toBeNull()
  })
  test('retry-after-ms alone is understood (ACC-6)', () => {
    expect(openaiLimit(answer({ 'retry-after-ms': '150' }))?.untilMs).toBe(NOW + 150)
  })
  test('only the window that is used up counts (ACC-6)', () => {
    const headers = {
      'x-ratelimit-remaining-requests': '4999',
      'x-ratelimit-reset-requests': '6m0s',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '19.5s',
    }
    expect(openaiLimit(answer(headers))?.untilMs).toBe(NOW + 19_500)
    expect(openaiLimit(answer({ ...headers, 'x-ratelimit-remaining-tokens': '5' }))).toBeNull()
  })
})

describe('Codex', () => {
  const window = (slot: string, percent: number, minutes: number, reset: number) => ({
    [`x-codex-${slot}-used-percent`]: String(percent),
    [`x-codex-${slot}-window-minutes`]: String(minutes),
    [`x-codex-${slot}-reset-after-seconds`]: String(reset),
  })
  const slots = (headers: Record<string, string>) => {
    const snapshot = codexSnapshot(answer(headers))
    return [snapshot?.fiveHour?.usedPercent ?? null, snapshot?.sevenDay?.usedPercent ?? null]
  }

  test('windows are told by their length, not by their slot (ACC-11)', () => {
    expect(slots({ ...window('primary', 10, 300, 60), ...window('secondary', 20, 10_080, 60) })).toEqual([10, 20])
    expect(slots({ ...window('primary', 10, 10_080, 60), ...window('secondary', 20, 300, 60) })).toEqual([20, 10])
  })
  test('equal windows: secondary is the 5h one; one known: up to 360 minutes is 5h; none known: primary is 7d (ACC-11)', () => {
    expect(slots({ ...window('primary', 10, 300, 60), ...window('secondary', 20, 300, 60) })).toEqual([20, 10])
    expect(slots(window('primary', 10, 360, 60))).toEqual([10, null])
    expect(slots(window('primary', 10, 361, 60))).toEqual([null, 10])
    expect(slots({ 'x-codex-primary-used-percent': '10', 'x-codex-secondary-used-percent': '20' })).toEqual([20, 10])
  })
  test('a full window keeps the account out until its reset, and is kept with absolute times (ACC-11)', () => {
    const snapshot = codexSnapshot(
      answer({ ...window('primary', 100, 300, 60), ...window('secondary', 40, 10_080, 900) }),
    )
    if (!snapshot) throw new Error('no snapshot')
    expect(exhaustedUntil(snapshot, NOW)).toBe(NOW + 60_000)
    expect(exhaustedUntil(snapshot, NOW + 60_000)).toBeNull()
    expect(toExtra(snapshot, 'codex')).toMatchObject({
      codex_primary_used_percent: 100,
      codex_5h_used_percent: 100,
      codex_5h_window_minutes: 300,
      codex_5h_reset_after_seconds: 60,
      codex_5h_reset_at: '2026-09-25T00:01:00.000Z',
      codex_7d_used_percent: 40,
      codex_usage_updated_at: '2026-09-25T00:00:00.000Z',
    })
  })
  test('empty headers are no snapshot (ACC-11)', () => {
    expect(codexSnapshot(answer({ 'x-codex-primary-used-percent': '', 'x-codex-plan-type': 'plus' }))).toBeNull()
  })
  test('the body’s resets_at and resets_in_seconds are understood; the later of body and full window wins (ACC-6)', () => {
    const body = { error: { type: 'usage_limit_reached', resets_in_seconds: 500 } }
    expect(codexLimit(answer({}, body))).toEqual({ untilMs: NOW + 500_000, source: 'resets_at', family: null })
    expect(codexLimit(answer(window('primary', 100, 300, 900), body))?.untilMs).toBe(NOW + 900_000)
    expect(codexLimit(answer({}, { error: { resets_at: NOW / 1000 + 70 } }))?.untilMs).toBe(NOW + 70_000)
  })
})

describe('Anthropic', () => {
  const unified = 'anthropic-ratelimit-unified'
  test('of several windows only the exceeded ones count, the later reset wins (ACC-6)', () => {
    const headers = {
      [`${unified}-status`]: 'rejected',
      [`${unified}-5h-status`]: 'rejected',
      [`${unified}-5h-reset`]: epoch(600),
      [`${unified}-7d-status`]: 'allowed',
      [`${unified}-7d-reset`]: epoch(90_000),
    }
    expect(anthropicLimit(answer(headers))?.untilMs).toBe(NOW + 600_000)
    expect(anthropicLimit(answer({ ...headers, [`${unified}-7d-utilization`]: '1.0' }))?.untilMs).toBe(NOW + 90_000_000)
  })
  test('a limit on the largest models cools that family only (ACC-6)', () => {
    const headers = { [`${unified}-7d_oi-status`]: 'rejected', [`${unified}-7d_oi-reset`]: epoch(600) }
    expect(anthropicLimit(answer(headers, null, 'claude-opus-4-6'))).toEqual({
      untilMs: NOW + 600_000,
      source: `${unified}-7d_oi-reset`,
      family: 'opus',
    })
  })
  test('a short throttle without unified headers goes by retry-after, else by the window that is used up (ACC-6)', () => {
    expect(anthropicLimit(answer({ 'retry-after': '13262' }))?.untilMs).toBe(NOW + 13_262_000)
    const headers = {
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-09-25T00:00:31Z',
      'anthropic-ratelimit-tokens-remaining': '100',
      'anthropic-ratelimit-tokens-reset': '2026-09-25T01:00:00Z',
    }
    expect(anthropicLimit(answer(headers))?.untilMs).toBe(NOW + 31_000)
    expect(anthropicLimit(answer({}))).toBeNull()
  })
  test('the unified windows are shown as percentages (ACC-11)', () => {
    const snapshot = anthropicSnapshot(
      answer({ [`${unified}-5h-utilization`]: '0.4567', [`${unified}-5h-reset`]: epoch(60) }),
    )
    expect(snapshot?.fiveHour).toEqual({ usedPercent: 45.67, resetAtMs: NOW + 60_000, windowMinutes: 300 })
    expect(snapshot?.sevenDay).toBeNull()
  })
})

describe('Gemini', () => {
  const error = (details: unknown[]) => ({ error: { code: 429, status: 'RESOURCE_EXHAUSTED', details } })
  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.07s' }
  test('RetryInfo is read from an object and from an array (ACC-6)', () => {
    expect(geminiLimit(answer({}, error([retry])))?.untilMs).toBe(NOW + 34_070)
    expect(geminiLimit(answer({}, [error([retry])]))?.untilMs).toBe(NOW + 34_070)
  })
  test('a quota per model limits that model only (ACC-6)', () => {
    const quota = { violations: [{ quotaId: 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier' }] }
    expect(geminiLimit(answer({}, error([quota, retry]), 'gemini-2.5-pro'))?.family).toBe('gemini-2.5-pro')
    expect(geminiLimit(answer({}, error([retry])))?.family).toBeNull()
  })
})
