import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { renderPrometheus } from '../../src/lib/prometheus-text.ts'
import {
  createRequestMetrics,
  MOST_PRICED_MODELS,
  MOST_UNPRICED_MODELS,
  type RequestMetrics,
} from '../../src/state/request-metrics.ts'
import { makeReceipt, type ReceiptParts } from '../support/receipts.ts'

const priceOf = (model: string) => ({ model }) as Receipt['priceUsed']
const priced = (model: string, parts: ReceiptParts = {}) => makeReceipt({ priceUsed: priceOf(model), ...parts })
const attempt = (reason: string | null) => ({
  accountId: 'a',
  status: 200,
  durationMs: 1,
  reason,
  upstreamRequestId: null,
  usage: null,
})

/** The value of one line of `/metrics`; null: there is none. */
function lineOf(metrics: RequestMetrics, series: string): string | null {
  const line = renderPrometheus(metrics.families())
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
  return line === undefined ? null : line.slice(series.length + 1)
}

const modelsIn = (metrics: RequestMetrics) =>
  new Set(metrics.families().flatMap(({ samples }) => samples.flatMap(({ labels }) => labels?.model ?? [])))

describe('request metrics', () => {
  test('count each receipt once, by platform, model and how it ended (OPS-7)', () => {
    const metrics = createRequestMetrics()
    for (const status of ['completed', 'completed', 'failed', 'cancelled'] as const)
      metrics.note(priced('gpt-5', { status }))
    metrics.note(priced('claude', { platform: 'anthropic' }))
    const requests = (labels: string) => lineOf(metrics, `turnpike_requests_total{${labels}}`)
    expect(requests('platform="openai",model="gpt-5",status="completed"')).toBe('2')
    expect(requests('platform="openai",model="gpt-5",status="failed"')).toBe('1')
    expect(requests('platform="openai",model="gpt-5",status="cancelled"')).toBe('1')
    expect(requests('platform="anthropic",model="claude",status="completed"')).toBe('1')
  })

  test('token kinds do not overlap, and money is exact however often it is added (OPS-7, BIL-1)', () => {
    const metrics = createRequestMetrics()
    const usage = { input: 1, output: 2, cacheRead: 4, cacheWrite5m: 8, cacheWrite1h: 16, reasoning: 2 }
    for (let i = 0; i < 3; i++)
      metrics.note(priced('m', { usage, costNano: 100_000_000n, chargedNano: 9_007_199_254_740_993n }))
    const of = (name: string, more: string) => lineOf(metrics, `turnpike_${name}{platform="openai",model="m"${more}}`)
    const kinds = ['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h']
    expect(kinds.map((kind) => of('tokens_total', `,kind="${kind}"`))).toEqual(['3', '6', '12', '24', '48'])
    expect(of('reasoning_tokens_total', '')).toBe('6')
    expect(of('cost_usd_total', ',kind="list"')).toBe('0.3')
    expect(of('cost_usd_total', ',kind="upstream"')).toBe('0.3')
    expect(of('cost_usd_total', ',kind="charged"')).toBe('27021597.764222979')
  })

  test('unpriced requests are counted (BIL-3)', () => {
    const metrics = createRequestMetrics()
    for (const isPriced of [true, false, false]) metrics.note(makeReceipt({ upstreamModel: 'local', priced: isPriced }))
    expect(lineOf(metrics, 'turnpike_unpriced_requests_total{platform="openai",model="local"}')).toBe('2')
  })

  test('durations, first tokens, failovers and failures by reason are counted by platform (OPS-7)', () => {
    const metrics = createRequestMetrics()
    const attempts = [attempt('rate_limited'), attempt('connect_error'), attempt(null)]
    metrics.note(priced('m', { attempts, durationMs: 1200, firstTokenMs: 300 }))
    metrics.note(priced('m', { status: 'cancelled', httpStatus: 499, durationMs: 90_000, firstTokenMs: null }))
    const of = (name: string, labels: string) => lineOf(metrics, `turnpike_${name}{platform="openai"${labels}}`)
    expect(of('failovers_total', '')).toBe('2')
    expect(of('upstream_failures_total', ',reason="rate_limited"')).toBe('1')
    expect(of('responses_total', ',code="499"')).toBe('1')
    expect(of('request_duration_seconds_bucket', ',status="completed",le="1"')).toBe('0')
    expect(of('request_duration_seconds_bucket', ',status="completed",le="2.5"')).toBe('1')
    expect(of('request_duration_seconds_sum', ',status="cancelled"')).toBe('90')
    expect(of('first_token_seconds_count', '')).toBe('1')
    expect(of('first_token_seconds_bucket', ',le="0.5"')).toBe('1')
  })
})

describe('the label sets stay bounded (OPS-7)', () => {
  test('whatever names clients send: names that nobody has served or priced are "other" (OPS-7, OPS-11)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', minLength: 1 }), { minLength: 150, maxLength: 300 }),
        (names) => {
          const metrics = createRequestMetrics()
          for (const name of names) {
            metrics.note(makeReceipt({ model: name, upstreamModel: name, status: 'failed', priced: false }))
            metrics.note(makeReceipt({ model: name, upstreamModel: null, status: 'cancelled', priced: true }))
          }
          expect([...modelsIn(metrics)]).toEqual(['other'])
        },
      ),
      { numRuns: 20 },
    )
  })

  test('also when an upstream serves any name: the first hundred are told apart (OPS-7)', () => {
    const metrics = createRequestMetrics()
    for (let i = 0; i < 5000; i++) metrics.note(makeReceipt({ model: `m${i}`, upstreamModel: `m${i}`, priced: false }))
    const models = modelsIn(metrics)
    expect(models.size).toBe(MOST_UNPRICED_MODELS + 1)
    expect([models.has('m0'), models.has('m99'), models.has('m100')]).toEqual([true, true, false])
    metrics.note(makeReceipt({ model: 'x'.repeat(100_000), upstreamModel: 'x'.repeat(100_000), priced: false }))
    expect(modelsIn(metrics).size).toBe(models.size)
  })

  test('priced models go by the row of the price table, and have a bound of their own (OPS-7)', () => {
    const metrics = createRequestMetrics()
    for (let i = 0; i < 1000; i++)
      metrics.note(priced('gpt-5', { model: `openai/gpt-5@${i}`, upstreamModel: `gpt-5-${i}` }))
    expect([...modelsIn(metrics)]).toEqual(['gpt-5'])
    for (const { model } of builtInPrices()) metrics.note(priced(model))
    expect(modelsIn(metrics).size).toBeLessThanOrEqual(MOST_PRICED_MODELS + 1)
  })

  test('a request that was refused before it named a model is "none" (OPS-7)', () => {
    const metrics = createRequestMetrics()
    metrics.note(makeReceipt({ model: '', upstreamModel: null, status: 'failed' }))
    expect([...modelsIn(metrics)]).toEqual(['none'])
  })
})
