/**
 * The one record in which a request ends (design: "one record in, one record out"). Ledger, statistics, usage log and
 * metrics read a Receipt and nothing else. Every request that got past authentication has exactly one (REL, USE-1).
 */
import type { Micro } from './entities.ts'
import type { Nano } from './money.ts'
import type { Rates, ServiceTier } from './price.ts'
import { type IterationUsage, totalTokens, type Usage } from './usage.ts'

export const REQUEST_STATUSES = ['pending', 'streaming', 'completed', 'failed', 'cancelled'] as const
export type RequestStatus = (typeof REQUEST_STATUSES)[number]

export const METERINGS = ['measured', 'partly_estimated', 'unknown'] as const
export type Metering = (typeof METERINGS)[number]

export const BILLING_TYPES = ['balance', 'key', 'subscription', 'none'] as const
export type BillingType = (typeof BILLING_TYPES)[number]

/** One try at one account, in order (ACC-5). */
export interface Attempt {
  accountId: string
  /** HTTP status of the upstream; null when there was none (connect error, time-out). */
  status: number | null
  durationMs: number
  /** Why it was not the last: a word of core/failure ("rate_limited", "connect_error" …); null for the one that served. */
  reason: string | null
  upstreamRequestId: string | null
  /** Tokens of a failed attempt, so that the operator's bill can be reconciled (BIL-9). */
  usage: Usage | null
}

/** Why accounts were passed over when choosing (ACC-17): counts by cause. */
export interface ChoiceExplained {
  candidates: number
  passedOver: Record<string, number>
  sticky: 'none' | 'hit' | 'miss' | 'moved'
}

/** Costs in parts; every total is the sum of its parts (BIL-6). */
export interface Costs {
  inputNano: Nano
  outputNano: Nano
  cacheWriteNano: Nano
  cacheReadNano: Nano
  requestNano: Nano
  /** List price. */
  totalNano: Nano
  chargedNano: Nano
  upstreamNano: Nano
  /** At list price, part of no total: what the cached input would have cost more as plain input (USE-16). Signed, like the next. */
  cacheSavingNano: Nano
  /** What writing to the cache cost more than plain input. */
  cacheSurchargeNano: Nano
}

export const NO_COSTS: Readonly<Costs> = Object.freeze({
  inputNano: 0n,
  outputNano: 0n,
  cacheWriteNano: 0n,
  cacheReadNano: 0n,
  requestNano: 0n,
  totalNano: 0n,
  chargedNano: 0n,
  upstreamNano: 0n,
  cacheSavingNano: 0n,
  cacheSurchargeNano: 0n,
})

export interface Receipt {
  /** UUIDv7: the value of `x-turnpike-request-id`. Its time is `createdAtMs`. */
  id: string
  userId: string | null
  keyId: string | null
  accountId: string | null
  groupId: string | null
  subscriptionId: string | null
  platform: string
  protocol: string
  /** Operation's path as the client called it, without query. */
  endpoint: string
  model: string
  upstreamModel: string | null
  usage: Usage
  iterations: IterationUsage[] | null
  costs: Costs
  priced: boolean
  /** Which price row and multipliers were used (BIL-2, BIL-6); null when unpriced. */
  priceUsed: PriceUsed | null
  metering: Metering
  billingType: BillingType
  stream: boolean
  status: RequestStatus
  httpStatus: number | null
  errorCode: string | null
  errorMessage: string | null
  upstreamRequestId: string | null
  durationMs: number
  firstTokenMs: number | null
  attempts: Attempt[]
  choice: ChoiceExplained | null
  serviceTier: string | null
  /** Words of the response that may multiply the token prices; kept so that it can be priced afterwards (BIL-3). */
  uplifts: readonly string[]
  userAgent: string | null
  clientIp: string | null
  createdAtMs: number
  finishedAtMs: number
}

/** The prices that made the costs, kept so that anybody can work the sum out again (BIL-6). Plain numbers: it is stored as JSON. */
export interface PriceUsed extends PriceLine {
  groupMultiplier: Micro
  accountMultiplier: Micro
  /** Nanodollars; 0 when there is none, or when the request failed (BIL-5). */
  perRequestNano: number
  perWebSearchNano: number
  /** Anthropic's `usage.iterations`: one line for each, in order, instead of the rates above (BIL-1). Null: none. An unpriced one is null. */
  iterations: (PriceLine | null)[] | null
}

/** One row of a price list as it applied to one call of a model. */
export interface PriceLine {
  /** The row's model name that matched, and how the asked one led to it (BIL-2). */
  model: string
  match: 'exact' | 'normalised' | 'wildcard'
  source: 'account' | 'operator' | 'built-in'
  /** Date of the row, "2026-07-24". */
  date: string
  serviceTier: ServiceTier
  /** Context tier that priced the call; 0: none was reached (BIL-4). */
  aboveTokens: number
  /** Millionths by which the response's own words multiplied the rates ("us", "fast"); 1_000_000: not at all. */
  uplift: Micro
  /** Nanodollars per million tokens, of the kinds of token that occurred. */
  rates: Rates
}

/** All that is kept of a receipt until the database has it, for those who are to hear of that: thousands may wait. */
export interface RecordedReceipt
  extends Pick<Receipt, 'id' | 'createdAtMs' | 'userId' | 'keyId' | 'subscriptionId' | 'billingType'> {
  /** No tokens and no money: it moved no counter. */
  usedNothing: boolean
}

export function recordedOf(receipt: Receipt): RecordedReceipt {
  const { id, createdAtMs, userId, keyId, subscriptionId, billingType, usage, costs } = receipt
  const usedNothing = totalTokens(usage) === 0 && costs.totalNano === 0n && costs.chargedNano === 0n
  return { id, createdAtMs, userId, keyId, subscriptionId, billingType, usedNothing }
}
