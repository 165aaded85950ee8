/**
 * What instances share about accounts beside the limits: their slots and the sessions bound to them (OPS-4). In the memory of this process, or
 * through Redis when there is one; what the rest of the house gets is the same either way.
 *
 * If it fails: nothing here rejects; with Redis away each instance goes on by itself and joins again when it is back (OPS-5).
 */
import type { AccountPool } from '../core/account-pool.ts'
import { type AccountSlots, createAccountSlots } from './account-slots.ts'
import type { Counters } from './counters.ts'
import { createLeases } from './leases.ts'
import { createRedisBus } from './redis-bus.ts'
import { createRedisClient, whenReached } from './redis-client.ts'
import { createSharedAccountSlots } from './shared-account-slots.ts'
import { createSharedSticky } from './shared-sticky.ts'
import { createSticky, type Sticky } from './sticky.ts'

export interface Sharing {
  slots: AccountSlots
  sticky: Sticky
  /** Resolves when sessions are shared with the others, or Redis seems to be away (OPS-4). */
  joined: Promise<void>
  stop(): void
}

export interface SharingOptions {
  /** Null: this process is alone. */
  redisUrl: string | null
  pool: AccountPool
  /** Those behind the limits: they outlive Redis' absence, and so do the slots that are counted with them. */
  counters: Counters
  nowMs(): number
  newId(): string
  /** A slot came free, here or elsewhere. */
  onFree(): void
  /** Somebody waits for a slot in this process. */
  anyoneWaits(): boolean
  onConnectionError(error: Error): void
}

export function openSharing(options: SharingOptions): Sharing {
  const { redisUrl, pool, counters, nowMs, newId, onFree, anyoneWaits, onConnectionError: onError } = options
  if (redisUrl === null) {
    const alone = { slots: createAccountSlots({ pool, onFree }), sticky: createSticky({ nowMs }) }
    return { ...alone, joined: Promise.resolve(), stop() {} }
  }
  const client = createRedisClient({ url: redisUrl, onError })
  const subscriber = createRedisClient({ url: redisUrl, onError })
  const bus = createRedisBus({ commands: client, subscriber, instanceId: newId() })
  const slots = createSharedAccountSlots({ pool, onFree, anyoneWaits, bus, leases: createLeases({ counters, newId }) })
  return {
    slots,
    sticky: createSharedSticky({ client, bus, nowMs }),
    joined: Promise.all([whenReached(client), whenReached(subscriber)]).then(() => undefined),
    stop() {
      slots.stop()
      subscriber.disconnect()
      client.disconnect()
    },
  }
}
