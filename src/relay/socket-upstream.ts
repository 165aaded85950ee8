/**
 * The transport over sockets of our own (src/lib/http1-client.ts): per relayed event one read, no second thread, no promise.
 * The default; UPSTREAM_TRANSPORT=fetch takes the other. What it does differently from `fetch` stands in test/relay/upstream-conformance.test.ts.
 *
 * Answers compressed against our asking are decoded, as `fetch` does it, and the headers that speak of the compressed bytes taken off.
 * A request for https through an https proxy goes over `fetch`: the runtime has no TLS inside TLS for sockets.
 *
 * If it fails: `answer` rejects, or `pipe`/`bytes` do. Only a stale idle connection is tried again.
 */
import { decodedPipe } from '../lib/decode-pipe.ts'
import type { Http1Call } from '../lib/http1-call.ts'
import { createHttp1Client, type Http1Client, type Http1ClientOptions } from '../lib/http1-client.ts'
import type { Http1Error } from '../lib/http1-error.ts'
import type { Http1Head } from '../lib/http1-head.ts'
import type { OutboundGate } from '../lib/outbound-gate.ts'
import { createPushedBody, type Pipe, type PushedBody } from '../lib/pushed-body.ts'
import { createFetchUpstream } from './fetch-upstream.ts'
import {
  BodyTooLarge,
  ConnectTimeout,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamBody,
  type UpstreamCall,
  type UpstreamRequest,
} from './upstream.ts'

export interface SocketUpstream extends Required<Upstream> {
  /** Closes idle connections; calls under way go on. */
  close(): void
}

/** `gate`: asked where a request may go (OPS-10); null: anywhere. */
export function createSocketUpstream(
  options: Partial<Http1ClientOptions> = {},
  gate: OutboundGate | null = null,
): SocketUpstream {
  const client = createHttp1Client({ refuseAddress: gate?.refuseAddress ?? null, ...options })
  const fallback = createFetchUpstream(gate)
  return {
    send(request) {
      const { url, proxyUrl } = request
      if (url.startsWith('https:') && proxyUrl?.startsWith('https:')) return fallback.send(request)
      // What is connected to is looked at then; what a proxy will connect to can only be read.
      const refused = proxyUrl === null ? null : (gate?.checkText(url) ?? null)
      return refused ? refusedCall(refused) : send(client, request)
    },
    limitConnect: client.limitConnect,
    close: client.close,
  }
}

function refusedCall(error: Error): UpstreamCall {
  return { answer: Promise.reject(error), limitsConnect: true, abort: () => undefined }
}

function send(client: Http1Client, request: UpstreamRequest): UpstreamCall {
  const answer = Promise.withResolvers<UpstreamAnswer>()
  const body = createPushedBody({
    pause: () => call.pause(),
    resume: () => call.resume(),
    abort: () => call.abort(),
  })
  const call: Http1Call = client.send(withDefaults(request), {
    onHead: (head) => answer.resolve(toAnswer(head, body, call)),
    onData: body.push,
    onEnd: body.end,
    onFail(error) {
      answer.reject(toUpstreamError(error))
      body.fail(error)
    },
  })
  return {
    answer: answer.promise,
    limitsConnect: true,
    abort(reason) {
      const error = new Error(reason)
      call.abort()
      answer.reject(error)
      body.abort(error)
    },
  }
}

/** What `fetch` would send of its own; and not asking for an encoding is not the same as asking for none. Relayed requests have both. */
function withDefaults(request: UpstreamRequest): UpstreamRequest {
  const { headers } = request
  if (headers['accept-encoding'] !== undefined && headers['user-agent'] !== undefined) return request
  return { ...request, headers: { 'accept-encoding': 'identity', 'user-agent': 'turnpike', ...headers } }
}

function toAnswer(head: Http1Head, body: PushedBody, call: Http1Call): UpstreamAnswer {
  const { headers } = head
  const decoded = decodedPipe(body.pipe, headers.get('content-encoding'))
  if (decoded !== null) {
    headers.delete('content-encoding')
    headers.delete('content-length')
  }
  const declared = Number(headers.get('content-length') ?? Number.NaN)
  const pipe: Pipe =
    decoded === null
      ? body.pipe
      : (onChunk) =>
          decoded(onChunk).catch((error) => {
            call.abort()
            throw error
          })
  return { status: head.status, headers, body: toBody(pipe, declared, call) }
}

function toBody(pipe: Pipe, declared: number, call: Http1Call): UpstreamBody {
  return {
    pipe,
    async bytes(most) {
      if (declared > most) {
        call.abort()
        throw new BodyTooLarge(`upstream body of ${declared} bytes`)
      }
      const chunks: Uint8Array[] = []
      let size = 0
      await pipe((chunk) => {
        size += chunk.length
        if (size > most) throw new BodyTooLarge(`upstream body over ${most} bytes`)
        chunks.push(chunk)
        return undefined
      })
      return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
    },
  }
}

function toUpstreamError(error: Http1Error): Error {
  return error.kind === 'timeout' ? new ConnectTimeout(error.message) : error
}
