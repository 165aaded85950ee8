/** Metrics and traces of a running gateway (OPS-7, OPS-8): what a Prometheus and an OpenTelemetry collector see of real requests. */
import { afterAll, describe, expect, test } from 'bun:test'
import { CHAT, streamOf } from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { answer, beginStream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: { key: string; value: Record<string, unknown> }[]
}

const spans: OtlpSpan[] = []
const collected: string[] = []
const collector = Bun.serve({
  port: 0,
  async fetch(request) {
    const text = await request.text()
    collected.push(`${request.headers.get('x-tenant')} ${text}`)
    spans.push(...JSON.parse(text).resourceSpans[0].scopeSpans[0].spans)
    return new Response('{}')
  },
})
afterAll(() => collector.stop(true))

const { gateway, scene, record } = useGateway({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${collector.port}`,
  OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=team%20one',
})

const scrape = async () => (await fetch(`${gateway().url}/metrics`)).text()
/** The value of one series; 0 when it is not there yet. */
const valueIn = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1) ?? 0,
  )

async function oneFailover() {
  const made = await scene({
    accounts: [
      { path: '/first', priority: 1 },
      { path: '/second', priority: 2 },
    ],
    script: (request, reply) =>
      request.target.startsWith('/first')
        ? answer(reply, 500, '{"error":{"message":"down"}}')
        : answer(reply, 200, CHAT.body),
  })
  return made
}

describe('/metrics', () => {
  test('is Prometheus text, needs no token by default, and is never cached (OPS-7)', async () => {
    const response = await fetch(`${gateway().url}/metrics`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const lines = (await response.text()).trimEnd().split('\n')
    const shape = /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (?:[-+]?[\d.e-]+|[+-]Inf|NaN))$/
    expect(lines.filter((line) => !shape.test(line))).toEqual([])
    for (const name of [
      'event_loop_delay_seconds',
      'requests_in_flight',
      'requests_queued',
      'usage_backlog',
      'flush_lag_seconds',
      'degraded',
    ]) {
      expect([name, lines.some((line) => line.startsWith(`turnpike_${name}`))]).toEqual([name, true])
    }
  })

  test('counts a request with its tokens, cost, failover and cooldown the moment that it has ended (OPS-7)', async () => {
    const before = await scrape()
    const { send } = await oneFailover()
    expect((await send(CHAT.wholePath, CHAT.wholeRequest)).status).toBe(200)
    const after = await scrape()
    const grown = (series: string) => valueIn(after, series) - valueIn(before, series)
    const model = 'platform="openai",model="gpt-5-mini"'
    expect(grown(`turnpike_requests_total{${model},status="completed"}`)).toBe(1)
    expect(grown(`turnpike_tokens_total{${model},kind="output"}`)).toBe(7)
    expect(grown(`turnpike_tokens_total{${model},kind="cache_read"}`)).toBe(8)
    expect(grown(`turnpike_cost_usd_total{${model},kind="list"}`)).toBeGreaterThan(0)
    expect(grown('turnpike_failovers_total{platform="openai"}')).toBe(1)
    expect(grown('turnpike_upstream_failures_total{platform="openai",reason="server_error"}')).toBe(1)
    expect(grown('turnpike_request_duration_seconds_count{platform="openai",status="completed"}')).toBe(1)
  })

  test('shows what runs now, and what was turned away for its key (OPS-7, KEY-14)', async () => {
    let begin = (): (() => void) | null => null
    const { send } = await scene({
      script: (_, reply) => {
        begin = () => {
          beginStream(reply)
          void reply.write(streamOf(CHAT).join(''))
          return () => reply.end()
        }
      },
    })
    const answering = send(CHAT.path, CHAT.request)
    const hasBody = async () => valueIn(await scrape(), 'turnpike_request_body_bytes') === CHAT.request.length
    await until(hasBody, { what: 'the body' })
    expect(valueIn(await scrape(), 'turnpike_requests_in_flight')).toBe(1)
    const finish = await until(() => begin(), { what: 'the request at the provider' })
    const response = await answering
    // Once a stream has begun its request's body is of no more use.
    expect(valueIn(await scrape(), 'turnpike_requests_in_flight')).toBe(1)
    expect(valueIn(await scrape(), 'turnpike_request_body_bytes')).toBe(0)
    finish()
    await response.text()
    await until(async () => valueIn(await scrape(), 'turnpike_requests_in_flight') === 0, { what: 'none in flight' })
    expect(valueIn(await scrape(), 'turnpike_request_body_bytes')).toBe(0)
    await fetch(`${gateway().url}/v1/chat/completions`, { method: 'POST', body: '{}' })
    const headers = { authorization: 'Bearer tp_wrong' }
    await fetch(`${gateway().url}/v1/chat/completions`, { method: 'POST', body: '{}', headers })
    // Wherever it is tried.
    for (const path of ['/v1/models', '/v1/models/gpt-5', '/v1/key']) await fetch(gateway().url + path, { headers })
    await fetch(`${gateway().url}/admin/users`, { headers })
    const text = await scrape()
    expect(valueIn(text, 'turnpike_refused_keys_total{code="missing_api_key"}')).toBe(1)
    expect(valueIn(text, 'turnpike_refused_keys_total{code="invalid_api_key"}')).toBe(4)
    expect(valueIn(text, 'turnpike_wrong_keys_total')).toBe(4)
    expect(valueIn(text, 'turnpike_slowed_keys_total')).toBe(0)
    expect(valueIn(text, 'turnpike_lost_requests_total')).toBe(0)
    expect(valueIn(text, 'turnpike_adopted_records_total')).toBe(0)
    expect(valueIn(text, 'turnpike_refused_admin_tokens_total')).toBe(1)
  })

  test('counts unpriced requests, by the upstream’s name of the model (BIL-3, OPS-7)', async () => {
    const { send } = await scene({
      accounts: [{ model_mapping: { local: 'llama-at-home' } }],
      script: (_, reply) => answer(reply, 200, CHAT.body.replaceAll('gpt-5-mini', 'llama-at-home')),
    })
    expect((await send(CHAT.wholePath, CHAT.wholeRequest.replace('gpt-5-mini', 'local'))).status).toBe(200)
    const series = 'turnpike_unpriced_requests_total{platform="openai",model="llama-at-home"}'
    expect(valueIn(await scrape(), series)).toBe(1)
  })
})

describe('traces', () => {
  test('a request is a span, each try one below it, under the caller’s; nothing of that goes upstream (OPS-7, REL-4)', async () => {
    const { send, upstream } = await oneFailover()
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=1', baggage: 'user=ann' }
    const response = await send(CHAT.wholePath, CHAT.wholeRequest, { headers })
    const { id } = await record(response)
    const found = await until(
      () => {
        const mine = spans.filter((span) => span.traceId === traceId)
        return mine.length === 3 && mine
      },
      { what: 'three spans', withinMs: 20_000 },
    )
    const [root, first, second] = found as [OtlpSpan, OtlpSpan, OtlpSpan]
    const of = ({ attributes }: OtlpSpan, key: string) =>
      Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0]
    expect([root.kind, root.parentSpanId, of(root, 'turnpike.request_id')]).toEqual([2, 'b7ad6b7169203331', id])
    expect(of(root, 'gen_ai.usage.output_tokens')).toBe('7')
    expect([first.parentSpanId, second.parentSpanId]).toEqual([root.spanId, root.spanId])
    expect([of(first, 'error.type'), of(second, 'error.type')]).toEqual(['server_error', undefined])
    for (const span of [first, second]) {
      expect(BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano))
      expect(BigInt(span.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano))
    }
    expect(collected[0]).toStartWith('team one ')
    for (const { raw } of upstream.requests) expect(raw).not.toMatch(/traceparent|tracestate|baggage/i)
  })

  test('a caller that records nothing is not recorded (OPS-7)', async () => {
    const { send } = await oneFailover()
    const traceId = '1'.repeat(32)
    await send(CHAT.wholePath, CHAT.wholeRequest, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-00` } })
    const later = await send(CHAT.wholePath, CHAT.wholeRequest)
    const laterTrace = later.headers.get('x-turnpike-request-id')?.replaceAll('-', '')
    await until(() => spans.some((span) => span.traceId === laterTrace), { what: 'a later span', withinMs: 20_000 })
    expect(spans.some((span) => span.traceId === traceId)).toBe(false)
  })
})
