/** What is done to the running relay from outside of any request: settings change, the door closes, what is under way is counted and ended. */
import type { Config } from '../config.ts'
import type { OutboundPolicy } from '../lib/outbound-guard.ts'
import type { WaitQueue } from '../lib/wait-queue.ts'
import type { Exchange } from '../relay/exchange.ts'
import type { RelaySettings } from '../relay/settings.ts'
import type { Upstream } from '../relay/upstream.ts'
import type { OpenedLimits } from './open-limits.ts'
import { toRelaySettings } from './relay-settings.ts'

export interface RelayControl {
  /** Takes new run-time settings; requests under way keep what they have read. */
  configure(config: Config): void
  /** Refuses new requests from now on. */
  close(): void
  readonly isClosed: boolean
  /** Requests that are not settled yet. */
  liveCount(): number
  /** Ends every request under way as if its client had left. */
  abortAll(): void
}

export interface RelayControlInput {
  /** Both are read by the relay where they lie, and changed there. */
  settings: RelaySettings
  outbound: OutboundPolicy
  live: ReadonlySet<Exchange>
  queue: Pick<WaitQueue, 'resize'>
  upstream: Pick<Upstream, 'limitConnect'>
  counters: Pick<OpenedLimits['counters'], 'setRedisDown'>
  enableStatistics(enabled: boolean): void
}

export function createRelayControl(input: RelayControlInput): RelayControl {
  const { settings, outbound, live } = input
  let closed = false
  return {
    configure(config) {
      Object.assign(settings, toRelaySettings(config))
      input.queue.resize(config.queueSize)
      input.upstream.limitConnect?.(settings.connectTimeoutMs)
      input.counters.setRedisDown(config.redisDown)
      input.enableStatistics(config.statisticsEnabled)
      outbound.allowPrivate = config.allowPrivateUpstreams
    },
    close() {
      closed = true
    },
    get isClosed() {
      return closed
    },
    liveCount: () => live.size,
    abortAll() {
      settings.onClientDisconnect = 'abort'
      for (const exchange of live) {
        exchange.clientGone = true
        exchange.clientWatcher?.clientLeft()
      }
    },
  }
}
