/**
 * What the counters have to hear from the rest of the house: which receipts have reached the database, and what was changed behind their back.
 * Without the first, records of settled requests pile up; without the second, a top-up or a new limit is not seen (see ./counters).
 */
import type { ApiKey, User } from '../core/entities.ts'
import { fundsCounter, type KeyCounter, keyCounter, ownerOf, subscriptionCounter } from '../core/key-limits.ts'
import { userAvailable } from '../core/quota.ts'
import type { RecordedReceipt } from '../core/receipt.ts'
import { WINDOW_LENGTH_MS, type WindowName } from '../core/subscription.ts'
import type { Counters, FlushedRequest } from './counters.ts'

export type FlushedReceipt = Omit<RecordedReceipt, 'createdAtMs'>

export interface CounterNews {
  /** Call it after the transaction that holds them has been committed; also for receipts of an earlier life, read from the journal. */
  flushed(receipts: readonly FlushedReceipt[]): Promise<void>
  /** A key was edited (limits switched on or off), repriced, or its balance changed. */
  keyChanged(key: Pick<ApiKey, 'id' | 'userId'>): Promise<void>
  /** A user's balance or quota changed, or usage was repriced. */
  userChanged(userId: string): Promise<void>
  subscriptionChanged(subscription: { id: string; userId: string }): Promise<void>
}

export interface CounterNewsDeps {
  counters: Counters
  /** The directory's: null when gone. */
  findKey(id: string): { key: ApiKey } | null
  findUser(id: string): User | null
}

const DURABLE: readonly KeyCounter[] = ['total', 'tokens', 'week', 'day']
const WINDOWS = Object.keys(WINDOW_LENGTH_MS) as WindowName[]

export function createCounterNews({ counters, findKey, findUser }: CounterNewsDeps): CounterNews {
  /** Empty: neither key nor payer is counted, or nothing was used (a refusal), so there is nothing to tell. */
  function durableCounters(receipt: FlushedReceipt, key: ApiKey | null): string[] {
    const { keyId, userId, subscriptionId, billingType, usedNothing } = receipt
    if (usedNothing) return []
    const ofKey = key && hasDurableLimits(key) ? DURABLE.map((name) => keyCounter(key.id, name)) : []
    if (billingType === 'key' && keyId) return [...ofKey, fundsCounter({ kind: 'key', id: keyId })]
    if (billingType === 'subscription' && subscriptionId) return [...ofKey, ...countersOf(subscriptionId)]
    const user = billingType === 'balance' && userId ? findUser(userId) : null
    if (user && userAvailable(user) !== null) return [...ofKey, fundsCounter({ kind: 'balance', id: user.id })]
    return ofKey
  }

  return {
    async flushed(receipts) {
      const byOwner = new Map<string, FlushedRequest[]>()
      for (const receipt of receipts) {
        const key = receipt.keyId === null ? null : (findKey(receipt.keyId)?.key ?? null)
        const owner = key ? ownerOf(key) : (receipt.userId ?? receipt.keyId)
        const durable = durableCounters(receipt, key)
        if (owner === null || durable.length === 0) continue
        const requests = byOwner.get(owner) ?? []
        requests.push({ requestId: receipt.id, counters: durable })
        byOwner.set(owner, requests)
      }
      await Promise.all([...byOwner].map(([owner, requests]) => counters.flushed(owner, requests)))
    },
    async keyChanged(key) {
      const funds = fundsCounter({ kind: 'key', id: key.id })
      await counters.forget(ownerOf(key), [...DURABLE.map((name) => keyCounter(key.id, name)), funds])
    },
    async userChanged(userId) {
      await counters.forget(userId, [fundsCounter({ kind: 'balance', id: userId })])
    },
    async subscriptionChanged({ id, userId }) {
      await counters.forget(userId, countersOf(id))
    },
  }
}

const countersOf = (subscriptionId: string) => WINDOWS.map((name) => subscriptionCounter(subscriptionId, name))

function hasDurableLimits(key: ApiKey): boolean {
  const { totalCostLimitNano, weeklyCostLimitNano, dailyCostLimitNano, tokenLimit } = key
  return totalCostLimitNano > 0n || weeklyCostLimitNano > 0n || dailyCostLimitNano > 0n || tokenLimit > 0
}
