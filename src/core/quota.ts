/**
 * Who pays for a request, whether they can, and the arithmetic of holding money and settling (BIL-7, BIL-8, BIL-10).
 *
 * Pure: `state/ledger` keeps a purse per payer and does check and hold as one atomic step; its Redis twin is a script of the same sums.
 * Invariant: a purse's `heldNano` is the sum of its open holds, and nothing but a settlement changes `availableNano`.
 */

import { type Denial, type DenialCode, deny } from './denial.ts'
import type { ApiKey, Group, User } from './entities.ts'
import type { Nano } from './money.ts'
import { isSubscriptionActive, type Subscription, subscriptionRemaining } from './subscription.ts'

export type Payer =
  | { kind: 'key'; id: string; availableNano: Nano }
  | { kind: 'subscription'; id: string; availableNano: Nano | null }
  /** A user; null: unlimited, but recorded and charged all the same. */
  | { kind: 'balance'; id: string; availableNano: Nano | null }
  | { kind: 'none' }

export interface PayerInput {
  runMode: 'standard' | 'simple'
  key: ApiKey
  user: User | null
  group: Group | null
  /** The user's subscription to that group, if there is one. */
  subscription: Subscription | null
  nowMs: number
}

/** Standalone key → active subscription → the user's own money → nobody (BIL-10). */
export function choosePayer(input: PayerInput): Payer {
  const { key, user, group, subscription, nowMs } = input
  if (input.runMode === 'simple') return { kind: 'none' }
  if (key.standalone) return { kind: 'key', id: key.id, availableNano: key.balanceNano }
  if (group?.billingType === 'subscription' && subscription && isSubscriptionActive(subscription, nowMs)) {
    const availableNano = subscriptionRemaining(subscription, group, nowMs)
    return { kind: 'subscription', id: subscription.id, availableNano }
  }
  return user ? { kind: 'balance', id: user.id, availableNano: userAvailable(user) } : { kind: 'none' }
}

/**
 * What a user may still spend; null: no limit. Admins and users without a quota have none (BIL-10).
 *
 * A quota is how much of the user's own money may be spent in all. Once money was put in, that money has to suffice too; a user who never
 * got any is post-paid, and only the quota counts. `usedNano` is what was charged to the balance, so balance + used is what was put in.
 *
 * quota 10, nothing put in, used 4 (balance −4) → 6.   quota 10, put in 5, used 4 (balance 1) → 1.   quota 3, put in 5, used 2 → 1.
 */
export function userAvailable(user: Pick<User, 'role' | 'quotaNano' | 'usedNano' | 'balanceNano'>): Nano | null {
  if (user.role === 'admin' || user.quotaNano === null) return null
  const underQuota = user.quotaNano - user.usedNano
  const isPrepaid = user.balanceNano + user.usedNano !== 0n
  return isPrepaid && user.balanceNano < underQuota ? user.balanceNano : underQuota
}

/** Money of one payer while requests are under way. */
export interface Purse {
  /** Null: unlimited. */
  availableNano: Nano | null
  heldNano: Nano
}

/** More than this many estimates to spare: no hold is worth its bookkeeping (BIL-7). */
export const TRUST_FACTOR = 100n

export type HoldDecision = { kind: 'trusted' } | { kind: 'held'; holdNano: Nano } | { kind: 'refused' }

/** One request's place in a purse. What others hold is not there to be spent. */
export function decideHold(purse: Purse, estimateNano: Nano): HoldDecision {
  if (purse.availableNano === null) return { kind: 'trusted' }
  const free = purse.availableNano - purse.heldNano
  if (free < estimateNano) return { kind: 'refused' }
  return free > TRUST_FACTOR * estimateNano ? { kind: 'trusted' } : { kind: 'held', holdNano: estimateNano }
}

export function takeHold(purse: Purse, holdNano: Nano): Purse {
  return { availableNano: purse.availableNano, heldNano: purse.heldNano + holdNano }
}

/** The real charge takes the place of the hold (0 for a trusted request): the difference is refunded, or taken in addition (BIL-8). */
export function settleHold(purse: Purse, settled: { holdNano: Nano; chargeNano: Nano }): Purse {
  return {
    availableNano: purse.availableNano === null ? null : purse.availableNano - settled.chargeNano,
    heldNano: purse.heldNano - settled.holdNano,
  }
}

const REFUSALS: Readonly<Record<Exclude<Payer['kind'], 'none'>, { code: DenialCode; message: string }>> = {
  key: { code: 'insufficient_key_balance', message: 'The balance of this API key does not cover the request.' },
  subscription: { code: 'subscription_limit_exceeded', message: 'The limit of your subscription is reached.' },
  balance: { code: 'insufficient_user_quota', message: 'Your quota or balance does not cover the request.' },
}

export function denyPayer(kind: Exclude<Payer['kind'], 'none'>): Denial {
  const { code, message } = REFUSALS[kind]
  return deny(code, message)
}
