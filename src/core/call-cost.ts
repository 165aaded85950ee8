/**
 * What the tokens of one call of one model cost, exactly: bigint products, not rounded yet (BIL-1, BIL-4).
 * Parts with a rate of their own (audio, images, reasoning) are taken out of the leaf that holds them, so that no token is billed twice.
 */
import type { Micro } from './entities.ts'
import { mulDivHalfUp } from './money.ts'
import { type AllRates, type RateName, type Rates, ratesFor, toServiceTier } from './price.ts'
import type { ResolvedPrice } from './price-index.ts'
import type { PriceLine } from './receipt.ts'
import { contextTokens, type Usage } from './usage.ts'

/** Sums of tokens × rate × uplift: in 1e-12 nanodollars (a rate is per million tokens, an uplift in millionths). */
export interface ExactCost {
  input: bigint
  output: bigint
  cacheWrite: bigint
  cacheRead: bigint
  /** What the cached input would have cost more, and the written input less, as plain input (USE-16). */
  cacheSaving: bigint
  cacheSurcharge: bigint
}

export const noCost = (): ExactCost => ({
  input: 0n,
  output: 0n,
  cacheWrite: 0n,
  cacheRead: 0n,
  cacheSaving: 0n,
  cacheSurcharge: 0n,
})

export const EXACT_PER_NANO = 1_000_000_000_000n

type Part = 'input' | 'output' | 'cacheWrite' | 'cacheRead'

/** A kind of token is called the same in a usage and in a price. */
const LEAVES: readonly { part: Part; leaf: RateName; inside: readonly RateName[] }[] = [
  { part: 'input', leaf: 'input', inside: ['inputAudio', 'inputImage'] },
  { part: 'cacheRead', leaf: 'cacheRead', inside: ['cacheReadAudio'] },
  { part: 'cacheWrite', leaf: 'cacheWrite5m', inside: [] },
  { part: 'cacheWrite', leaf: 'cacheWrite1h', inside: [] },
  { part: 'output', leaf: 'output', inside: ['outputAudio', 'outputImage', 'reasoning'] },
]

/** The rate that holds for the same tokens without a cache. */
const UNCACHED: Partial<Record<RateName, RateName>> = {
  cacheRead: 'input',
  cacheReadAudio: 'inputAudio',
  cacheWrite5m: 'input',
  cacheWrite1h: 'input',
}

/** The response's own words; see `CostInput`. */
export interface Served {
  serviceTier: string | null
  uplifts: readonly string[]
}

/** Adds the call to the sums and says by which prices. */
export function addCall(exact: ExactCost, usage: Usage, price: ResolvedPrice, served: Served): PriceLine {
  const { rates, serviceTier, aboveTokens } = ratesFor(price.row, {
    contextTokens: contextTokens(usage),
    serviceTier: toServiceTier(served.serviceTier),
    anthropic: price.anthropic,
  })
  const uplift = upliftOf(price, served.uplifts)
  const used: Rates = {}
  for (const { part, leaf, inside } of LEAVES) {
    let rest = wholeCount(usage[leaf])
    if (rest === 0) continue
    for (const name of inside) {
      const tokens = Math.min(rest, wholeCount(usage[name]))
      if (tokens === 0) continue
      rest -= tokens
      used[name] = rates[name]
      addTokens(exact, part, name, { tokens, rates, uplift })
    }
    if (rest === 0) continue
    used[leaf] = rates[leaf]
    addTokens(exact, part, leaf, { tokens: rest, rates, uplift })
  }
  const { model, source, date } = price.row
  return { model, match: price.match, source, date, serviceTier, aboveTokens, uplift: Number(uplift), rates: used }
}

interface Amount {
  tokens: number
  rates: AllRates
  uplift: bigint
}

function addTokens(exact: ExactCost, part: Part, name: RateName, { tokens, rates, uplift }: Amount): void {
  const rate = rates[name]
  exact[part] += product(tokens, rate) * uplift
  const uncached = UNCACHED[name]
  if (uncached === undefined) return
  const difference = product(tokens, rates[uncached] - rate) * uplift
  if (part === 'cacheRead') exact.cacheSaving += difference
  else exact.cacheSurcharge -= difference
}

/** One bigint instead of three, wherever a number holds it exactly. */
function product(tokens: number, rate: number): bigint {
  const exactly = tokens * rate
  return Number.isSafeInteger(exactly) ? BigInt(exactly) : BigInt(tokens) * BigInt(rate)
}

/** A count that can be multiplied. Vendors send whole numbers; a fraction is rounded up, nonsense counts as nothing. */
export function wholeCount(value: number): number {
  return value > 0 && Number.isFinite(value) ? Math.ceil(value) : 0
}

const MILLION = 1_000_000n

/** Anthropic prices US-only inference 10 % higher, on every model that offers it: https://platform.claude.com/docs/en/about-claude/pricing */
const ANTHROPIC_UPLIFTS: Readonly<Record<string, Micro>> = { us: 1_100_000 }

function upliftOf(price: ResolvedPrice, words: readonly string[]): bigint {
  if (words.length === 0) return MILLION
  const known = price.row.vendor === 'anthropic' ? { ...ANTHROPIC_UPLIFTS, ...price.row.uplifts } : price.row.uplifts
  let product = MILLION
  for (const word of words) product = mulDivHalfUp(product, BigInt(known?.[word] ?? MILLION), MILLION)
  return product
}
