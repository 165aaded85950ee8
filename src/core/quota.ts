/** Who pays for a request, what they may still spend, and how they are turned down (BIL-7, BIL-10). Pure; holding and settling are `core/limit`'s. */
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

const REFUSALS: Readonly<Record<Exclude<Payer['kind'], 'none'>, { code: DenialCode; message: string }>> = {
  key: { code: 'insufficient_key_balance', message: 'The balance of this API key does not cover the request.' },
  subscription: { code: 'subscription_limit_exceeded', message: 'The limit of your subscription is reached.' },
  balance: { code: 'insufficient_user_quota', message: 'Your quota or balance does not cover the request.' },
}

export function denyPayer(kind: Exclude<Payer['kind'], 'none'>): Denial {
  const { code, message } = REFUSALS[kind]
  return deny(code, message)
}
