/**
 * The one end of every request that got past authentication: gives back what it held and writes its receipt, exactly once (REL, BIL-8).
 * Whatever happens – refused, completed, broken, client gone, crashed – comes here; a second call does nothing.
 * What is charged is decided by `core/settlement` alone, what it costs by `core/cost`; this file brings them their facts.
 */
import { computeCosts } from '../core/cost.ts'
import type { Account } from '../core/entities.ts'
import { estimateRelayedTokens, estimateTokens } from '../core/estimate.ts'
import { type PriceBook, type ResolvedPrice, resolvePrice } from '../core/price-index.ts'
import type { Receipt, RequestStatus } from '../core/receipt.ts'
import { type Ending, settle as settleUsage } from '../core/settlement.ts'
import { NO_USAGE, totalTokens } from '../core/usage.ts'
import type { Reading } from '../protocols/protocol.ts'
import { type Exchange, elapsedMs, platformOf } from './exchange.ts'

/** How a request ended, as the relay saw it. */
export interface Outcome {
  ending: Ending
  /** What the client was told, or would have been. */
  httpStatus: number
  errorCode: string | null
  errorMessage: string | null
  /** What the response said about itself; null when nothing came. */
  reading: Reading | null
  /** Bytes of the answer that went by: without what came before its content, and none of what only says that there is no answer. */
  relayedBytes: number
}

export interface SettleDeps {
  nowMs(): number
  settings: { defaultRateMultiplier: number }
  prices(account: Account | null): PriceBook
  /** Frees the account's slot. */
  releaseSlot(exchange: Exchange): void
  /**
   * Where receipts go: journal, statistics. When it returns, the receipt outlives the process (BIL-13). Must not throw; what it returns is
   * awaited before the client sees the end of its answer, and never rejects.
   */
  accept(receipt: Receipt, exchange: Exchange): Promise<void> | null
}

export function settle(deps: SettleDeps, exchange: Exchange, outcome: Outcome): void {
  if (exchange.settled) return
  exchange.settled = true
  try {
    const receipt = toReceipt(deps, exchange, outcome)
    exchange.recorded = deps.accept(receipt, exchange)
    giveBack(exchange, receipt)
  } finally {
    deps.releaseSlot(exchange)
  }
}

/** The real use takes the place of what was held (BIL-8); a refused request consumed nothing (KEY-7). `settle` and `cancel` never reject. */
function giveBack(exchange: Exchange, receipt: Receipt): void {
  const { totalNano, chargedNano } = receipt.costs
  const tokens = totalTokens(receipt.usage)
  if (exchange.attempts.length === 0) void exchange.admission?.cancel()
  else void exchange.admission?.settle({ tokens, costNano: totalNano, chargeNano: chargedNano })
}

const STATUS: Readonly<Record<Ending, Extract<RequestStatus, 'completed' | 'failed' | 'cancelled'>>> = {
  completed: 'completed',
  refused: 'failed',
  'upstream-error': 'failed',
  'client-gone': 'cancelled',
  broken: 'failed',
}

function toReceipt(deps: SettleDeps, exchange: Exchange, outcome: Outcome): Receipt {
  const { call, policy, user, group, inspected, payer } = exchange
  const { reading } = outcome
  const finishedAtMs = deps.nowMs()
  const billed = bill(deps, exchange, outcome)
  return {
    id: exchange.id,
    userId: user?.id ?? null,
    keyId: policy.key.id,
    accountId: exchange.account?.id ?? null,
    groupId: group?.id ?? null,
    subscriptionId: payer?.kind === 'subscription' ? payer.id : null,
    platform: platformOf(exchange),
    protocol: call.protocol.id,
    endpoint: call.target.pathname,
    model: inspected?.model ?? '',
    upstreamModel: exchange.upstreamModel,
    ...billed,
    billingType: payer?.kind ?? 'none',
    stream: inspected?.stream ?? false,
    status: STATUS[outcome.ending],
    httpStatus: outcome.httpStatus,
    errorCode: outcome.errorCode,
    errorMessage: outcome.errorMessage,
    upstreamRequestId: exchange.upstreamRequestId,
    durationMs: elapsedMs(exchange),
    firstTokenMs: exchange.firstTokenMs,
    attempts: exchange.attempts,
    choice: exchange.choice,
    serviceTier: reading?.serviceTier ?? null,
    userAgent: exchange.userAgent || null,
    clientIp: exchange.address,
    createdAtMs: exchange.createdAtMs,
    finishedAtMs,
  }
}

type Billed = Pick<Receipt, 'usage' | 'iterations' | 'costs' | 'priced' | 'priceUsed' | 'metering'>

/** Tokens to charge (BIL-9) and what they cost (BIL-6). An operation that is not metered has neither. */
function bill(deps: SettleDeps, exchange: Exchange, outcome: Outcome): Billed {
  const { account, group } = exchange
  const { reading } = outcome
  const price = priceOf(deps, exchange, exchange.upstreamModel ?? exchange.inspected?.model ?? '')
  const settled = settleUsage({
    ending: outcome.ending,
    usage: reading?.usage ?? null,
    usageCertainty: reading?.usageCertainty ?? 'none',
    ...estimates(exchange, outcome, price),
  })
  const { metered } = exchange.call.operation
  const iterations = metered && settled.charge === 'measured' ? (reading?.iterations ?? null) : null
  const usage = metered ? settled.usage : NO_USAGE
  const costed = computeCosts({
    usage,
    iterations,
    price,
    priceOf: (model) => priceOf(deps, exchange, model),
    serviceTier: reading?.serviceTier ?? null,
    groupMultiplier: group?.rateMultiplier ?? deps.settings.defaultRateMultiplier,
    accountMultiplier: account?.rateMultiplier ?? 1_000_000,
    freeTier: account?.freeTier ?? false,
    failed: !settled.chargesRequest || !metered,
  })
  const { costs, priced, priceUsed } = costed
  return { usage, iterations, costs, priced, priceUsed, metering: metered ? settled.metering : 'measured' }
}

function priceOf(deps: SettleDeps, exchange: Exchange, model: string): ResolvedPrice | null {
  const platform = platformOf(exchange)
  return resolvePrice(deps.prices(exchange.account), { model, platform, atMs: exchange.createdAtMs })
}

/** Stand-ins for what was not measured, from sizes; asked for only when a report is missing. */
function estimates(exchange: Exchange, outcome: Outcome, price: ResolvedPrice | null) {
  const { relayedBytes } = outcome
  if (outcome.reading?.usageCertainty === 'final') return { relayedTokens: null, estimatedInputTokens: 0 }
  const { protocol, operation } = exchange.call
  const stream = exchange.inspected?.stream ?? false
  const { generates } = operation
  const relayedTokens = generates ? estimateRelayedTokens(protocol.id, relayedBytes, stream) : 0
  return {
    relayedTokens: relayedBytes > 0 ? relayedTokens : null,
    estimatedInputTokens: estimateTokens({
      protocol: protocol.id,
      bodyBytes: exchange.body.length,
      maxOutputTokens: null,
      generates,
      price,
    }).input,
  }
}
