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
import { createHttp1Parser, type Http1Sink } from './http1-parser.ts'
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
  onIdleClose(connection: Http1Connection): void
}

export function createConnection(input: ConnectionInput): Http1Connection {
  return new Connection(input)
}

class Connection implements Http1Connection, Http1Sink {
  private readonly socket: WireSocket
  private readonly parser = createHttp1Parser(this)
  private response: ResponseSink | null = null
  private open = true
  private paused = false
  private answered = false
  private head: Http1Head | null = null
  /** What the socket has not taken yet. */
  private unsent: Uint8Array | null = null
  private unsentNext: Uint8Array | null = null

  constructor(private readonly input: ConnectionInput) {
    const { socket, wire } = input
    this.socket = socket
    wire.onData = (bytes) => this.receive(bytes)
    wire.onDrain = () => this.write()
    wire.onClose = (error) => this.closed(error)
  }

  send(method: string, requestHead: string, body: Uint8Array | null, sink: ResponseSink): void {
    this.response = sink
    this.answered = false
    this.head = null
    this.parser.expect(method)
    this.socket.ref()
    const joined = body !== null && body.length <= MOST_JOINED_BYTES
    const first = Buffer.allocUnsafeSlow(requestHead.length + (joined ? body.length : 0))
    first.write(requestHead, 'latin1')
    if (joined) first.set(body, requestHead.length)
    this.unsent = first
    this.unsentNext = joined || body?.length === 0 ? null : body
    this.write()
  }

  pause(): void {
    if (this.paused || !this.open) return
    this.paused = true
    this.socket.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    if (this.open) this.socket.resume()
  }

  destroy(): void {
    if (!this.open) return
    this.open = false
    this.response = null
    this.unsent = this.unsentNext = null
    this.socket.terminate()
  }

  /** `end` of a TLS socket waits for the peer's farewell, for ever if it must (Bun 1.4.5), so that ours is said and the socket closed. */
  hangUp(): void {
    this.open = false
    this.unsent = this.unsentNext = null
    if (this.input.overTls) {
      this.socket.shutdown()
      this.socket.terminate()
    } else this.socket.end()
  }

  unref(): void {
    this.socket.unref()
  }

  /** From the parser, as `onData`. */
  onHead(parsed: Http1Head): void {
    this.head = parsed
    this.response?.onHead(parsed)
  }

  onData(bytes: Uint8Array): void {
    this.response?.onData(bytes)
  }

  private fail(error: Http1Error): void {
    const sink = this.response
    const untouched = !this.answered
    this.destroy()
    sink?.onFail(error, untouched)
  }

  private receive(bytes: Uint8Array): void {
    if (this.response === null) {
      // Nothing was asked: a farewell such as a 408, or a peer out of step. Either way not to be used.
      if (!this.open) return
      this.destroy()
      this.input.onIdleClose(this)
      return
    }
    this.answered = true
    try {
      const used = this.parser.push(bytes)
      if (this.parser.done && this.response !== null) this.complete(used === bytes.length)
    } catch (error) {
      this.fail(error instanceof Http1Error ? error : new Http1Error('protocol', 'response could not be read', error))
    }
  }

  private complete(exact: boolean): void {
    const sink = this.response
    this.response = null
    const reusable = this.open && exact && this.unsent === null && this.head?.reusable === true
    if (!reusable) this.hangUp()
    else this.resume()
    sink?.onEnd(reusable)
  }

  private closed(error: Error | null): void {
    if (!this.open) return
    this.open = false
    const sink = this.response
    this.response = null
    if (sink === null) this.input.onIdleClose(this)
    else if (error === null && this.parser.endsHere()) sink.onEnd(false)
    else
      sink.onFail(new Http1Error('closed', 'the connection closed before the answer was whole', error), !this.answered)
  }

  private write(): void {
    while (this.unsent !== null) {
      const written = this.socket.write(this.unsent)
      if (written < 0) {
        this.fail(new Http1Error('closed', 'the connection closed while the request was sent'))
        return
      }
      if (written < this.unsent.length) {
        this.unsent = this.unsent.subarray(written)
        return
      }
      this.unsent = this.unsentNext
      this.unsentNext = null
    }
  }
}
