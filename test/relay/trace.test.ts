import { describe, expect, test } from 'bun:test'
import { PROVIDERS } from '../../src/providers/table.ts'
import type { Exchange } from '../../src/relay/exchange.ts'
import { toSpans } from '../../src/relay/trace.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'

function spansOf(traceparent: string | null, parts: Parameters<typeof makeReceipt>[0] = {}) {
  const headers = new Headers(traceparent === null ? {} : { traceparent })
  const exchange = {
    call: { request: { method: 'POST', headers }, operation: { id: 'chat_completions' } },
    startedAt: 1000,
    attemptStartedAt: [1005, 1240],
  } as unknown as Exchange
  let spans = 0
  return toSpans(makeReceipt(parts), exchange, () => String(++spans).padStart(16, '0'))
}

const attempt = (reason: string | null, durationMs: number) => ({
  accountId: 'account-1',
  status: reason === null ? 200 : 429,
  durationMs,
  reason,
  upstreamRequestId: 'req_up',
  usage: null,
})

describe('a request as spans', () => {
  test('is one span, and one below it for each try, in their own times (OPS-7)', () => {
    const attempts = [attempt('rate_limited', 30), attempt(null, 80)]
    const [root, first, second] = spansOf(null, {
      attempts,
      durationMs: 1200,
      usage: { input: 3, cacheRead: 4, output: 5 },
    })
    expect(root).toMatchObject({ kind: 'server', parentSpanId: null, startMs: NOON, endMs: NOON + 1200, failed: false })
    expect(root?.attributes).toMatchObject({
      'gen_ai.request.model': 'gpt-5',
      'gen_ai.usage.input_tokens': 7,
      'gen_ai.usage.output_tokens': 5,
      'http.response.status_code': 200,
    })
    expect(first).toMatchObject({ kind: 'client', startMs: NOON + 5, endMs: NOON + 35, failed: true })
    expect(second).toMatchObject({ startMs: NOON + 240, endMs: NOON + 1200, failed: false })
    expect([first?.parentSpanId, second?.parentSpanId]).toEqual([root!.spanId, root!.spanId])
    expect(new Set([root, first, second].map((span) => span?.spanId)).size).toBe(3)
  })

  test('has the request id’s digits for a trace id, or the caller’s trace and span above it (OPS-7)', () => {
    const id = '0192a0b0-0000-7000-8000-00000000abcd'
    expect(spansOf(null, { id })[0]?.traceId).toBe('0192a0b0000070008000' + '00000000abcd')
    const [root] = spansOf(`00-${TRACE}-${CALLER}-01`)
    expect(root).toMatchObject({ traceId: TRACE, parentSpanId: CALLER })
    expect(spansOf('00-nonsense-01', { id })[0]).toMatchObject({ parentSpanId: null })
  })

  test('is not told when the caller’s trace is not recorded (OPS-7)', () => {
    expect(spansOf(`00-${TRACE}-${CALLER}-00`)).toEqual([])
  })

  test('tells nothing that a person or an upstream wrote (OPS-7, OPS-8)', () => {
    const text = JSON.stringify(
      spansOf(null, {
        errorMessage: 'key sk-hunter2 of ann@example.com is bad',
        userAgent: 'hunter2/1',
        clientIp: '10.9.8.7',
      }),
    )
    for (const secret of ['hunter2', 'ann@example.com', '10.9.8.7']) expect(text).not.toContain(secret)
  })

  test('a caller’s trace headers are not among those that any provider is sent (OPS-7, REL-4)', () => {
    for (const { id, forwardHeaders, forwardPrefixes } of PROVIDERS) {
      for (const name of ['traceparent', 'tracestate', 'baggage', 'b3']) {
        const forwarded = forwardHeaders.has(name) || forwardPrefixes.some((prefix) => name.startsWith(prefix))
        expect([id, name, forwarded]).toEqual([id, name, false])
      }
    }
  })
})
