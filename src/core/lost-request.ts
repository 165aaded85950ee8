/**
 * The record of a request whose instance went away before it ended (USE-3): failed, nothing charged, because nobody knows what was served.
 *
 * It is provisional. The instance may come back with the real receipt, from its journal or because it was only cut off; that one then takes
 * the place of this one, in the log and in all sums (db/lost-records). A lost record so never swallows a charge, and never stands beside one.
 */
import type { LiveRequest } from './live-request.ts'
import { NO_COSTS, type Receipt } from './receipt.ts'
import { NO_USAGE } from './usage.ts'

export const LOST_CODE = 'instance_lost'
const GATEWAY_TIMEOUT = 504

/** `seenAtMs`: the last sign of life. */
export function toLostReceipt(request: LiveRequest, seenAtMs: number): Receipt {
  const { id, status, userId, keyId, accountId, groupId, subscriptionId, createdAtMs } = request
  const { platform, protocol, endpoint, model, upstreamModel, billingType, stream } = request
  const finishedAtMs = Math.max(createdAtMs, seenAtMs)
  return {
    ...{ id, userId, keyId, accountId, groupId, subscriptionId },
    ...{ platform, protocol, endpoint, model, upstreamModel, billingType, stream },
    usage: { ...NO_USAGE },
    iterations: null,
    costs: NO_COSTS,
    // There is nothing to price, now or later (BIL-3).
    priced: true,
    priceUsed: null,
    metering: 'unknown',
    status: 'failed',
    httpStatus: GATEWAY_TIMEOUT,
    errorCode: LOST_CODE,
    errorMessage: `The instance that served this request went away while it was ${status}.`,
    upstreamRequestId: null,
    durationMs: Math.min(finishedAtMs - createdAtMs, LONGEST_DURATION_MS),
    firstTokenMs: request.firstTokenMs,
    attempts: [],
    choice: null,
    serviceTier: null,
    uplifts: [],
    userAgent: request.userAgent,
    clientIp: request.clientIp,
    createdAtMs,
    finishedAtMs,
  }
}

/** What an integer column holds. */
const LONGEST_DURATION_MS = 2_147_483_647
