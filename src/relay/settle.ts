/**
 * The one end of every request that got past authentication: gives back what it held and writes its receipt, exactly once (REL, BIL-8).
 * Whatever happens – refused, completed, broken, client gone, crashed – comes here; a second call does nothing.
 */
import type { Costs, PriceUsed, Receipt, RequestStatus } from '../core/receipt.ts'
import { type IterationUsage, NO_USAGE, type Usage } from '../core/usage.ts'
import type { Reading } from '../protocols/protocol.ts'
import { type Exchange, elapsedMs } from './exchange.ts'

/** How a request ended, as the relay saw it. */
export interface Outcome {
  status: Extract<RequestStatus, 'completed' | 'failed' | 'cancelled'>
  /** What the client was told; null when it had left before anything could be told. */
  httpStatus: number | null
  errorCode: string | null
  errorMessage: string | null
  /** What the response said about itself; null when nothing came. */
  reading: Reading | null
  /** Body bytes of the response that went by. */
  relayedBytes: number
}

/** Prices a request (BIL-2 to BIL-6): a function, so that the relay knows nothing of price tables. */
export type PriceRequest = (request: {
  exchange: Exchange
  usage: Usage
  iterations: IterationUsage[] | null
  upstreamModel: string | null
  serviceTier: string | null
  failed: boolean
}) => { costs: Costs; priceUsed: PriceUsed | null }

export interface SettleDeps {
  nowMs(): number
  price: PriceRequest
  /** Frees the account's slot. */
  releaseSlot(exchange: Exchange): void
  /** Where receipts go: journal, batch, statistics. Must not throw. */
  accept(receipt: Receipt): void
}

export function settle(deps: SettleDeps, exchange: Exchange, outcome: Outcome): void {
  if (exchange.settled) return
  exchange.settled = true
  deps.releaseSlot(exchange)
  deps.accept(toReceipt(deps, exchange, outcome))
}

function toReceipt(deps: SettleDeps, exchange: Exchange, outcome: Outcome): Receipt {
  const { call, reading } = { call: exchange.call, reading: outcome.reading }
  const usage = call.operation.metered ? (reading?.usage ?? NO_USAGE) : NO_USAGE
  const iterations = reading?.iterations ?? null
  const serviceTier = reading?.serviceTier ?? null
  const failed = outcome.status === 'failed'
  const priced = deps.price({ exchange, usage, iterations, upstreamModel: exchange.upstreamModel, serviceTier, failed })
  return {
    id: exchange.id,
    userId: exchange.user?.id ?? null,
    keyId: exchange.policy.key.id,
    accountId: exchange.account?.id ?? null,
    groupId: exchange.group?.id ?? null,
    subscriptionId: null,
    platform: call.protocol.platform,
    protocol: call.protocol.id,
    endpoint: call.url.pathname,
    model: exchange.inspected?.model ?? '',
    upstreamModel: exchange.upstreamModel,
    usage,
    iterations,
    costs: priced.costs,
    priced: priced.priceUsed !== null,
    priceUsed: priced.priceUsed,
    metering: meteringOf(exchange, outcome),
    billingType: 'none',
    stream: exchange.inspected?.stream ?? false,
    status: outcome.status,
    httpStatus: outcome.httpStatus,
    errorCode: outcome.errorCode,
    errorMessage: outcome.errorMessage,
    upstreamRequestId: exchange.upstreamRequestId,
    durationMs: elapsedMs(exchange),
    firstTokenMs: exchange.firstTokenMs,
    attempts: exchange.attempts,
    choice: exchange.choice,
    serviceTier,
    userAgent: exchange.userAgent || null,
    clientIp: exchange.address,
    createdAtMs: exchange.createdAtMs,
    finishedAtMs: deps.nowMs(),
  }
}

/** How sure the token numbers are (BIL-9). Nothing relayed and nothing reported is certain: it is zero. */
function meteringOf(exchange: Exchange, outcome: Outcome): Receipt['metering'] {
  if (!exchange.call.operation.metered) return 'measured'
  const certainty = outcome.reading?.usageCertainty ?? 'none'
  if (certainty === 'final') return 'measured'
  if (certainty === 'provisional') return 'partly_estimated'
  return outcome.relayedBytes === 0 || outcome.status === 'failed' ? 'measured' : 'unknown'
}
