/**
 * Slots that several instances share: requests at a time on one account (ACC-7). A lease is a counter step like any other, so it is taken
 * atomically, given back once, and comes back by itself when its holder died.
 */
import { CANCELLED, type Limit } from '../core/limit.ts'
import type { Counters, Later } from './counters.ts'

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

const UNLIMITED: Lease = { release: () => Promise.resolve() }

export function createLeases({ counters, newId }: LeasesDeps): Leases {
  return {
    take(resource, most) {
      if (most <= 0) return UNLIMITED
      const [owner, requestId] = [`lease:${resource}`, newId()]
      const limits = [slotsOf(most)]
      const outcome = counters.admit({ owner, requestId, limits, amounts: ONE_SLOT, acceptsStale: false })
      const toLease = (isAdmitted: boolean) => (isAdmitted ? leaseOf({ owner, requestId }) : null)
      if (outcome instanceof Promise) return outcome.then(({ kind }) => toLease(kind === 'admitted'))
      return toLease(outcome.kind === 'admitted')
    },
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
