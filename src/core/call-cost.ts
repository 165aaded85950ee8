/**
 * What the tokens of one call of one model cost, exactly: bigint products, not rounded yet (BIL-1, BIL-4).
 * Parts with a rate of their own (audio, images, reasoning) are taken out of the leaf that holds them, so that no token is billed twice.
 */
import type { Micro } from './entities.ts'
import { mulDivHalfUp } from './money.ts'
import { type RateName, type Rates, ratesFor, toServiceTier } from './price.ts'
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

export interface Call {
  usage: Usage
  price: ResolvedPrice
  /** The response's own words; see `CostInput`. */
  serviceTier: string | null
  uplifts: readonly string[]
}

/** Adds the call to the sums and says by which prices. */
export function addCall(exact: ExactCost, call: Call): PriceLine {
  const { usage, price } = call
  const effective = ratesFor(price.row, {
    contextTokens: contextTokens(usage),
    serviceTier: toServiceTier(call.serviceTier),
    anthropic: price.anthropic,
  })
  const uplift = upliftOf(price, call.uplifts)
  const used: Rates = {}
  const add = (part: Part, name: RateName, tokens: number) => {
    const rate = effective.rates[name]
    const amount = BigInt(tokens) * uplift
    used[name] = rate
    exact[part] += amount * BigInt(rate)
    const uncached = UNCACHED[name]
    if (uncached === undefined) return
    const difference = amount * BigInt(effective.rates[uncached] - rate)
    if (part === 'cacheRead') exact.cacheSaving += difference
    else exact.cacheSurcharge -= difference
  }
  for (const { part, leaf, inside } of LEAVES) {
    let rest = wholeCount(usage[leaf])
    for (const name of inside) {
      const tokens = Math.min(rest, wholeCount(usage[name]))
      if (tokens === 0) continue
      rest -= tokens
      add(part, name, tokens)
    }
    if (rest > 0) add(part, leaf, rest)
  }
  const { model, source, date } = price.row
  const { serviceTier, aboveTokens } = effective
  return { model, match: price.match, source, date, serviceTier, aboveTokens, uplift: Number(uplift), rates: used }
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
