/**
 * An HTTP/1.1 client over sockets of our own: connections kept alive by origin, request bodies in memory, answers pushed as they come.
 *
 * Why not `fetch`: Bun runs it on a thread of its own, which costs every relayed event one more wake-up (an eventfd write, an epoll and a
 * context switch), and it allows 256 requests at a time unless the environment said otherwise before the start.
 *
 * A request is sent a second time in one case only: the connection had idled, and the peer closed it without one byte of an answer, soon
 * after the request went out. That is the race of a keep-alive time-out with a request, and nobody has worked on it (RFC 9112, 9.3.1).
 * "Soon", because a peer that closes after a minute of silence may have worked for a minute, and a POST must not be paid for twice.
 *
 * If it fails: `onFail`, once, with an `Http1Error`; the connection is closed. Nothing is called after `abort`, `onEnd` or `onFail`.
 */
import { type CallDeps, type CallSink, type Http1Call, startCall } from './http1-call.ts'
import { createConnection, type Http1Connection } from './http1-connection.ts'
import { type Dialling, dial } from './http1-dial.ts'
import { Http1Error } from './http1-error.ts'
import type { Http1Head } from './http1-head.ts'
import { createPool, type Pool } from './http1-pool.ts'
import { type Http1Request, type Http1Route, routeOf } from './http1-request.ts'
import { createLru } from './lru.ts'

export interface Http1Client {
  send(request: Http1Request, sink: CallSink): Http1Call
  /** Lets go of connections that idled too long, and of attempts to connect that took too long. Called by the client's own timer. */
  sweep(): void
  /** For connections that are opened from now on. */
  limitConnect(timeoutMs: number): void
  /** Closes idle connections and the timer; calls under way go on. */
  close(): void
  readonly idleConnections: number
  readonly activeCalls: number
}

export interface Http1ClientOptions {
  /** DNS, TCP, proxy and TLS together. */
  connectTimeoutMs: number
  idleMs: number
  mostIdlePerOrigin: number
  mostActivePerOrigin: number
  /** How soon a reused connection must close to count as stale. */
  staleWithinMs: number
  /** PEM, in place of the runtime's CAs. */
  ca: string | null
  nowMs: () => number
  /** 0: no timer, the owner calls `sweep`. */
  sweepEveryMs: number
  connect: typeof Bun.connect
  /** May this address be spoken to (`./outbound-gate.ts`)? Null: any. */
  refuseAddress: ((address: string, host: string) => Error | null) | null
}

const HTTP1_CLIENT_DEFAULTS: Http1ClientOptions = {
  connectTimeoutMs: 10_000,
  // Below the 60 s of common load balancers. Servers that keep less (Node and uvicorn 5 s) close it themselves, which is seen at once.
  idleMs: 55_000,
  mostIdlePerOrigin: 128,
  mostActivePerOrigin: Number.POSITIVE_INFINITY,
  staleWithinMs: 2_000,
  ca: null,
  nowMs: () => performance.now(),
  sweepEveryMs: 250,
  connect: Bun.connect,
  refuseAddress: null,
}

/** A peer that says how long it keeps idle connections is left this long before its word, for the way there. */
const KEEP_ALIVE_MARGIN_MS = 1_000

/** A gateway calls few URLs again and again; taking one apart costs 2 µs. */
const MOST_ROUTES = 256

interface ConnectLimit {
  deadlineMs: number
  expire(): void
}

/** A function of its own, so that a connection does not hold on to how it was opened. */
function forgetIn(pool: Pool<Http1Connection>, key: string): (connection: Http1Connection) => void {
  return (connection) => pool.remove(key, connection)
}

export function createHttp1Client(given: Partial<Http1ClientOptions> = {}): Http1Client {
  const options = { ...HTTP1_CLIENT_DEFAULTS, ...given }
  const limits = new Set<ConnectLimit>()
  const routes = createLru<string, Http1Route>(MOST_ROUTES)
  const pool = createPool<Http1Connection>({
    mostIdlePerOrigin: options.mostIdlePerOrigin,
    mostActivePerOrigin: options.mostActivePerOrigin,
    close: (connection) => connection.hangUp(),
  })
  const timer = options.sweepEveryMs > 0 ? setInterval(sweep, options.sweepEveryMs) : null
  timer?.unref()

  function sweep(): void {
    const nowMs = options.nowMs()
    pool.sweep(nowMs)
    for (const limit of limits) if (nowMs >= limit.deadlineMs) limit.expire()
  }

  function connect(route: Http1Route, on: Parameters<CallDeps['connect']>[1]): Dialling {
    const { target } = route
    const attempt = dial(target, options, {
      onReady(socket, wire) {
        limits.delete(limit)
        const overTls = target.secure || target.tunnel !== null
        on.ready(createConnection({ socket, wire, overTls, onIdleClose: forgetIn(pool, target.key) }))
      },
      onFailed(error) {
        limits.delete(limit)
        on.failed(error)
      },
    })
    function cancel(): void {
      limits.delete(limit)
      attempt.cancel()
    }
    const limit: ConnectLimit = {
      deadlineMs: options.nowMs() + options.connectTimeoutMs,
      expire() {
        cancel()
        on.failed(new Http1Error('timeout', `no connection to ${target.host} in ${options.connectTimeoutMs} ms`))
      },
    }
    limits.add(limit)
    return { cancel }
  }

  function keep(route: Http1Route, connection: Http1Connection, head: Http1Head | null): void {
    const peerMs = head?.keepAliveMs ?? null
    const idleMs = peerMs === null ? options.idleMs : Math.min(options.idleMs, peerMs - KEEP_ALIVE_MARGIN_MS)
    connection.unref()
    if (idleMs > 0) pool.put(route.target.key, connection, options.nowMs() + idleMs)
    else connection.hangUp()
  }

  function routeTo(url: string, proxyUrl: string | null): Http1Route {
    const key = proxyUrl === null ? url : `${url} ${proxyUrl}`
    const known = routes.get(key)
    if (known) return known
    const route = routeOf(url, proxyUrl)
    routes.set(key, route)
    return route
  }

  const { nowMs, staleWithinMs } = options
  const deps: CallDeps = { pool, routeTo, nowMs, staleWithinMs, connect, keep }
  return {
    send: (request, sink) => startCall(deps, request, sink),
    sweep,
    limitConnect(timeoutMs) {
      options.connectTimeoutMs = timeoutMs
    },
    close() {
      if (timer) clearInterval(timer)
      pool.sweep(Number.POSITIVE_INFINITY)
    },
    get idleConnections() {
      return pool.idle
    },
    get activeCalls() {
      return pool.active
    },
  }
}
