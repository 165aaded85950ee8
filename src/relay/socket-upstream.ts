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
import type { HeaderList } from '../lib/header-list.ts'
import type { CallSink, Http1Call } from '../lib/http1-call.ts'
import { createHttp1Client, type Http1Client, type Http1ClientOptions } from '../lib/http1-client.ts'
import type { Http1Error } from '../lib/http1-error.ts'
import type { Http1Head } from '../lib/http1-head.ts'
import type { OutboundGate } from '../lib/outbound-gate.ts'
import { type OnChunk, type Pipe, PushedBody, type PushedSource } from '../lib/pushed-body.ts'
import { createFetchUpstream } from './fetch-upstream.ts'
import {
  BodyTooLarge,
  ConnectTimeout,
  collect,
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
      return refused ? refusedCall(refused) : new SocketCall(client, request)
    },
    limitConnect: client.limitConnect,
    close: client.close,
  }
}

function refusedCall(error: Error): UpstreamCall {
  return { answer: Promise.reject(error), limitsConnect: true, abort: () => undefined }
}

/** One object for a call: what the caller holds, what the client tells its news, and the body that passes between them. */
class SocketCall implements UpstreamCall, CallSink, UpstreamBody, PushedSource {
  readonly limitsConnect = true
  readonly answer: Promise<UpstreamAnswer>
  private readonly answered = Promise.withResolvers<UpstreamAnswer>()
  private readonly pushed = new PushedBody(this)
  private readonly call: Http1Call
  private declared = Number.NaN
  private decoded: Pipe | null = null

  constructor(client: Http1Client, request: UpstreamRequest) {
    this.answer = this.answered.promise
    this.call = client.send(withDefaults(request), this)
  }

  abort(reason: string): void {
    const error = new Error(reason)
    this.call.abort()
    this.answered.reject(error)
    this.pushed.abort(error)
  }

  pause(): void {
    this.call.pause()
  }

  resume(): void {
    this.call.resume()
  }

  hangUp(): void {
    this.call.abort()
  }

  onHead({ status, headers }: Http1Head): void {
    const encoding = headers.get('content-encoding')
    if (encoding !== null) this.decodeFrom(encoding, headers)
    const declared = headers.get('content-length')
    if (declared !== null) this.declared = Number(declared)
    this.answered.resolve({ status, headers, body: this })
  }

  private decodeFrom(encoding: string, headers: HeaderList): void {
    this.decoded = decodedPipe((onChunk) => this.pushed.pipe(onChunk), encoding)
    if (this.decoded === null) return
    headers.delete('content-encoding')
    headers.delete('content-length')
  }

  onData(chunk: Uint8Array): void {
    this.pushed.push(chunk)
  }

  onEnd(): void {
    this.pushed.end()
  }

  onFail(error: Http1Error): void {
    this.answered.reject(toUpstreamError(error))
    this.pushed.fail(error)
  }

  pipe(onChunk: OnChunk): Promise<void> {
    return this.decoded === null ? this.pushed.pipe(onChunk) : this.pipeDecoded(this.decoded, onChunk)
  }

  private async pipeDecoded(decoded: Pipe, onChunk: OnChunk): Promise<void> {
    try {
      await decoded(onChunk)
    } catch (error) {
      this.call.abort()
      throw error
    }
  }

  bytes(most: number): Promise<Uint8Array> {
    if (this.declared > most) {
      this.call.abort()
      return Promise.reject(new BodyTooLarge(`upstream body of ${this.declared} bytes`))
    }
    return collect(this, most)
  }
}

/** What `fetch` would send of its own; and not asking for an encoding is not the same as asking for none. Relayed requests have both. */
function withDefaults(request: UpstreamRequest): UpstreamRequest {
  const { headers } = request
  if (headers['accept-encoding'] !== undefined && headers['user-agent'] !== undefined) return request
  return { ...request, headers: { 'accept-encoding': 'identity', 'user-agent': 'turnpike', ...headers } }
}

function toUpstreamError(error: Http1Error): Error {
  return error.kind === 'timeout' ? new ConnectTimeout(error.message) : error
}
