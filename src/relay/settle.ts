/**
 * The one end of every request that got past authentication: gives back what it held and writes its receipt, exactly once (REL, BIL-8).
 * Whatever happens – refused, completed, broken, client gone, crashed – comes here; a second call does nothing.
 * What is charged is decided by `core/settlement` alone, what it costs by `core/cost`; this file brings them their facts.
 */
import { computeCosts } from '../core/cost.ts'
import type { Account } from '../core/entities.ts'
import { estimateRelayedTokens, estimateTokens } from '../core/estimate.ts'
import { type PriceBook, type ResolvedPrice, resolvePrice } from '../core/price-index.ts'
import { NO_COSTS, type Receipt, type RequestStatus } from '../core/receipt.ts'
import { type Ending, settle as settleUsage } from '../core/settlement.ts'
import { NO_USAGE, totalTokens } from '../core/usage.ts'
import type { ByteBudget } from '../lib/byte-budget.ts'
import { type Exchange, elapsedMs, type Progress, platformOf, releaseSlot } from './exchange.ts'
import { giveBytesBack } from './read-body.ts'
import { scrubText } from './scrub.ts'

/** How a request ended, as the relay saw it. */
export interface Outcome extends Progress {
  ending: Ending
  /** What the client was told, or would have been. */
  httpStatus: number
  errorCode: string | null
  errorMessage: string | null
}

export interface SettleDeps {
  nowMs(): number
  settings: { defaultRateMultiplier: number }
  prices(account: Account | null): PriceBook
  bodies: Pick<ByteBudget, 'give'>
  /**
   * Where receipts go: journal, statistics. When it returns, the receipt outlives the process (BIL-13). Must not throw; what it returns is
   * awaited before the client sees the end of its answer, and never rejects.
   */
  accept(receipt: Receipt, exchange: Exchange): Promise<void> | null
  /** A fault of ours, for the log. */
  onCrash(error: unknown, requestId: string): void
}

export function settle(deps: SettleDeps, exchange: Exchange, outcome: Outcome): void {
  if (exchange.settled) return
  exchange.settled = true
  try {
    const receipt = toReceipt(deps, exchange, outcome, billSafely(deps, exchange, outcome))
    exchange.recorded = deps.accept(receipt, exchange)
    giveBack(exchange, receipt)
  } finally {
    releaseSlot(exchange)
    giveBytesBack(deps, exchange)
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

function toReceipt(deps: SettleDeps, exchange: Exchange, outcome: Outcome, billed: Billed): Receipt {
  const { account, call, policy, user, group, inspected, payer } = exchange
  const { reading } = outcome
  const finishedAtMs = deps.nowMs()
  return {
    id: exchange.id,
    userId: user?.id ?? null,
    keyId: policy.key.id,
    accountId: account?.id ?? null,
    groupId: group?.id ?? null,
    subscriptionId: payer?.kind === 'subscription' ? payer.id : null,
    platform: platformOf(exchange),
    protocol: call.protocol.id,
    endpoint: call.target.pathname,
    model: inspected?.model ?? '',
    upstreamModel: exchange.upstreamModel,
    usage: billed.usage,
    iterations: billed.iterations,
    costs: billed.costs,
    priced: billed.priced,
    priceUsed: billed.priceUsed,
    metering: billed.metering,
    billingType: payer?.kind ?? 'none',
    stream: inspected?.stream ?? false,
    status: STATUS[outcome.ending],
    httpStatus: outcome.httpStatus,
    errorCode: outcome.errorCode,
    errorMessage: account && outcome.errorMessage ? scrubText(outcome.errorMessage, account) : outcome.errorMessage,
    upstreamRequestId: exchange.upstreamRequestId,
    durationMs: elapsedMs(exchange),
    firstTokenMs: exchange.firstTokenMs,
    attempts: exchange.attempts,
    choice: exchange.choice,
    serviceTier: reading?.serviceTier ?? null,
    uplifts: reading?.uplifts ?? [],
    userAgent: exchange.userAgent || null,
    clientIp: exchange.address,
    createdAtMs: exchange.createdAtMs,
    finishedAtMs,
  }
}

/** What would be recorded if the client left now (USE-4): the arithmetic of the end, on what is known so far. */
export function soFar(deps: SettleDeps, exchange: Exchange): Pick<Receipt, 'usage' | 'costs'> {
  const progress = exchange.progress?.soFar() ?? { reading: null, relayedBytes: 0 }
  return bill(deps, exchange, { ending: 'client-gone', ...progress })
}

type Billable = Progress & Pick<Outcome, 'ending'>
type Billed = Pick<Receipt, 'usage' | 'iterations' | 'costs' | 'priced' | 'priceUsed' | 'metering'>

const UNBILLED: Billed = {
  usage: NO_USAGE,
  iterations: null,
  costs: NO_COSTS,
  priced: false,
  priceUsed: null,
  metering: 'unknown',
}

/** A fault in the arithmetic must not cost the record, nor the client the end of its answer: it is recorded as unknown, and told. */
function billSafely(deps: SettleDeps, exchange: Exchange, outcome: Outcome): Billed {
  try {
    return bill(deps, exchange, outcome)
  } catch (error) {
    deps.onCrash(error, exchange.id)
    return UNBILLED
  }
}

/** Tokens to charge (BIL-9) and what they cost (BIL-6). An operation that is not metered has neither. */
function bill(deps: SettleDeps, exchange: Exchange, outcome: Billable): Billed {
  const { account, group } = exchange
  const { reading } = outcome
  const price = priceOf(deps, exchange, exchange.upstreamModel ?? exchange.inspected?.model ?? '')
  const { relayedTokens, estimatedInputTokens } = estimates(exchange, outcome, price)
  const settled = settleUsage({
    ending: outcome.ending,
    usage: reading?.usage ?? null,
    usageCertainty: reading?.usageCertainty ?? 'none',
    relayedTokens,
    estimatedInputTokens,
  })
  const { metered } = exchange.call.operation
  const iterations = metered && settled.charge === 'measured' ? (reading?.iterations ?? null) : null
  const usage = metered ? settled.usage : NO_USAGE
  const costed = computeCosts({
    usage,
    iterations,
    price,
    priceOf: iterations === null ? noOther : pricesOf(deps, exchange),
    serviceTier: reading?.serviceTier ?? null,
    uplifts: reading?.uplifts ?? [],
    groupMultiplier: group?.rateMultiplier ?? deps.settings.defaultRateMultiplier,
    accountMultiplier: account?.rateMultiplier ?? 1_000_000,
    freeTier: account?.freeTier ?? false,
    failed: !settled.chargesRequest || !metered,
  })
  const { costs, priced, priceUsed } = costed
  return { usage, iterations, costs, priced, priceUsed, metering: metered ? settled.metering : 'measured' }
}

/** Of the other models that worked on a response, for the few where there are any. */
function pricesOf(deps: SettleDeps, exchange: Exchange): (model: string) => ResolvedPrice | null {
  return (model) => priceOf(deps, exchange, model)
}

const noOther = () => null

function priceOf(deps: SettleDeps, exchange: Exchange, model: string): ResolvedPrice | null {
  const platform = platformOf(exchange)
  return resolvePrice(deps.prices(exchange.account), { model, platform, atMs: exchange.createdAtMs })
}

const NOTHING_TO_ESTIMATE = { relayedTokens: null, estimatedInputTokens: 0 }

/** Stand-ins for what was not measured, from sizes; asked for only when a report is missing. */
function estimates(exchange: Exchange, outcome: Progress, price: ResolvedPrice | null) {
  const { relayedBytes } = outcome
  if (outcome.reading?.usageCertainty === 'final') return NOTHING_TO_ESTIMATE
  const { protocol, operation } = exchange.call
  const { stream = false, maxOutputTokens = null, choices = 1 } = exchange.inspected ?? {}
  const { generates } = operation
  const about = { protocol: protocol.id, maxOutputTokens, choices, price }
  const relayedTokens = generates ? estimateRelayedTokens({ ...about, relayedBytes, streamed: stream }) : 0
  return {
    relayedTokens: relayedBytes > 0 ? relayedTokens : null,
    estimatedInputTokens: estimateTokens({
      ...about,
      bodyBytes: exchange.bodyBytes,
      generates,
      assumedOutputTokens: 0,
    }).input,
  }
}
