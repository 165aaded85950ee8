/** Both transports ask the outbound gate when connecting (OPS-10): the name was fine when it was saved. */
import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { createOutboundGate, OutboundRefused } from '../../src/lib/outbound-gate.ts'
import { createFetchUpstream } from '../../src/relay/fetch-upstream.ts'
import { createSocketUpstream } from '../../src/relay/socket-upstream.ts'
import type { Upstream } from '../../src/relay/upstream.ts'
import { createCertificates } from '../support/certificates.ts'
import { answering, OK, serve, stopServers } from './conformance/harness.ts'

afterEach(stopServers)

const policy = { allowPrivate: false }
/** Every name stands for the test's own machine, which is a private address. */
const gate = createOutboundGate({
  policy,
  nowMs: () => performance.now(),
  lookup: async () => [{ address: '127.0.0.1' }],
})
const connect = ((options: { hostname: string }) =>
  Bun.connect({ ...options, hostname: '127.0.0.1' } as never)) as unknown as typeof Bun.connect
const hello = answering(`${OK}content-length: 2\r\n\r\nhi`)
const certificates = createCertificates()
afterAll(() => certificates?.remove())

const send = (upstream: Upstream, url: string, proxyUrl: string | null = null) =>
  upstream.send({ url, method: 'POST', headers: {}, body: new TextEncoder().encode('{}'), proxyUrl })
const failureOf = (upstream: Upstream, url: string, proxyUrl: string | null = null) =>
  send(upstream, url, proxyUrl).answer.then(
    () => null,
    (error: Error) => error,
  )

describe('a name that leads to a forbidden address', () => {
  test('over fetch: no connection is opened (OPS-10)', async () => {
    let connections = 0
    const server = await serve({ tls: null }, async (peer) => {
      connections++
      await hello(peer)
    })
    const upstream = createFetchUpstream(gate)
    const error = await failureOf(upstream, `http://looks-fine.example:${server.port}/v1`)
    expect(error).toBeInstanceOf(OutboundRefused)
    expect(error?.message).toContain('looks-fine.example points into a private network')
    expect(await failureOf(upstream, server.url)).toBeInstanceOf(OutboundRefused)
    expect(connections).toBe(0)
  })

  for (const [how, tls] of [
    ['', null],
    [' with TLS', certificates],
  ] as const) {
    test.skipIf(how !== '' && tls === null)(`over sockets${how}: nothing is sent there (OPS-10)`, async () => {
      let received = false
      const server = await serve({ tls }, async (peer) => {
        const head = await peer.request().catch(() => null)
        received = head !== null
      })
      const upstream = createSocketUpstream({ connect, ca: certificates?.ca ?? null }, gate)
      const url = `${tls ? 'https' : 'http'}://looks-fine.example:${server.port}/v1`
      const error = await failureOf(upstream, url)
      upstream.close()
      expect(error).toMatchObject({ kind: 'refused', message: expect.stringContaining('into a private network') })
      expect(received).toBe(false)
    })
  }

  test('a proxy that leads there is refused too, and so is an origin that says so itself behind a good proxy (OPS-10)', async () => {
    const open = createOutboundGate({ policy: { allowPrivate: true }, nowMs: () => 0, lookup: async () => [] })
    const metadata = 'http://169.254.169.254/latest/meta-data'
    for (const [strict, lenient] of [
      [createFetchUpstream(gate), createFetchUpstream(open)],
      [createSocketUpstream({ connect }, gate), createSocketUpstream({ connect }, open)],
    ] as const) {
      const server = await serve({ tls: null }, hello)
      const proxy = `http://name:password@proxy.example:${server.port}`
      const error = await failureOf(strict, 'http://api.example/v1', proxy)
      expect(error?.message).toBe(
        'proxy.example points into a private network, which ALLOW_PRIVATE_UPSTREAMS=false forbids',
      )
      const behind = await failureOf(lenient, metadata, `http://127.0.0.1:${server.port}`)
      expect(behind?.message).toContain('169.254.169.254 points to a link-local or cloud metadata address')
    }
  })
})

describe('a redirect', () => {
  test('is not followed, wherever it points (OPS-10)', async () => {
    let asked = 0
    const target = await serve({ tls: null }, async (peer) => {
      asked++
      await hello(peer)
    })
    const moved = `HTTP/1.1 307 Moved\r\nlocation: ${target.url}\r\ncontent-length: 0\r\n\r\n`
    const server = await serve({ tls: null }, answering(moved))
    for (const upstream of [createFetchUpstream(), createSocketUpstream()]) {
      const answer = await send(upstream, server.url).answer
      expect([answer.status, (await answer.body.bytes(100)).length]).toEqual([307, 0])
    }
    expect(asked).toBe(0)
  })
})
