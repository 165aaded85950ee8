/** What there is only so much of: memory for request bodies, the accounts' slots and the queue before them, and who sits where (sessions). */
import type { AccountPool } from '../core/account-pool.ts'
import { type ByteBudget, createByteBudget } from '../lib/byte-budget.ts'
import { systemClock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { createWaitQueue, scheduleTimeout, type WaitQueue } from '../lib/wait-queue.ts'
import type { Counters } from '../state/counters.ts'
import { openSharing, type Sharing } from '../state/open-sharing.ts'
import type { Ground } from './ground.ts'

export interface OpenedCapacity extends Pick<Sharing, 'slots' | 'sticky'> {
  bodies: ByteBudget
  queue: WaitQueue
}

/** How long a large request waits for room for its body (OPS-11). */
const BODY_PATIENCE_MS = 2000

export async function openCapacity(
  { config, log, stack }: Ground,
  pool: AccountPool,
  counters: Counters,
): Promise<OpenedCapacity> {
  const bodies = createByteBudget({
    mostBytes: config.maxBodyMemoryBytes,
    patienceMs: BODY_PATIENCE_MS,
    schedule: scheduleTimeout,
  })
  const queue = createWaitQueue({ most: config.queueSize, schedule: scheduleTimeout })
  const { nowMs } = systemClock
  const { slots, sticky, joined } = await stack.use(
    'shared slots and sessions',
    () =>
      openSharing({
        redisUrl: config.redisUrl,
        pool,
        counters,
        nowMs,
        newId: () => newId(nowMs()),
        onFree: queue.offer,
        anyoneWaits: () => queue.size > 0,
        onConnectionError: (error) => log.debug('redis', { error }),
      }),
    (opened) => opened.stop(),
  )
  // What others hold and where their sessions sit is known before the first request (OPS-4).
  await joined
  return { bodies, queue, slots, sticky }
}
