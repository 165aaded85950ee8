/**
 * Requests at a time on an account (ACC-7): who takes a slot gives it back exactly once. One interface, two implementations that pass one
 * test: here the slots of one process, at once and without a trip; `shared-account-slots` counts them over all instances.
 */
import type { AccountPool } from '../core/account-pool.ts'
import type { PoolEntry } from '../core/pool-entry.ts'
import type { Later } from '../lib/later.ts'

export interface AccountSlot {
  /** Later calls do nothing. */
  release(): void
}

export interface AccountSlots {
  /**
   * Null: it is full, and out of the pool's choice until something is given back. A slot that is taken marks its account used at once, so that
   * two requests at the same moment don't get the same one by accident (ACC-3).
   */
  take(entry: PoolEntry): Later<AccountSlot | null>
}

export interface AccountSlotsDeps {
  pool: Pick<AccountPool, 'acquire' | 'release'>
  /** A slot came free: whoever waits for one may try. */
  onFree(): void
}

export function createAccountSlots(deps: AccountSlotsDeps): AccountSlots {
  return {
    take: (entry) => (deps.pool.acquire(entry) ? new HeldSlot(deps, entry) : null),
  }
}

class HeldSlot implements AccountSlot {
  private isHeld = true

  constructor(
    private readonly deps: AccountSlotsDeps,
    private readonly entry: PoolEntry,
  ) {}

  release(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.deps.pool.release(this.entry)
    this.deps.onFree()
  }
}
