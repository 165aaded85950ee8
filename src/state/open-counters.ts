/**
 * The counters of this instance: in its memory, or shared through Redis when there is one (OPS-3, OPS-4). What the rest of the house gets is
 * the same either way.
 *
 * If it fails: nothing here rejects; with Redis away the counters open all the same, in the mode that was chosen for that (OPS-5).
 */
import type { Counters } from './counters.ts'
import { createMemoryCounters } from './memory-counters.ts'
import { createRedisClient, whenReached } from './redis-client.ts'
import { createRedisCounters, LEASE_MS } from './redis-counters.ts'
import { createSharedCounters, type SharedMode } from './shared-counters.ts'

export interface OpenCounters {
  counters: Counters
  /** For health and metrics (OPS-5). `memory`: there is no Redis to be away. */
  readonly mode: SharedMode | 'memory'
  /** What to do while Redis is away; nothing where there is none. */
  setRedisDown(redisDown: 'local' | 'refuse'): void
  /** Resolves when what is counted is shared with the others, or Redis seems to be away: to be awaited before the first request (OPS-4). */
  joined: Promise<void>
  stop(): void
}

export interface OpenCountersOptions {
  /** Null: this process is alone. */
  redisUrl: string | null
  redisDown: 'local' | 'refuse'
  /** How long Redis may take to answer before it counts as away. */
  timeoutMs?: number
  /** How long what a killed instance held is kept for it. */
  leaseMs?: number
  nowMs(): number
  onModeChange(mode: SharedMode, error: unknown): void
  /** Errors of the connection itself: many and alike while Redis is away. */
  onConnectionError(error: Error): void
  /** The connection is new: Redis may have restarted, forgotten, or gone back to what it knew a while ago. */
  onConnected(): void
}

export function openCounters(options: OpenCountersOptions): OpenCounters {
  const { nowMs, redisUrl, leaseMs = LEASE_MS } = options
  const createLocal = () => createMemoryCounters({ nowMs })
  if (redisUrl === null) {
    return { counters: createLocal(), mode: 'memory', joined: Promise.resolve(), setRedisDown() {}, stop() {} }
  }
  const { timeoutMs: commandTimeoutMs, onConnectionError: onError } = options
  const client = createRedisClient({ url: redisUrl, onError, ...(commandTimeoutMs && { commandTimeoutMs }) })
  const shared = createSharedCounters({
    shared: createRedisCounters({ client, leaseMs }),
    createLocal,
    whenDown: options.redisDown,
    nowMs,
    renewEveryMs: leaseMs / 3,
    onModeChange: options.onModeChange,
  })
  client.on('ready', () => {
    options.onConnected()
    void shared.connected()
  })
  return {
    counters: shared,
    get mode() {
      return shared.mode
    },
    setRedisDown: shared.setWhenDown,
    joined: whenReached(client),
    stop() {
      shared.stop()
      client.disconnect()
    },
  }
}
