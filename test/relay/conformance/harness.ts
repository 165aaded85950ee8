/** What every part of the conformance suite uses: servers that are stopped afterwards, requests, and what came of them. */
import type { Upstream, UpstreamCall } from '../../../src/relay/upstream.ts'
import { type Peer, type RawServer, startRawServer } from '../../support/raw-server.ts'

/** One transport under test, on one kind of way to the upstream. */
export interface Suite {
  name: string
  upstream: Upstream
  /** Set when the upstream is spoken to over TLS. */
  tls: { key: string; cert: string } | null
  proxyUrl: string | null
  /** A test, unless the transport is known to do otherwise. */
  it(title: string, run: () => Promise<void>): void
}

export const OK = 'HTTP/1.1 200 OK\r\n'
export const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`

let servers: RawServer[] = []

export async function serve(
  { tls }: Pick<Suite, 'tls'>,
  script: (peer: Peer) => Promise<void>,
  host?: string,
): Promise<RawServer> {
  const server = await startRawServer(script, { tls, host })
  servers.push(server)
  return server
}

export async function stopServers(): Promise<void> {
  const all = servers
  servers = []
  await Promise.all(all.map((server) => server.stop()))
}

/** Answers every request of a connection with the same bytes. */
export const answering = (response: string) => async (peer: Peer) => {
  for (;;) {
    await peer.request()
    await peer.write(Buffer.from(response, 'latin1'))
  }
}

/** Writes once, then leaves the connection open until it is closed from the other side. */
export const holding =
  (response: string, written: () => void = () => undefined) =>
  async (peer: Peer) => {
    await peer.request()
    if (response !== '') await peer.write(response)
    written()
    await peer.closed
  }

export interface Sent {
  url: string
  body?: string | Uint8Array | null
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
}

export function send({ upstream, proxyUrl }: Suite, sent: Sent): UpstreamCall {
  const { url, body = '{}', method = 'POST', headers = {} } = sent
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return upstream.send({ url, method, headers, body: bytes, proxyUrl })
}

export interface Outcome {
  status: number | null
  body: string
  /** `end` is a clean end; anything else is the error. */
  how: string
}

/** Reads an answer to whatever end it has. */
export async function outcomeOf(call: UpstreamCall): Promise<Outcome> {
  let status: number | null = null
  let body = ''
  try {
    const answer = await call.answer
    status = answer.status
    await answer.body.pipe((chunk) => {
      body += Buffer.from(chunk).toString('latin1')
      return undefined
    })
    return { status, body, how: 'end' }
  } catch (error) {
    return { status, body, how: String(error) }
  }
}

/** What a promise rejects with, or 'resolved'. (`expect().rejects` blocks the event loop of Bun's tests while it waits.) */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error) => error,
  )

/** Resolves when a count has not moved while a hundred round trips to another server were made: time enough for what can move. */
export async function stalled(count: () => number): Promise<void> {
  const echo = await startRawServer(async (peer) => {
    for (let bytes = await peer.read(); bytes !== null; bytes = await peer.read()) await peer.write(bytes)
  })
  try {
    let arrived: () => void = () => undefined
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: echo.port,
      socket: { data: () => arrived(), open: () => undefined },
    })
    for (let last = -1; last !== count(); ) {
      last = count()
      for (let trip = 0; trip < 100; trip++) {
        await new Promise<void>((resolve) => {
          arrived = resolve
          socket.write('.')
        })
      }
    }
    socket.end()
  } finally {
    await echo.stop()
  }
}
