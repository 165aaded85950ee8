/**
 * An upstream call under its time limits (REL-15) and the client's patience (REL-14): connect, first byte, silence, whole request.
 * If it fails: `answer` resolves with a Failure, never rejects; `timedOut` says which limit it was.
 */
import type { Account } from '../core/entities.ts'
import type { Failure, FailureCause } from '../core/failure.ts'
import { canConnect } from '../lib/can-connect.ts'
import type { Watchdog, Watched } from '../lib/watchdog.ts'
import type { Exchange } from './exchange.ts'
import type { RelaySettings } from './settings.ts'
import { ConnectTimeout, type Upstream, type UpstreamAnswer, type UpstreamRequest } from './upstream.ts'

export type Limit = 'connect' | 'first_byte' | 'idle' | 'request' | 'drain'

export interface TimedCall {
  answer: Promise<UpstreamAnswer | Failure>
  watched: Watched
  abort(reason: string): void
  /** No limit counts any more: the call is over. */
  stop(): void
  /** From now on silence is measured between chunks. */
  streaming(): void
  /** The client left: hang up, or read on for a while, as set globally or for the key (REL-14). */
  clientLeft(): void
  readonly timedOut: Limit | null
  /** It was hung up on because the client had left. */
  readonly hungUp: boolean
}

export interface TimedCallDeps {
  settings: RelaySettings
  upstream: Upstream
  watchdog: Watchdog
}

export function startTimedCall(
  deps: TimedCallDeps,
  exchange: Exchange,
  account: Account,
  request: UpstreamRequest,
): TimedCall {
  const { settings } = deps
  let timedOut: Limit | null = null
  let answered = false
  let draining = false
  let hungUp = false
  const call = deps.upstream.send(request)
  const abort = (limit: Limit) => {
    timedOut ??= limit
    call.abort(limit)
  }
  const watched = deps.watchdog.watch((limit) => {
    if (limit === 'idle') abort(answered ? 'idle' : 'first_byte')
    else {
      hungUp = draining
      abort(draining ? 'drain' : 'request')
    }
  })
  watched.limitIdle(account.firstByteTimeoutMs ?? settings.firstByteTimeoutMs)
  const totalMs = account.requestTimeoutMs ?? settings.requestTimeoutMs
  watched.limitTotal(totalMs === 0 ? 0 : Math.max(1, totalMs - (performance.now() - exchange.startedAt)))
  if (!call.limitsConnect) probeConnection()

  /** fetch does not tell when it has connected: a call without an answer for half the connect time has its address tried from outside. */
  function probeConnection(): void {
    const halfMs = settings.connectTimeoutMs / 2
    let probed = false
    watched.every(halfMs, () => {
      if (answered || probed) return
      probed = true
      void canConnect(request.proxyUrl ?? request.url, halfMs).then((reachable) => {
        if (!reachable && !answered) abort('connect')
      })
    })
  }

  function clientLeft(): void {
    const mode = exchange.policy.key.onClientDisconnect ?? settings.onClientDisconnect
    if (mode === 'abort') {
      hungUp = true
      call.abort('client left')
    } else {
      draining = true
      watched.limitTotal(settings.drainTimeoutMs)
    }
  }

  function causeOf(error: unknown): FailureCause {
    if (hungUp) return 'client_left'
    if (error instanceof ConnectTimeout || timedOut === 'connect') return 'connect_timeout'
    return timedOut === null ? 'connect_error' : 'first_byte_timeout'
  }

  exchange.onClientGone = clientLeft
  return {
    answer: call.answer.then(
      (answer) => {
        answered = true
        watched.every(0, () => undefined)
        return answer
      },
      (error): Failure => ({ cause: causeOf(error), status: null, error: null, told: null }),
    ),
    watched,
    abort: call.abort,
    stop: watched.stop,
    streaming: () => watched.limitIdle(account.streamIdleTimeoutMs ?? settings.streamIdleTimeoutMs),
    clientLeft,
    get timedOut() {
      return timedOut
    },
    get hungUp() {
      return hungUp
    },
  }
}
