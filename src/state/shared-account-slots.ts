/**
 * Slots of accounts counted over all instances (OPS-4, ACC-7): the same `AccountSlots`, each slot a lease beside the local one. Only accounts
 * with a limit cost a trip.
 *
 * An account that turns out to be full although this instance has room is taken out of the pool's choice (`fullElsewhere`), so that nobody
 * asks again and again. It comes back when a slot is given back, here or, told by the bus, elsewhere; in case that was missed (its holder
 * died, Redis was away) it is tried again once a second. Having been full it is asked for one request at a time, and who waits in the queue
 * goes first: nobody who comes later can snatch the slot.
 *
 * If it fails: the leases answer with the local counters (./shared-counters), so that an account is then limited by each instance for itself.
 */
import type { AccountPool } from '../core/account-pool.ts'
import type { PoolEntry } from '../core/pool-entry.ts'
import { andThen, type Later } from '../lib/later.ts'
import type { AccountSlot, AccountSlots, AccountSlotsDeps } from './account-slots.ts'
import type { Bus } from './bus.ts'
import type { Lease, Leases } from './leases.ts'

export interface SharedAccountSlotsDeps extends AccountSlotsDeps {
  pool: Pick<AccountPool, 'acquire' | 'release' | 'get' | 'setFullElsewhere'>
  leases: Leases
  bus: Bus
  /** 0: by hand, in tests. */
  recheckEveryMs?: number
}

export interface SharedAccountSlots extends AccountSlots {
  /** Tries what was full once more. */
  recheck(): void
  stop(): void
}

/** An account that is being asked for, or was full when it was. */
interface Asked {
  questions: number
  wasFull: boolean
  /** Slots given back, as far as was heard: an answer "full" may be older than the news. */
  freed: number
}

const RECHECK_EVERY_MS = 1000

export function createSharedAccountSlots(deps: SharedAccountSlotsDeps): SharedAccountSlots {
  const { pool, leases, bus, onFree } = deps
  const asked = new Map<string, Asked>()
  const everyMs = deps.recheckEveryMs ?? RECHECK_EVERY_MS
  const timer = everyMs > 0 ? setInterval(recheck, everyMs) : null
  timer?.unref()

  function take(entry: PoolEntry): Later<AccountSlot | null> {
    if (!pool.acquire(entry)) return null
    const { id, concurrency } = entry.account
    if (concurrency === 0) return slotOf(entry, null)
    const account = asked.get(id) ?? { questions: 0, wasFull: false, freed: 0 }
    asked.set(id, account)
    const { freed } = account
    account.questions++
    if (account.wasFull) pool.setFullElsewhere(entry, true)
    return andThen(leases.take(id, concurrency), (lease) => {
      account.questions--
      return lease === null ? refused(entry, account, freed) : granted(entry, account, lease)
    })
  }

  function granted(entry: PoolEntry, account: Asked, lease: Lease): AccountSlot {
    const { wasFull } = account
    account.wasFull = false
    pool.setFullElsewhere(entry, false)
    if (account.questions === 0) asked.delete(entry.account.id)
    // There may be room for the next in the queue as well.
    if (wasFull) onFree()
    return slotOf(entry, lease)
  }

  function refused(entry: PoolEntry, account: Asked, freedBefore: number): null {
    account.wasFull = true
    pool.setFullElsewhere(entry, true)
    pool.release(entry)
    // Given back while the answer was on its way. After the caller has joined the queue:
    if (account.freed !== freedBefore) setImmediate(() => reopen(entry.account.id))
    return null
  }

  function slotOf(entry: PoolEntry, lease: Lease | null): AccountSlot {
    let isHeld = true
    return {
      release() {
        if (!isHeld) return
        isHeld = false
        pool.release(entry)
        const { id } = entry.account
        // On its way to Redis before any question that follows from here; the others are told when it has arrived.
        if (lease) void lease.release().then(() => bus.say('slot', id))
        freed(id)
        onFree()
      },
    }
  }

  function freed(id: string): void {
    const account = asked.get(id)
    if (!account) return
    account.freed++
    reopen(id)
  }

  /** Lets one request ask again, unless one is asking just now. */
  function reopen(id: string): void {
    const account = asked.get(id)
    if (!account?.wasFull || account.questions > 0) return
    const entry = pool.get(id)
    if (entry) pool.setFullElsewhere(entry, false)
    onFree()
    // Nobody waits for it: the next that comes asks as if nothing had been.
    if (account.questions === 0) asked.delete(id)
  }

  function recheck(): void {
    for (const id of [...asked.keys()]) reopen(id)
  }

  bus.hear('slot', freed)
  bus.onGap(recheck)
  return {
    take,
    recheck,
    stop() {
      if (timer) clearInterval(timer)
    },
  }
}
