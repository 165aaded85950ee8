/**
 * Tokens × rates → money, three times over (BIL-6): at list price, as the user is charged, as the operator pays.
 *
 * Each part of each of the three is rounded half up once, from the exact value; a total is the sum of its rounded parts, so that a
 * record always adds up. No float takes part.
 *
 * Worked example: 7 tokens at 0.15 USD per million, group multiplier 1.5: list 7 × 150_000_000 ÷ 10^6 = 1050 nano,
 * charged 7 × 150_000_000 × 1_500_000 ÷ 10^12 = 1575 nano.
 */
import { addCall, EXACT_PER_NANO, type ExactCost, noCost, type Served, wholeCount } from './call-cost.ts'
import type { Micro } from './entities.ts'
import { divHalfUp, type Nano } from './money.ts'
import type { Price } from './price.ts'
import type { ResolvedPrice } from './price-index.ts'
import type { Costs, PriceLine, PriceUsed } from './receipt.ts'
import { type IterationUsage, NO_USAGE, totalTokens, type Usage } from './usage.ts'

export interface CostInput {
  usage: Usage
  /** When there are any, their tokens are billed instead of `usage`'s (BIL-1). Searches are counted in `usage` only. */
  iterations: readonly IterationUsage[] | null
  /** Null: the model is unpriced (BIL-3). */
  price: ResolvedPrice | null
  /** The price of another model that worked on the response. */
  priceOf(model: string): ResolvedPrice | null
  /** The *response's* word for how it was served; the request's may not have been granted (BIL-4). */
  serviceTier: string | null
  /** Words of the response that may multiply token prices: Anthropic's `inference_geo` and `speed`. */
  uplifts: readonly string[]
  groupMultiplier: Micro
  accountMultiplier: Micro
  /** The operator pays nothing for this account (BIL-6). */
  freeTier: boolean
  /** Then no price per request is charged (BIL-5). */
  failed: boolean
}

export interface CostParts {
  inputNano: Nano
  outputNano: Nano
  cacheWriteNano: Nano
  cacheReadNano: Nano
  requestNano: Nano
}

export interface Costed {
  /** List price in parts, and the three totals. */
  costs: Costs
  charged: CostParts
  upstream: CostParts
  /** False: a model that did something had no price. What had one is in the costs all the same (BIL-3). */
  priced: boolean
  priceUsed: PriceUsed | null
}

const ONE: Micro = 1_000_000

export function computeCosts(input: CostInput): Costed {
  const exact = noCost()
  const { priced, priceUsed } = addAllCalls(exact, input)
  const requestNano = priceUsed === null ? 0n : requestCost(priceUsed, input.usage)
  const list = partsTimes(exact, requestNano, ONE)
  const charged = input.groupMultiplier === ONE ? list : partsTimes(exact, requestNano, input.groupMultiplier)
  const account = input.freeTier ? 0 : input.accountMultiplier
  const upstream = account === ONE ? list : partsTimes(exact, requestNano, account)
  const costs: Costs = {
    inputNano: list.inputNano,
    outputNano: list.outputNano,
    cacheWriteNano: list.cacheWriteNano,
    cacheReadNano: list.cacheReadNano,
    requestNano: list.requestNano,
    totalNano: sumOf(list),
    chargedNano: sumOf(charged),
    upstreamNano: sumOf(upstream),
    cacheSavingNano: rounded(exact.cacheSaving, EXACT_PER_NANO),
    cacheSurchargeNano: rounded(exact.cacheSurcharge, EXACT_PER_NANO),
  }
  return { costs, charged, upstream, priced, priceUsed }
}

/** The charge alone, of one call that says nothing special about itself. */
export function chargeOf(usage: Usage, price: ResolvedPrice, multiplier: Micro): Nano {
  const exact = noCost()
  addCall(exact, usage, price, PLAINLY)
  return sumOf(partsTimes(exact, requestCost(price.row, usage), multiplier))
}

const PLAINLY: Served = { serviceTier: null, uplifts: [] }

function requestCost(price: Pick<Price, 'perRequestNano' | 'perWebSearchNano'>, { webSearches }: Usage): Nano {
  const { perRequestNano = 0, perWebSearchNano = 0 } = price
  if (perRequestNano === 0 && perWebSearchNano === 0) return 0n
  return BigInt(perRequestNano) + BigInt(wholeCount(webSearches)) * BigInt(perWebSearchNano)
}

function addAllCalls(exact: ExactCost, input: CostInput): Pick<Costed, 'priced' | 'priceUsed'> {
  const { price } = input
  const lines = input.iterations?.length ? addIterations(exact, input, input.iterations) : null
  // A response of an unpriced model may still hold priced calls of others: then their first line stands for the whole.
  const own = price
    ? addCall(exact, lines ? NO_USAGE : input.usage, price, input)
    : (lines?.find((line) => line !== null) ?? null)
  if (own === null) return { priced: isNothing(input), priceUsed: null }
  const { model, match, source, date, serviceTier, aboveTokens, uplift, rates } = own
  const priceUsed: PriceUsed = {
    model,
    match,
    source,
    date,
    serviceTier,
    aboveTokens,
    uplift,
    rates,
    groupMultiplier: input.groupMultiplier,
    accountMultiplier: input.accountMultiplier,
    perRequestNano: input.failed ? 0 : (price?.row.perRequestNano ?? 0),
    perWebSearchNano: input.usage.webSearches > 0 ? (price?.row.perWebSearchNano ?? 0) : 0,
    iterations: lines,
  }
  return { priced: price !== null && !lines?.includes(null), priceUsed }
}

function addIterations(
  exact: ExactCost,
  input: CostInput,
  iterations: readonly IterationUsage[],
): (PriceLine | null)[] {
  return iterations.map(({ model, usage }) => {
    const its = model === null ? input.price : input.priceOf(model)
    return its && addCall(exact, usage, its, input)
  })
}

/** A request that was refused before it had a model is not unpriced work: there is nothing to price, now or later. */
function isNothing({ usage, iterations }: CostInput): boolean {
  return !iterations?.length && totalTokens(usage) === 0 && usage.webSearches === 0
}

const MICRO_PER_ONE = BigInt(ONE)

/** Each part is rounded here, once. */
function partsTimes(exact: ExactCost, requestNano: Nano, multiplier: Micro): CostParts {
  return {
    inputNano: timesMicro(exact.input, multiplier, EXACT_PER_NANO),
    outputNano: timesMicro(exact.output, multiplier, EXACT_PER_NANO),
    cacheWriteNano: timesMicro(exact.cacheWrite, multiplier, EXACT_PER_NANO),
    cacheReadNano: timesMicro(exact.cacheRead, multiplier, EXACT_PER_NANO),
    requestNano: timesMicro(requestNano, multiplier, 1n),
  }
}

function timesMicro(part: bigint, multiplier: Micro, divisor: bigint): Nano {
  if (multiplier === ONE) return rounded(part, divisor)
  return rounded(part * BigInt(multiplier), divisor * MICRO_PER_ONE)
}

/** Most parts of most requests are nothing: no division for them. */
function rounded(part: bigint, divisor: bigint): Nano {
  return part === 0n ? 0n : divHalfUp(part, divisor)
}

function sumOf(parts: CostParts): Nano {
  return parts.inputNano + parts.outputNano + parts.cacheWriteNano + parts.cacheReadNano + parts.requestNano
}
