import { afterEach, describe, expect, test } from 'bun:test'
import { createSpanExporter, type Span, type SpanExporterOptions } from '../../src/lib/span-exporter.ts'

interface Post {
  path: string
  headers: Headers
  body: { resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[] }
}

const servers: Bun.Server<undefined>[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)))
})

/** A collector that answers with these statuses, one after the other, then 200. */
function collector(...statuses: number[]) {
  const posts: Post[] = []
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      posts.push({
        path: new URL(request.url).pathname,
        headers: request.headers,
        body: (await request.json()) as Post['body'],
      })
      return new Response('{}', { status: statuses.shift() ?? 200 })
    },
  })
  servers.push(server)
  const names = () => posts.map(({ body }) => body.resourceSpans[0]!.scopeSpans[0]!.spans.map(({ name }) => name))
  return { endpoint: `http://localhost:${server.port}`, posts, names }
}

const span = (name: string): Span => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: null,
  name,
  kind: 'server',
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_001_000,
  attributes: { text: 'x', whole: 3, part: 0.5, yes: true, none: null },
  failed: false,
})

function exporterTo(endpoint: string, more: Partial<SpanExporterOptions> = {}) {
  const time = { nowMs: 0 }
  const failures: unknown[] = []
  const exporter = createSpanExporter({
    endpoint,
    headers: { 'x-tenant': 'one' },
    resource: { 'service.name': 'turnpike' },
    everyMs: 0,
    nowMs: () => time.nowMs,
    onFailure: (error) => failures.push(error),
    ...more,
  })
  return { exporter, time, failures }
}

describe('a span exporter', () => {
  test('posts OTLP’s JSON: ids in hex, 64-bit numbers as text, values by their type (OPS-7)', async () => {
    const { endpoint, posts } = collector()
    const { exporter } = exporterTo(`${endpoint}/`)
    exporter.add(span('a'))
    exporter.add({ ...span('b'), parentSpanId: 'c'.repeat(16), kind: 'client', failed: true })
    await exporter.flush()
    expect(posts[0]?.path).toBe('/v1/traces')
    expect(posts[0]?.headers.get('x-tenant')).toBe('one')
    expect(posts[0]?.headers.get('content-type')).toBe('application/json')
    const times = { startTimeUnixNano: '1700000000000250000', endTimeUnixNano: '1700000001000000000' }
    const attributes = [
      { key: 'text', value: { stringValue: 'x' } },
      { key: 'whole', value: { intValue: '3' } },
      { key: 'part', value: { doubleValue: 0.5 } },
      { key: 'yes', value: { boolValue: true } },
    ]
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
    expect(posts[0]?.body).toEqual({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'turnpike' } }] },
          scopeSpans: [
            {
              scope: { name: 'turnpike' },
              spans: [
                { ...ids, name: 'a', kind: 2, ...times, attributes, status: {} },
                {
                  ...ids,
                  parentSpanId: 'c'.repeat(16),
                  name: 'b',
                  kind: 3,
                  ...times,
                  attributes,
                  status: { code: 2 },
                },
              ],
            },
          ],
        },
      ],
    } as unknown as Post['body'])
    expect([exporter.sent, exporter.waiting]).toEqual([2, 0])
  })

  test('keeps spans while the collector fails, waits longer each time, and tells once (OPS-7)', async () => {
    const { endpoint, names } = collector(503, 503)
    const { exporter, time, failures } = exporterTo(endpoint)
    exporter.add(span('a'))
    await exporter.flush()
    await exporter.flush()
    expect([names(), exporter.waiting, failures.length]).toEqual([[['a']], 1, 1])
    time.nowMs = 5_000
    await exporter.flush()
    time.nowMs = 14_999
    await exporter.flush()
    expect(names()).toHaveLength(2)
    time.nowMs = 15_000
    exporter.add(span('b'))
    await exporter.flush()
    expect([names()[2], exporter.waiting, exporter.sent, failures.length]).toEqual([['a', 'b'], 0, 2, 1])
  })

  test('never holds more than its bound: what comes beyond is dropped and counted (OPS-7, OPS-11)', async () => {
    const { exporter } = exporterTo('http://localhost:1', { mostWaiting: 3 })
    for (const name of 'abcde') exporter.add(span(name))
    await exporter.flush()
    expect([exporter.waiting, exporter.dropped, exporter.sent]).toEqual([3, 2, 0])
  })

  test('sends full posts without waiting for the timer, and the rest when it stops (OPS-7)', async () => {
    const { endpoint, names } = collector()
    const { exporter } = exporterTo(endpoint, { mostPerPost: 2 })
    for (const name of 'abcde') exporter.add(span(name))
    await exporter.stop()
    expect(names()).toEqual([['a', 'b'], ['c', 'd'], ['e']])
  })

  test('spans that the collector calls wrong are not sent again: the next ones must get through (OPS-7)', async () => {
    const { endpoint, names } = collector(400)
    const { exporter } = exporterTo(endpoint)
    exporter.add(span('a'))
    await exporter.flush()
    exporter.add(span('b'))
    await exporter.flush()
    expect(names()).toEqual([['a'], ['b']])
  })
})
