/**
 * One open connection that carries one HTTP/1.1 request after the other: writes what the socket takes and the rest as it drains, feeds what
 * comes to the parser, and knows whether it may be used again. It never is after anything irregular: bytes beyond the response, an answer
 * before the request was out, framing that can be read in two ways.
 *
 * Over TLS the runtime does not say whether the peer took its leave before it closed (Bun 1.4.5, `fetch` neither), so that a body without a
 * length can be cut there unnoticed; over TCP only a FIN ends it, an RST breaks it.
 *
 * If it fails: `onFail` of the response under way, once, and the connection is closed; an idle one only tells `onIdleClose`.
 */
import { Http1Error } from './http1-error.ts'
import type { Http1Head } from './http1-head.ts'
import { createHttp1Parser } from './http1-parser.ts'
import type { Wire, WireSocket } from './http1-wire.ts'

export interface ResponseSink {
  onHead(head: Http1Head): void
  /** A view that is valid for as long as it is referenced; the connection does not touch its memory again. */
  onData(bytes: Uint8Array): void
  /** Clean end. The connection is idle when `reusable`, else closed. */
  onEnd(reusable: boolean): void
  /** `untouched`: closed by the peer without a single byte of a response. */
  onFail(error: Http1Error, untouched: boolean): void
}

export interface Http1Connection {
  /** `head`: latin-1 text, with the empty line that ends it. */
  send(method: string, head: string, body: Uint8Array | null, sink: ResponseSink): void
  pause(): void
  resume(): void
  /** Closes at once, in whatever state; nothing is called afterwards. */
  destroy(): void
  /** For one that idles: says goodbye and closes. */
  hangUp(): void
  /** Idle connections do not keep the process alive; `send` takes it back. */
  unref(): void
}

/** Up to here head and body go out in one write: a copy of 32 kB costs less than a second system call (about 5 µs). */
const MOST_JOINED_BYTES = 32_768

export interface ConnectionInput {
  socket: WireSocket
  wire: Wire
  overTls: boolean
  onIdleClose(): void
}

export function createConnection({ socket, wire, overTls, onIdleClose }: ConnectionInput): Http1Connection {
  let response: ResponseSink | null = null
  let open = true
  let paused = false
  let answered = false
  let head: Http1Head | null = null
  /** What the socket has not taken yet. */
  let unsent: Uint8Array | null = null
  let unsentNext: Uint8Array | null = null
  const parser = createHttp1Parser({
    onHead(parsed) {
      head = parsed
      response?.onHead(parsed)
    },
    onData: (bytes) => response?.onData(bytes),
  })

  function destroy(): void {
    if (!open) return
    open = false
    response = null
    unsent = unsentNext = null
    socket.terminate()
  }

  /** `end` of a TLS socket waits for the peer's farewell, for ever if it must (Bun 1.4.5), so that ours is said and the socket closed. */
  function hangUp(): void {
    open = false
    unsent = unsentNext = null
    if (overTls) {
      socket.shutdown()
      socket.terminate()
    } else socket.end()
  }

  function fail(error: Http1Error): void {
    const sink = response
    const untouched = !answered
    destroy()
    sink?.onFail(error, untouched)
  }

  function receive(bytes: Uint8Array): void {
    if (response === null) {
      // Nothing was asked: a farewell such as a 408, or a peer out of step. Either way not to be used.
      if (!open) return
      destroy()
      onIdleClose()
      return
    }
    answered = true
    try {
      const used = parser.push(bytes)
      if (parser.done && response !== null) complete(used === bytes.length)
    } catch (error) {
      fail(error instanceof Http1Error ? error : new Http1Error('protocol', 'response could not be read', error))
    }
  }

  function complete(exact: boolean): void {
    const sink = response
    response = null
    const reusable = open && exact && unsent === null && head?.reusable === true
    if (!reusable) hangUp()
    else resume()
    sink?.onEnd(reusable)
  }

  function closed(error: Error | null): void {
    if (!open) return
    open = false
    const sink = response
    response = null
    if (sink === null) onIdleClose()
    else if (error === null && parser.endsHere()) sink.onEnd(false)
    else sink.onFail(new Http1Error('closed', 'the connection closed before the answer was whole', error), !answered)
  }

  function write(): void {
    while (unsent !== null) {
      const written = socket.write(unsent)
      if (written < 0) {
        fail(new Http1Error('closed', 'the connection closed while the request was sent'))
        return
      }
      if (written < unsent.length) {
        unsent = unsent.subarray(written)
        return
      }
      unsent = unsentNext
      unsentNext = null
    }
  }

  function resume(): void {
    if (!paused) return
    paused = false
    if (open) socket.resume()
  }

  wire.onData = receive
  wire.onDrain = write
  wire.onClose = closed

  return {
    send(method, requestHead, body, sink) {
      response = sink
      answered = false
      head = null
      parser.expect(method)
      socket.ref()
      const joined = body !== null && body.length <= MOST_JOINED_BYTES
      const first = Buffer.allocUnsafeSlow(requestHead.length + (joined ? body.length : 0))
      first.write(requestHead, 'latin1')
      if (joined) first.set(body, requestHead.length)
      unsent = first
      unsentNext = joined || body?.length === 0 ? null : body
      write()
    },
    pause() {
      if (paused || !open) return
      paused = true
      socket.pause()
    },
    resume,
    destroy,
    hangUp,
    unref: () => socket.unref(),
  }
}
