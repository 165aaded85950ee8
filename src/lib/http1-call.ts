/**
 * One request from start to end: a place at its origin, a connection (idle or new), the request, at most one second try when the idle
 * connection turns out to be stale, the answer, and the connection's return. What may be tried again, and why, stands in http1-client.ts.
 */
import type { Http1Connection, ResponseSink } from './http1-connection.ts'
import type { Dialling } from './http1-dial.ts'
import { Http1Error } from './http1-error.ts'
import type { Http1Head } from './http1-head.ts'
import type { Entrant, Pool } from './http1-pool.ts'
import { type Http1Request, type Http1Route, requestHead } from './http1-request.ts'

export interface CallSink {
  onHead(head: Http1Head): void
  /** The bytes belong to the receiver; a buffer that is kept keeps what came with it in the same read (at most 512 kB). */
  onData(bytes: Uint8Array): void
  onEnd(): void
  onFail(error: Http1Error): void
}

export interface Http1Call {
  /** No more is read from the socket; what was read already may still come. */
  pause(): void
  resume(): void
  /** Closes the connection at once. No call of the sink comes after it. */
  abort(): void
}

export interface CallDeps {
  pool: Pool<Http1Connection>
  /** `routeOf`, remembered. */
  routeTo(url: string, proxyUrl: string | null): Http1Route
  nowMs(): number
  staleWithinMs: number
  connect(
    route: Http1Route,
    on: { ready(connection: Http1Connection): void; failed(error: Http1Error): void },
  ): Dialling
  /** Takes back a connection that is fit for another request. */
  keep(route: Http1Route, connection: Http1Connection, head: Http1Head | null): void
}

export function startCall(deps: CallDeps, request: Http1Request, sink: CallSink): Http1Call {
  let route: Http1Route
  let head: string
  try {
    route = deps.routeTo(request.url, request.proxyUrl)
    head = requestHead(request, route)
  } catch (error) {
    return failedCall(error, sink)
  }
  const call = new ClientCall(deps, { route, method: request.method, head }, request.body, sink)
  deps.pool.enter(route.target.key, call)
  return call
}

/** What is asked, ready to be written. */
interface Asked {
  route: Http1Route
  method: string
  head: string
}

class ClientCall implements Http1Call, ResponseSink, Entrant {
  private state: 'waiting' | 'running' | 'over' = 'waiting'
  private dialling: Dialling | null = null
  private connection: Http1Connection | null = null
  /** Of the connection that was used last: did it idle before, when was it written to, and what has it answered? */
  private reused = false
  private sentAtMs = 0
  private answer: Http1Head | null = null
  private body: Uint8Array | null

  constructor(
    private readonly deps: CallDeps,
    private readonly asked: Asked,
    body: Uint8Array | null,
    private readonly sink: CallSink,
  ) {
    this.body = body
  }

  /** Its place at the origin is free. */
  start(): void {
    const { pool, nowMs } = this.deps
    const { key } = this.asked.route.target
    if (this.state === 'over') {
      pool.leave(key)
      return
    }
    this.state = 'running'
    const idle = pool.take(key, nowMs())
    if (idle) this.sendOn(idle, true)
    else this.connectAndSend()
  }

  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  abort(): void {
    this.dialling?.cancel()
    this.connection?.destroy()
    this.finish()
  }

  onHead(head: Http1Head): void {
    this.answer = head
    // Answered, it is not sent a second time.
    this.body = null
    this.sink.onHead(head)
  }

  onData(bytes: Uint8Array): void {
    this.sink.onData(bytes)
  }

  onEnd(reusable: boolean): void {
    if (reusable && this.connection) this.deps.keep(this.asked.route, this.connection, this.answer)
    this.finish()
    this.sink.onEnd()
  }

  onFail(error: Http1Error, untouched: boolean): void {
    this.connection = null
    const soon = this.deps.nowMs() - this.sentAtMs <= this.deps.staleWithinMs
    if (this.reused && untouched && soon && error.kind === 'closed') this.connectAndSend()
    else this.fail(error)
  }

  private connectAndSend(): void {
    this.dialling = this.deps.connect(this.asked.route, {
      ready: (fresh) => this.sendOn(fresh, false),
      failed: (error) => this.fail(error),
    })
  }

  private sendOn(connection: Http1Connection, reused: boolean): void {
    this.dialling = null
    this.connection = connection
    this.reused = reused
    this.sentAtMs = this.deps.nowMs()
    this.answer = null
    const { method, head } = this.asked
    connection.send(method, head, this.body, this)
  }

  private fail(error: Http1Error): void {
    this.finish()
    this.sink.onFail(error)
  }

  private finish(): void {
    if (this.state === 'running') this.deps.pool.leave(this.asked.route.target.key)
    this.state = 'over'
    this.dialling = null
    this.connection = null
  }
}

/** What cannot be sent fails as everything else does: afterwards. */
function failedCall(error: unknown, sink: CallSink): Http1Call {
  let aborted = false
  queueMicrotask(() => {
    if (!aborted) sink.onFail(error instanceof Http1Error ? error : new Http1Error('request', 'it cannot be sent'))
  })
  return {
    pause: () => undefined,
    resume: () => undefined,
    abort() {
      aborted = true
    },
  }
}
