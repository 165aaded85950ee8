/**
 * One request from start to end: a place at its origin, a connection (idle or new), the request, at most one second try when the idle
 * connection turns out to be stale, the answer, and the connection's return. What may be tried again, and why, stands in http1-client.ts.
 */
import type { Http1Connection } from './http1-connection.ts'
import type { Dialling } from './http1-dial.ts'
import { Http1Error } from './http1-error.ts'
import type { Http1Head } from './http1-head.ts'
import type { Pool } from './http1-pool.ts'
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
  let head: Uint8Array
  try {
    route = deps.routeTo(request.url, request.proxyUrl)
    head = requestHead(request, route)
  } catch (error) {
    return failedCall(error, sink)
  }
  const { pool } = deps
  const { key } = route.target
  let state: 'waiting' | 'running' | 'over' = 'waiting'
  let dialling: Dialling | null = null
  let connection: Http1Connection | null = null

  function finish(): void {
    if (state === 'running') pool.leave(key)
    state = 'over'
    dialling = null
    connection = null
  }

  function fail(error: Http1Error): void {
    finish()
    sink.onFail(error)
  }

  function connectAndSend(): void {
    dialling = deps.connect(route, { ready: (fresh) => sendOn(fresh, false), failed: fail })
  }

  function sendOn(used: Http1Connection, reused: boolean): void {
    const sentAtMs = deps.nowMs()
    let answer: Http1Head | null = null
    dialling = null
    connection = used
    used.send(request.method, head, request.body, {
      onHead(parsed) {
        answer = parsed
        sink.onHead(parsed)
      },
      onData: sink.onData,
      onEnd(reusable) {
        if (reusable) deps.keep(route, used, answer)
        finish()
        sink.onEnd()
      },
      onFail(error, untouched) {
        connection = null
        const soon = deps.nowMs() - sentAtMs <= deps.staleWithinMs
        if (reused && untouched && soon && error.kind === 'closed') connectAndSend()
        else fail(error)
      },
    })
  }

  pool.enter(key, () => {
    if (state === 'over') {
      pool.leave(key)
      return
    }
    state = 'running'
    const idle = pool.take(key, deps.nowMs())
    if (idle) sendOn(idle, true)
    else connectAndSend()
  })

  return {
    pause: () => connection?.pause(),
    resume: () => connection?.resume(),
    abort() {
      dialling?.cancel()
      connection?.destroy()
      finish()
    },
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
