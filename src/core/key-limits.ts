/**
 * Which counters a key and its payer have (KEY-5, BIL-10).
 *
 * The order of the list is the order of refusals: what waiting does not mend first, then the longest wait, so that nobody waits a minute
 * only to hear that the money is gone.
 */
import type { Boundaries } from './calendar.ts'
import type { ApiKey } from './entities.ts'
import { type Limit, MOST_COUNT, type Span } from './limit.ts'
import type { Nano } from './money.ts'
import type { Payer } from './quota.ts'
import { type SubscriptionLimits, WINDOW_LENGTH_MS, type WindowName } from './subscription.ts'

export interface CalendarBoundaries {
  day: Boundaries
  week: Boundaries
}

const MINUTE_MS = 60_000
const TOTAL: Span = { kind: 'total' }
const RATE: Span = { kind: 'rate' }

/** Whose counters are kept together: a user's keys and money change in one atomic step; a key without a user is on its own. */
export function ownerOf(key: Pick<ApiKey, 'id' | 'userId'>): string {
  return key.userId ?? key.id
}

/** Money as a count; core/limit says why and what its bound is. */
export function toCount(nano: Nano): number {
  return Math.min(MOST_COUNT, Math.max(-MOST_COUNT, Number(nano)))
}

export type KeyCounter = 'total' | 'tokens' | 'week' | 'day' | 'slots' | 'tpm' | 'rpm' | `window-${string}`
export const keyCounter = (keyId: string, counter: KeyCounter) => `key:${keyId}:${counter}`
export const fundsCounter = (payer: { kind: 'key' | 'balance'; id: string }) => `${payer.kind}:${payer.id}:funds`
export const subscriptionCounter = (id: string, window: WindowName) => `subscription:${id}:${window}`

/** What the key itself limits. Empty: nothing about it needs counting. */
export function keyLimits(key: ApiKey, calendar: CalendarBoundaries): Limit[] {
  const { day, week } = calendar
  const longLived = [
    cost(key, 'total', TOTAL, key.totalCostLimitNano),
    tokens(key, 'tokens', TOTAL, key.tokenLimit),
    cost(key, 'week', { kind: 'calendar', boundaries: week }, key.weeklyCostLimitNano),
    cost(key, 'day', { kind: 'calendar', boundaries: day }, key.dailyCostLimitNano),
  ]
  const shortLived = [
    tokens(key, 'tpm', RATE, key.tpm),
    whole(key, 'rpm', RATE, key.rpm),
    whole(key, 'slots', TOTAL, key.concurrencyLimit),
  ]
  return [...longLived.filter(isSet), ...windowLimits(key), ...shortLived.filter(isSet)]
}

/** A key's window has three counts that start together: all are kept, also those without a limit, to be shown (KEY-6). */
function windowLimits(key: ApiKey): Limit[] {
  if (key.rateLimitWindowMinutes <= 0) return []
  const span: Span = { kind: 'window', lengthMs: key.rateLimitWindowMinutes * MINUTE_MS }
  return [
    whole(key, 'window-requests', span, key.rateLimitRequests),
    tokens(key, 'window-tokens', span, key.rateLimitTokens),
    cost(key, 'window-cost', span, key.rateLimitCostNano),
  ]
}

/** The hold on the payer's money (BIL-7). Empty: nobody pays, or whoever pays is not limited. */
export function payerLimits(payer: Payer, group: SubscriptionLimits | null): Limit[] {
  if (payer.kind === 'none' || payer.availableNano === null) return []
  if (payer.kind === 'subscription') return group ? subscriptionLimits(payer.id, group) : []
  const counter = fundsCounter(payer)
  return [{ name: payer.kind, counter, measure: 'charge', span: TOTAL, most: null, rule: 'hold', durable: true }]
}

/** At list price (BIL-10). */
function subscriptionLimits(id: string, group: SubscriptionLimits): Limit[] {
  const limits: Limit[] = []
  for (const window of ['monthly', 'weekly', 'daily'] as const) {
    const mostNano = group[`${window}LimitNano`]
    if (mostNano === null) continue
    limits.push({
      name: 'subscription',
      counter: subscriptionCounter(id, window),
      measure: 'cost',
      span: { kind: 'window', lengthMs: WINDOW_LENGTH_MS[window] },
      most: toCount(mostNano),
      rule: 'hold',
      durable: true,
    })
  }
  return limits
}

const isSet = (limit: Limit) => limit.most !== null

// A limit of 0 is none (KEY-5). What is counted by the minute or in a key's window is short-lived: it may start anew with the process.

function whole(key: ApiKey, name: KeyCounter, span: Span, most: number): Limit {
  const measure = name === 'slots' ? 'slots' : 'requests'
  const counter = keyCounter(key.id, name)
  return { name, counter, measure, span, most: most > 0 ? most : null, rule: 'whole', durable: false }
}

function tokens(key: ApiKey, name: KeyCounter, span: Span, most: number): Limit {
  const counter = keyCounter(key.id, name)
  const durable = span.kind === 'total'
  return { name, counter, measure: 'tokens', span, most: most > 0 ? most : null, rule: 'estimate', durable }
}

function cost(key: ApiKey, name: KeyCounter, span: Span, mostNano: Nano): Limit {
  const counter = keyCounter(key.id, name)
  const most = mostNano > 0n ? toCount(mostNano) : null
  return { name, counter, measure: 'cost', span, most, rule: 'estimate', durable: span.kind !== 'window' }
}
