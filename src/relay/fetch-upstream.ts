/**
 * The transport over Bun's `fetch`: keep-alive pool, TLS and HTTP(S) proxies are the runtime's.
 *
 * Bun 1.4.5 as measured: `timeout: false`, or fetch gives up after 300 s of silence; only `abort` closes the socket for certain
 * (`reader.cancel()` may leave it open); an unread body leaks, so every body is either read to its end or aborted.
 * If it fails: `answer` rejects, or `pipe`/`bytes` do; nothing is retried here.
 */
import type { OutboundGate, OutboundRefused } from '../lib/outbound-gate.ts'
import {
  BodyTooLarge,
  collect,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamBody,
  type UpstreamRequest,
} from './upstream.ts'

/** `gate`: asked where a request may go (OPS-10); null: anywhere. */
export function createFetchUpstream(gate: OutboundGate | null = null): Upstream {
  return {
    send(request) {
      const controller = new AbortController()
      const refused = gate === null ? null : checkTarget(gate, request)
      const answer = refused === null ? start(request, controller) : startUnlessRefused(refused, request, controller)
      return { answer, limitsConnect: false, abort: (reason) => controller.abort(new Error(reason)) }
    },
  }
}

/** Through a proxy it is the proxy that is connected to, and that finds the origin. */
function checkTarget(gate: OutboundGate, { url, proxyUrl }: UpstreamRequest) {
  if (proxyUrl === null) return gate.check(url)
  return gate.checkText(url) ?? gate.check(proxyUrl)
}

async function startUnlessRefused(
  refused: OutboundRefused | Promise<OutboundRefused | null>,
  request: UpstreamRequest,
  controller: AbortController,
): Promise<UpstreamAnswer> {
  const found = await refused
  if (found) throw found
  return start(request, controller)
}

async function start(request: UpstreamRequest, controller: AbortController): Promise<UpstreamAnswer> {
  const response = await fetch(request.url, {
    method: request.method,
    headers: request.headers,
    body: request.body as Uint8Array<ArrayBuffer> | null,
    signal: controller.signal,
    redirect: 'manual',
    timeout: false,
    ...(request.proxyUrl ? { proxy: request.proxyUrl } : {}),
  } as BunFetchRequestInit)
  return { status: response.status, headers: response.headers, body: bodyOf(response, controller) }
}

function bodyOf(response: Response, controller: AbortController): UpstreamBody {
  return {
    async pipe(onChunk) {
      if (!response.body) return
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        const wait = onChunk(value)
        if (wait) await wait
      }
    },
    async bytes(most) {
      // The length of a compressed body says nothing about what it unpacks to.
      const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity'
      const declared = encoded ? Number.NaN : Number(response.headers.get('content-length') ?? Number.NaN)
      // The common case: a length that fits, taken in one piece by the runtime.
      if (declared <= most) return response.bytes()
      if (declared > most) {
        controller.abort(new BodyTooLarge())
        throw new BodyTooLarge(`upstream body of ${declared} bytes`)
      }
      try {
        return await collect(this, most)
      } catch (error) {
        if (error instanceof BodyTooLarge) controller.abort(error)
        throw error
      }
    },
  }
}
