/**
 * An upstream call under its time limits (REL-15) and the client's patience (REL-14): connect, first byte, silence, whole request.
 * If it fails: `answer` rejects, and `endedBy` makes a Failure of it; `timedOut` says which limit it was.
 */
import type { Account } from '../core/entities.ts'
import type { Failure, FailureCause } from '../core/failure.ts'
import { canConnect } from '../lib/can-connect.ts'
import type { Timed, Watchdog, Watched } from '../lib/watchdog.ts'
import type { ClientWatcher, Exchange } from './exchange.ts'
import type { RelaySettings } from './settings.ts'
import {
  ConnectTimeout,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
  type UpstreamRequest,
} from './upstream.ts'

export type Limit = 'connect' | 'first_byte' | 'idle' | 'request' | 'drain'

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
  const call = new TimedCall(deps, exchange, account, deps.upstream.send(request))
  if (!call.limitsConnect) call.probeConnection(request.proxyUrl ?? request.url)
  exchange.clientWatcher = call
  return call
}

export class TimedCall implements ClientWatcher, Timed {
  readonly watched: Watched
  timedOut: Limit | null = null
  /** It was hung up on because the client had left. */
  hungUp = false
  private hasAnswer = false
  private draining = false

  constructor(
    private readonly deps: TimedCallDeps,
    private readonly exchange: Exchange,
    private readonly account: Account,
    private readonly call: UpstreamCall,
  ) {
    const { settings } = deps
    this.watched = deps.watchdog.watch(this)
    this.watched.limitIdle(account.firstByteTimeoutMs ?? settings.firstByteTimeoutMs)
    const totalMs = account.requestTimeoutMs ?? settings.requestTimeoutMs
    this.watched.limitTotal(totalMs === 0 ? 0 : Math.max(1, totalMs - (performance.now() - exchange.startedAt)))
  }

  /** Whoever awaits it says how that ended: `answered` or `endedBy`. */
  get answer(): Promise<UpstreamAnswer> {
    return this.call.answer
  }

  answered(): void {
    this.hasAnswer = true
  }

  /** The call is over; what its failure means. */
  endedBy(error: unknown): Failure {
    this.stop()
    return { cause: this.causeOf(error), status: null, error: null, told: null }
  }

  get limitsConnect(): boolean {
    return this.call.limitsConnect
  }

  abort(reason: string): void {
    this.call.abort(reason)
  }

  /** No limit counts any more: the call is over. */
  stop(): void {
    this.watched.stop()
  }

  /** From now on silence is measured between chunks. */
  streaming(): void {
    this.watched.limitIdle(this.account.streamIdleTimeoutMs ?? this.deps.settings.streamIdleTimeoutMs)
  }

  /** The client left: hang up, or read on for a while, as set globally or for the key (REL-14). */
  clientLeft(): void {
    const { settings } = this.deps
    const mode = this.exchange.policy.key.onClientDisconnect ?? settings.onClientDisconnect
    if (mode === 'abort') {
      this.hungUp = true
      this.call.abort('client left')
    } else {
      this.draining = true
      this.watched.limitTotal(settings.drainTimeoutMs)
    }
  }

  /** fetch does not tell when it has connected: a call without an answer for half the connect time has its address tried from outside. */
  probeConnection(url: string): void {
    const halfMs = this.deps.settings.connectTimeoutMs / 2
    this.watched.every(halfMs, () => {
      this.watched.every(0, () => undefined)
      if (this.hasAnswer) return
      void canConnect(url, halfMs).then((reachable) => {
        if (!reachable && !this.hasAnswer) this.expire('connect')
      })
    })
  }

  fire(limit: 'idle' | 'deadline'): void {
    if (limit === 'idle') this.expire(this.hasAnswer ? 'idle' : 'first_byte')
    else {
      this.hungUp = this.draining
      this.expire(this.draining ? 'drain' : 'request')
    }
  }

  private expire(limit: Limit): void {
    this.timedOut ??= limit
    this.call.abort(limit)
  }

  private causeOf(error: unknown): FailureCause {
    if (this.hungUp) return 'client_left'
    if (error instanceof ConnectTimeout || this.timedOut === 'connect') return 'connect_timeout'
    return this.timedOut === null ? 'connect_error' : 'first_byte_timeout'
  }
}
