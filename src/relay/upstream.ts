/**
 * The upstream transport as the relay sees it: one small interface, so that `fetch` (src/relay/fetch-upstream.ts) and a socket of our own
 * are interchangeable and the relay never knows which it has. Push, not pull: the consumer says "wait" by returning a promise.
 */
import type { HeaderReader } from '../lib/header-list.ts'

export interface UpstreamRequest {
  url: string
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body: Uint8Array | null
  proxyUrl: string | null
}

export interface UpstreamAnswer {
  status: number
  headers: HeaderReader
  body: UpstreamBody
}

export interface UpstreamBody {
  /**
   * Hands every chunk to `onChunk` as it arrives and resolves at a clean end. A promise returned by `onChunk` is awaited before the
   * next chunk is read (backpressure). A chunk belongs to the consumer: nobody writes to its memory any more. Rejects when the upstream breaks or `abort` was called.
   */
  pipe(onChunk: (chunk: Uint8Array) => Promise<unknown> | undefined): Promise<void>
  /** The whole body; rejects with a BodyTooLarge past `most` bytes. */
  bytes(most: number): Promise<Uint8Array>
}

export interface UpstreamCall {
  /** Rejects when nobody answered, with a ConnectTimeout if that was why, or with an error of the reason that `abort` was given. */
  answer: Promise<UpstreamAnswer>
  /** Does the transport itself give up when connecting takes too long? If not, somebody must look after it. */
  limitsConnect: boolean
  /** Closes the connection, whatever state it is in. May be called at any time, more than once. */
  abort(reason: string): void
}

export interface Upstream {
  send(request: UpstreamRequest): UpstreamCall
  /** A transport that limits connecting itself: the limit from now on. */
  limitConnect?(timeoutMs: number): void
}

export class BodyTooLarge extends Error {}
export class ConnectTimeout extends Error {}

/** The whole of a body that does not say its length; a BodyTooLarge past `most` bytes ends the pipe. */
export async function collect(body: UpstreamBody, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  await body.pipe((chunk) => {
    size += chunk.length
    if (size > most) throw new BodyTooLarge(`upstream body over ${most} bytes`)
    chunks.push(chunk)
    return undefined
  })
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
}
