/**
 * Refuses a Receipt that cannot be true (USE-2), before it is booked: negative tokens or times, status codes outside
 * 100–599, words that are not in the closed lists. Money is checked too: a total is the sum of its parts (BIL-6).
 */
import { BILLING_TYPES, type Costs, METERINGS, type Receipt, type RequestStatus } from './receipt.ts'
import type { Usage } from './usage.ts'

const ENDED: ReadonlySet<RequestStatus> = new Set(['completed', 'failed', 'cancelled'])

/** The first field, under its wire name, that cannot be true; null when all may be. */
export function findIllegalField(receipt: Receipt): string | null {
  return (
    findIllegalWord(receipt) ?? findIllegalTokens(receipt) ?? findIllegalTime(receipt) ?? findIllegalCost(receipt.costs)
  )
}

function findIllegalWord(receipt: Receipt): string | null {
  // A receipt is how a request ended: one that is pending or streaming is in no sum (USE-12).
  if (!ENDED.has(receipt.status)) return 'status'
  if (!METERINGS.includes(receipt.metering)) return 'metering'
  if (!BILLING_TYPES.includes(receipt.billingType)) return 'billing_type'
  const { httpStatus } = receipt
  if (httpStatus !== null && !(Number.isInteger(httpStatus) && httpStatus >= 100 && httpStatus <= 599))
    return 'http_status'
  return null
}

function findIllegalTokens({ usage }: Receipt): string | null {
  for (const name in usage) {
    if (!isCount(usage[name as keyof Usage])) return `usage.${name}`
  }
  return null
}

function findIllegalTime(receipt: Receipt): string | null {
  if (!isCount(receipt.createdAtMs)) return 'created_at'
  if (!isCount(receipt.finishedAtMs)) return 'finished_at'
  if (!isDuration(receipt.durationMs)) return 'duration_ms'
  if (receipt.firstTokenMs !== null && !isDuration(receipt.firstTokenMs)) return 'first_token_ms'
  return null
}

function findIllegalCost(costs: Costs): string | null {
  for (const name in costs) {
    const nano = costs[name as keyof Costs]
    const least = name === 'cacheSavingNano' || name === 'cacheSurchargeNano' ? -MOST_NANO : 0n
    if (nano < least || nano > MOST_NANO) return `costs.${name}`
  }
  const parts = costs.inputNano + costs.outputNano + costs.cacheWriteNano + costs.cacheReadNano + costs.requestNano
  return parts === costs.totalNano ? null : 'costs.totalNano'
}

/** A million dollars for one request: beyond it something is wrong, and sums of such stay inside 64 bits. */
const MOST_NANO = 1_000_000_000_000_000n

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** Fits an integer column: 24 days. */
const isDuration = (value: number): boolean => isCount(value) && value <= 2_147_483_647
