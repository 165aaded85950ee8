/**
 * Slots of accounts counted over all instances (OPS-4, ACC-7): the same `AccountSlots`, each slot a lease beside the local one. Only accounts
 * with a limit cost a trip.
 *
 * An account that turns out to be full although this instance has room is taken out of the pool's choice (`fullElsewhere`), so that nobody
 * asks again and again. It comes back when a slot is given back, here or, told by the bus, elsewhere; in case that was missed (its holder
 * died, Redis was away) it is tried again once a second. Having been full it is asked for one request at a time, and who waits in the queue
 * goes first: nobody who comes later can snatch the slot. An instance that was refused says that it wants one; who gives one back then lets
 * the others go first, or an instance that holds all slots would pass them on to its own queue for ever. If somebody waits here as well, it
 * says so in the same breath: whoever is served next knows it before it gives the slot back, and the instances take turns.
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
  /** Somebody waits for a slot here, of this account or another. */
  anyoneWaits(): boolean
  /** 0: by hand, in tests. */
  recheckEveryMs?: number
  /** How much earlier others may ask for a slot that they wanted. */
  yieldMs?: number | undefined
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
/** Time for the news to arrive and a question to be asked, on a network that is not the fastest. */
const YIELD_MS = 5

export function createSharedAccountSlots(deps: SharedAccountSlotsDeps): SharedAccountSlots {
  const { pool, leases, bus, onFree } = deps
  const asked = new Map<string, Asked>()
  const wantedElsewhere = new Set<string>()
  const everyMs = deps.recheckEveryMs ?? RECHECK_EVERY_MS
  const timer = everyMs > 0 ? setInterval(recheck, everyMs) : null
  timer?.unref()

  function take(entry: PoolEntry): Later<AccountSlot | null> {
    if (!pool.acquire(entry)) return null
    const { id, concurrency } = entry.account
    if (concurrency === 0) return slotOf(entry, null)
    const account = askedOf(id)
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
    bus.say('want', entry.account.id)
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
        const isForOthers = lease !== null && wantedElsewhere.delete(id)
        if (isForOthers) yieldTo(entry)
        // Here too when it has arrived: a question may overtake it (a script that Redis does not know is sent twice).
        if (lease) void lease.release().then(() => (isForOthers ? bus.say('slot', id) : tell(id)))
        if (isForOthers) return
        // On its way to Redis, before any question that follows from here.
        freed(id)
        onFree()
      },
    }
  }

  function tell(id: string): void {
    bus.say('slot', id)
    freed(id)
  }

  /** Nobody here asks for it for a moment. */
  function yieldTo(entry: PoolEntry): void {
    const { id } = entry.account
    askedOf(id).wasFull = true
    pool.setFullElsewhere(entry, true)
    if (deps.anyoneWaits()) bus.say('want', id)
    setTimeout(() => reopen(id), deps.yieldMs ?? YIELD_MS)
  }

  function askedOf(id: string): Asked {
    const account = asked.get(id) ?? { questions: 0, wasFull: false, freed: 0 }
    asked.set(id, account)
    return account
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
    if (account.questions === 0 && !entry?.fullElsewhere) asked.delete(id)
  }

  function recheck(): void {
    for (const id of [...asked.keys()]) reopen(id)
  }

  bus.hear('slot', freed)
  bus.hear('want', (id) => void wantedElsewhere.add(id))
  bus.onGap(recheck)
  return {
    take,
    recheck,
    stop() {
      if (timer) clearInterval(timer)
    },
  }
}
