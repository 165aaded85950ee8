/**
 * Slots that several instances share: requests at a time on one account (ACC-7). A lease is a counter step like any other, so it is taken
 * atomically, given back once, renewed while its holder lives, and comes back by itself when it died (KEY-8).
 *
 * If it fails: neither call rejects. With nobody to count (OPS-5, `redis_down` = `refuse`) every lease is granted: what an account may do at a
 * time is then each instance's own count.
 */
import { CANCELLED, type Limit } from '../core/limit.ts'
import { andThen, type Later } from '../lib/later.ts'
import type { AdmissionOutcome, Counters } from './counters.ts'

export interface Lease {
  /** Later calls do nothing. */
  release(): Promise<void>
}

export interface Leases {
  /** Null: all slots are taken. `most` 0: no limit, nothing is counted. */
  take(resource: string, most: number): Later<Lease | null>
}

export interface LeasesDeps {
  counters: Counters
  /** Unique among all instances. */
  newId(): string
}

/** Nothing was counted, there is nothing to give back. */
const UNCOUNTED: Lease = { release: () => Promise.resolve() }

export function createLeases({ counters, newId }: LeasesDeps): Leases {
  return {
    take(resource, most) {
      if (most <= 0) return UNCOUNTED
      const [owner, requestId] = [`lease:${resource}`, newId()]
      const limits = [slotsOf(most)]
      const outcome = counters.admit({ owner, requestId, limits, amounts: ONE_SLOT, acceptsStale: false })
      return andThen(outcome, ({ kind }) => toLease(kind, { owner, requestId }))
    },
  }

  function toLease(kind: AdmissionOutcome['kind'], request: { owner: string; requestId: string }): Lease | null {
    if (kind === 'unavailable') return UNCOUNTED
    return kind === 'admitted' ? leaseOf(request) : null
  }

  function leaseOf(request: { owner: string; requestId: string }): Lease {
    let isOver = false
    return {
      async release() {
        if (isOver) return
        isOver = true
        await counters.settle({ ...request, actual: CANCELLED, takes: [], isLate: false })
      },
    }
  }
}

const ONE_SLOT = { ...CANCELLED, slots: 1 }

function slotsOf(most: number): Limit {
  const span = { kind: 'total' } as const
  return { name: 'slots', counter: 'slots', measure: 'slots', span, most, rule: 'whole', durable: false }
}
