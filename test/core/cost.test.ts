import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type CostInput, computeCosts } from '../../src/core/cost.ts'
import { RATE_NAMES, SERVICE_TIERS } from '../../src/core/price.ts'
import type { ResolvedPrice } from '../../src/core/price-index.ts'
import { NO_USAGE, type Usage } from '../../src/core/usage.ts'
import { rates, resolved, usage } from '../support/prices.ts'

function costsOf(input: Partial<CostInput>) {
  return computeCosts({
    usage: NO_USAGE,
    iterations: null,
    price: resolved({}),
    priceOf: () => null,
    serviceTier: null,
    uplifts: [],
    groupMultiplier: 1_000_000,
    accountMultiplier: 1_000_000,
    freeTier: false,
    failed: false,
    ...input,
  })
}

const claude = resolved({ model: 'claude-x', vendor: 'anthropic' }, true)

describe('a cost in parts (BIL-6)', () => {
  test('each kind of token is billed once, at its own price, and the total is the sum (BIL-1, BIL-6)', () => {
    const { costs } = costsOf({
      price: claude,
      usage: usage({ input: 1000, cacheRead: 1000, cacheWrite5m: 1000, cacheWrite1h: 1000, output: 1000 }),
    })
    expect(costs).toEqual({
      inputNano: 3_000_000n,
      cacheReadNano: 300_000n,
      cacheWriteNano: 3_750_000n + 6_000_000n,
      outputNano: 15_000_000n,
      requestNano: 0n,
      totalNano: 28_050_000n,
      chargedNano: 28_050_000n,
      upstreamNano: 28_050_000n,
      // As input, each thousand would have cost 3_000_000.
      cacheSavingNano: 2_700_000n,
      cacheSurchargeNano: 750_000n + 3_000_000n,
    })
  })

  test('what a cache saved goes by the prices that the request really had: tier, audio, uplift, iterations (USE-16)', () => {
    const price = resolved({
      rates: rates({ input: 100, output: 1, cacheRead: 40, inputAudio: 300, cacheReadAudio: 50 }),
      contextTiers: [{ aboveTokens: 100, rates: rates({ input: 200, cacheRead: 30 }) }],
    })
    const saved = (parts: Partial<CostInput> & { usage: Usage }) => costsOf({ price, ...parts }).costs.cacheSavingNano
    const million = 1_000_000
    const usd = 1_000_000_000n
    expect(saved({ usage: usage({ input: 1000 }) })).toBe(0n)
    expect(saved({ usage: usage({ cacheRead: 100 }) })).toBe((60n * usd) / 10_000n)
    expect(saved({ usage: usage({ cacheRead: million }) })).toBe(170n * usd)
    // Above the tier, a rate that it does not name keeps its ratio to input.
    expect(saved({ usage: usage({ cacheRead: million, cacheReadAudio: million }) })).toBe(500n * usd)
    expect(saved({ usage: usage({ cacheRead: million }), serviceTier: 'batch' })).toBe(85n * usd)
    const iterations = [{ model: null, usage: usage({ cacheRead: million }) }]
    expect(saved({ usage: usage({ cacheRead: 2 * million }), iterations })).toBe(170n * usd)
    // A cache that costs more than it saves is not dressed up.
    const dear = resolved({ rates: rates({ input: 100, output: 1, cacheRead: 150, cacheWrite5m: 50 }) })
    const { costs } = costsOf({ price: dear, usage: usage({ cacheRead: million, cacheWrite5m: million }) })
    expect([costs.cacheSavingNano, costs.cacheSurchargeNano]).toEqual([-50n * usd, -50n * usd])
  })

  test('audio, images and reasoning are parts of their leaf, billed at their own price instead of it (BIL-1)', () => {
    const price = resolved({
      rates: rates({
        input: 1,
        output: 2,
        inputAudio: 10,
        inputImage: 20,
        outputAudio: 30,
        outputImage: 40,
        reasoning: 50,
      }),
    })
    const { costs } = costsOf({
      price,
      usage: usage({
        input: 10,
        inputAudio: 4,
        inputImage: 3,
        output: 10,
        outputAudio: 1,
        outputImage: 2,
        reasoning: 3,
      }),
    })
    expect(costs.inputNano).toBe(1000n * (3n * 1n + 4n * 10n + 3n * 20n))
    expect(costs.outputNano).toBe(1000n * (4n * 2n + 1n * 30n + 2n * 40n + 3n * 50n))
  })

  test('parts that claim more tokens than their leaf has are cut to it: no token is billed twice (BIL-1)', () => {
    const price = resolved({ rates: rates({ input: 1, output: 2, inputAudio: 10, inputImage: 20 }) })
    expect(costsOf({ price, usage: usage({ input: 5, inputAudio: 4, inputImage: 4 }) }).costs.inputNano).toBe(60_000n)
  })

  test('the tier is decided by all input, cached and written too (BIL-4)', () => {
    const price = resolved({ contextTiers: [{ aboveTokens: 200_000, rates: rates({ input: 6, output: 22.5 }) }] }, true)
    const part = { cacheRead: 190_000, cacheWrite5m: 5000, cacheWrite1h: 4000 }
    const below = costsOf({ price, usage: usage({ ...part, input: 1000, output: 10 }) })
    const above = costsOf({ price, usage: usage({ ...part, input: 1001, output: 10 }) })
    expect([below.priceUsed?.aboveTokens, above.priceUsed?.aboveTokens]).toEqual([0, 200_000])
    expect([below.costs.outputNano, above.costs.outputNano]).toEqual([150_000n, 225_000n])
  })

  test('a token count that is no whole number is rounded up, nonsense is nothing, and neither throws', () => {
    expect(costsOf({ usage: usage({ input: 0.2 }) }).costs.inputNano).toBe(3000n)
    for (const input of [Number.NaN, Number.POSITIVE_INFINITY, -5]) {
      expect(costsOf({ usage: usage({ input }) }).costs.totalNano).toBe(0n)
    }
  })
})

describe('rounding and multipliers (BIL-6)', () => {
  const price = resolved({ rates: { input: 500, output: 499 } })

  test('a part is rounded half up once (BIL-6)', () => {
    const { costs } = costsOf({ price, usage: usage({ input: 1000, output: 1000 }) })
    expect([costs.inputNano, costs.outputNano, costs.totalNano]).toEqual([1n, 0n, 1n])
  })

  test('charged and upstream are rounded from the exact value, not from the rounded list price (BIL-6)', () => {
    // Exact: 0.499 nano; × 3 is 1.497, while 3 × the rounded 0 would be 0.
    const { costs } = costsOf({
      price,
      usage: usage({ output: 1000 }),
      groupMultiplier: 3_000_000,
      accountMultiplier: 1_200_000,
    })
    expect([costs.totalNano, costs.chargedNano, costs.upstreamNano]).toEqual([0n, 1n, 1n])
  })

  test('each total is the sum of its own rounded parts (BIL-6)', () => {
    const odd = resolved({ rates: { input: 1_000_000, output: 1_000_000 } })
    const { charged, costs } = costsOf({
      price: odd,
      usage: usage({ input: 1, output: 1 }),
      groupMultiplier: 1_500_000,
    })
    expect([charged.inputNano, charged.outputNano, costs.chargedNano, costs.totalNano]).toEqual([2n, 2n, 4n, 2n])
  })

  test('the user pays cost × group multiplier, the operator cost × account multiplier (BIL-6)', () => {
    const { costs } = costsOf({
      usage: usage({ input: 1_000_000 }),
      groupMultiplier: 1_500_000,
      accountMultiplier: 800_000,
    })
    expect(costs).toMatchObject({
      totalNano: 3_000_000_000n,
      chargedNano: 4_500_000_000n,
      upstreamNano: 2_400_000_000n,
    })
  })

  test('a free-tier account costs the operator nothing, the user as much as ever (BIL-6)', () => {
    const { costs, upstream } = costsOf({ usage: usage({ input: 1_000_000 }), freeTier: true })
    expect([costs.upstreamNano, upstream.inputNano, costs.chargedNano]).toEqual([0n, 0n, 3_000_000_000n])
  })

  test('a multiplier of 0 charges nothing and keeps the list price (BIL-6)', () => {
    const { costs } = costsOf({ usage: usage({ input: 1_000_000 }), groupMultiplier: 0 })
    expect([costs.chargedNano, costs.totalNano]).toEqual([0n, 3_000_000_000n])
  })
})

describe('price per request and per search', () => {
  const price = resolved({ perRequestNano: 6_000_000, perWebSearchNano: 10_000_000 })

  test('a request that did not fail costs its price once, multiplied like everything else (BIL-5, BIL-6)', () => {
    const { costs } = costsOf({ price, groupMultiplier: 1_500_000 })
    expect([costs.requestNano, costs.totalNano, costs.chargedNano]).toEqual([6_000_000n, 6_000_000n, 9_000_000n])
  })

  test('a failed request costs no price per request, but what was measured (BIL-5, BIL-9)', () => {
    const { costs, priceUsed } = costsOf({ price, failed: true, usage: usage({ input: 1, webSearches: 2 }) })
    expect([costs.requestNano, costs.inputNano]).toEqual([20_000_000n, 3000n])
    expect(priceUsed?.perRequestNano).toBe(0)
  })

  test('searches are billed each, beside the tokens', () => {
    expect(costsOf({ price, usage: usage({ webSearches: 3 }) }).costs.requestNano).toBe(36_000_000n)
  })
})

describe('several calls behind one response (BIL-1)', () => {
  const advisor = resolved({ model: 'claude-big', vendor: 'anthropic', rates: rates({ input: 10, output: 50 }) }, true)
  const priceOf = (model: string): ResolvedPrice | null => (model === 'claude-big' ? advisor : null)

  test('the bill is the sum over the iterations, each at its model’s price, not the top-level tokens (BIL-1, quirk 3)', () => {
    const { costs, priceUsed, priced } = costsOf({
      price: claude,
      priceOf,
      usage: usage({ input: 2411, output: 145 }),
      iterations: [
        { model: null, usage: usage({ input: 1128, output: 135 }) },
        { model: 'claude-big', usage: usage({ input: 2543, output: 18 }) },
        { model: null, usage: usage({ input: 1283, output: 10 }) },
      ],
    })
    expect(costs.inputNano).toBe(3000n * (1128n + 1283n) + 10_000n * 2543n)
    expect(costs.outputNano).toBe(15_000n * 145n + 50_000n * 18n)
    expect(priceUsed?.iterations?.map((line) => line?.model)).toEqual(['claude-x', 'claude-big', 'claude-x'])
    expect([priced, Object.keys(priceUsed?.rates ?? {})]).toEqual([true, []])
  })

  test('each call reaches a context tier by itself: ten short calls are not one long one (BIL-4)', () => {
    const price = resolved({ contextTiers: [{ aboveTokens: 1000, rates: rates({ input: 6, output: 30 }) }] })
    const iterations = Array.from({ length: 10 }, () => ({ model: null, usage: usage({ input: 900 }) }))
    expect(costsOf({ price, iterations }).costs.inputNano).toBe(3000n * 9000n)
  })

  test('a part is rounded once over all calls, not once for each (BIL-6)', () => {
    const price = resolved({ rates: { input: 400, output: 0 } })
    const iterations = [1, 2, 3].map(() => ({ model: null, usage: usage({ input: 1000 }) }))
    expect(costsOf({ price, iterations }).costs.inputNano).toBe(1n)
  })

  test('a call of an unpriced model makes the request unpriced, and the rest is charged all the same (BIL-3)', () => {
    const { costs, priced, priceUsed } = costsOf({
      priceOf,
      iterations: [
        { model: null, usage: usage({ input: 1 }) },
        { model: 'unheard-of', usage: usage({ input: 1_000_000 }) },
      ],
    })
    expect([costs.totalNano, priced, priceUsed?.iterations?.at(1)]).toEqual([3000n, false, null])
  })

  test('priced calls behind an unpriced model are charged, with their prices kept (BIL-3)', () => {
    const { costs, priced, priceUsed } = costsOf({
      price: null,
      priceOf,
      iterations: [
        { model: null, usage: usage({ input: 5 }) },
        { model: 'claude-big', usage: usage({ input: 1 }) },
      ],
    })
    expect([costs.totalNano, priced, priceUsed?.model]).toEqual([10_000n, false, 'claude-big'])
  })

  test('an empty list means that there were none', () => {
    expect(costsOf({ iterations: [], usage: usage({ input: 1 }) }).costs.inputNano).toBe(3000n)
  })
})

describe('words of the response that multiply prices', () => {
  const opus = resolved(
    { model: 'claude-opus', vendor: 'anthropic', uplifts: { us: 1_100_000, fast: 6_000_000 } },
    true,
  )

  test('US-only inference costs 1.1 ×, fast mode what the row says, both together their product', () => {
    const input = (uplifts: string[]) =>
      costsOf({ price: opus, uplifts, usage: usage({ input: 1000 }) }).costs.inputNano
    expect([input([]), input(['us']), input(['fast']), input(['us', 'fast'])]).toEqual([
      3_000_000n,
      3_300_000n,
      18_000_000n,
      19_800_000n,
    ])
  })

  test('US-only inference costs 1.1 × on every model of Anthropic’s own list, and nowhere else', () => {
    const input = (price: ResolvedPrice) =>
      costsOf({ price, uplifts: ['us'], usage: usage({ input: 1000 }) }).costs.inputNano
    expect([input(claude), input(resolved({ vendor: 'bedrock' })), input(resolved({}))]).toEqual([
      3_300_000n,
      3_000_000n,
      3_000_000n,
    ])
  })

  test('words that multiply nothing change nothing, and fees are not multiplied', () => {
    const price = { ...opus, row: { ...opus.row, perWebSearchNano: 10 } }
    const { costs } = costsOf({
      price,
      uplifts: ['global', 'not_available', 'standard'],
      usage: usage({ input: 1, webSearches: 1 }),
    })
    expect(costs.totalNano).toBe(3010n)
    expect(costsOf({ price, uplifts: ['us'], usage: usage({ webSearches: 1 }) }).costs.requestNano).toBe(10n)
  })
})

describe('what is kept of the prices (BIL-2, BIL-6)', () => {
  test('row, match, tiers, multipliers and the rates of the tokens that occurred (BIL-6)', () => {
    const price: ResolvedPrice = { ...claude, match: 'normalised' }
    const { priceUsed } = costsOf({
      price,
      usage: usage({ input: 1, cacheRead: 1 }),
      serviceTier: 'batch',
      groupMultiplier: 1_500_000,
      accountMultiplier: 900_000,
    })
    expect(priceUsed).toEqual({
      model: 'claude-x',
      match: 'normalised',
      source: 'operator',
      date: '2026-01-01',
      serviceTier: 'batch',
      aboveTokens: 0,
      uplift: 1_000_000,
      rates: { input: 1_500_000_000, cacheRead: 150_000_000 },
      groupMultiplier: 1_500_000,
      accountMultiplier: 900_000,
      perRequestNano: 0,
      perWebSearchNano: 0,
      iterations: null,
    })
    expect(JSON.parse(JSON.stringify(priceUsed))).toEqual(priceUsed)
  })

  test('an unpriced model costs nothing and says that it is unpriced (BIL-3)', () => {
    const { costs, priced, priceUsed } = costsOf({ price: null, usage: usage({ input: 1_000_000 }) })
    expect([costs.totalNano, costs.chargedNano, priced, priceUsed]).toEqual([0n, 0n, false, null])
  })

  test('where no token was used there is nothing unpriced: a refused request is not to be priced afterwards (BIL-3)', () => {
    expect(costsOf({ price: null }).priced).toBe(true)
    expect(costsOf({ price: null, usage: usage({ webSearches: 1 }) }).priced).toBe(false)
    expect(costsOf({ price: null, iterations: [{ model: null, usage: usage({}) }] }).priced).toBe(false)
  })
})

const anyTokens = fc.integer({ min: 0, max: 5_000_000 })
const anyUsage = fc.record(
  Object.fromEntries(Object.keys(NO_USAGE).map((name) => [name, anyTokens])) as Record<keyof Usage, typeof anyTokens>,
)
const anyRate = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 600_000_000_000 }))
const anyPrice = fc.record({
  rates: fc.record(
    Object.fromEntries(RATE_NAMES.map((name) => [name, anyRate])) as Record<
      (typeof RATE_NAMES)[number],
      typeof anyRate
    >,
  ),
  perRequestNano: fc.integer({ min: 0, max: 1_000_000_000 }),
  perWebSearchNano: fc.integer({ min: 0, max: 1_000_000_000 }),
})
const anyMultiplier = fc.oneof(fc.constant(1_000_000), fc.integer({ min: 0, max: 20_000_000 }))

/** A fraction of integers, so that the reference can't share a rounding error with the code under test. */
interface Fraction {
  above: bigint
  below: bigint
}
const plus = (a: Fraction, b: Fraction): Fraction => ({
  above: a.above * b.below + b.above * a.below,
  below: a.below * b.below,
})
const times = (a: Fraction, b: Fraction): Fraction => ({ above: a.above * b.above, below: a.below * b.below })
const whole = (value: number): Fraction => ({ above: BigInt(value), below: 1n })
/** floor(x + 1/2): half up, written another way than the code does. */
function halfUp(value: Fraction): bigint {
  const { above, below } = plus(value, { above: 1n, below: 2n })
  return above / below
}

function referenceParts(
  tokens: Usage,
  prices: Record<(typeof RATE_NAMES)[number], number>,
  multiplier: number,
): bigint[] {
  const micro: Fraction = { above: BigInt(multiplier), below: 1_000_000n }
  const bill = (...lines: [count: number, rate: number][]) => {
    const exact = lines.map(([count, rate]) => times(whole(count), { above: BigInt(rate), below: 1_000_000n }))
    return halfUp(times(exact.reduce(plus, whole(0)), micro))
  }
  const within = (leaf: number, ...parts: number[]) => {
    let rest = leaf
    const taken = parts.map((part) => {
      const cut = Math.min(part, rest)
      rest -= cut
      return cut
    })
    return [rest, ...taken] as const
  }
  const [text = 0, audio = 0, image = 0] = within(tokens.input, tokens.inputAudio, tokens.inputImage)
  const [read = 0, readAudio = 0] = within(tokens.cacheRead, tokens.cacheReadAudio)
  const [out = 0, speech = 0, picture = 0, thought = 0] = within(
    tokens.output,
    tokens.outputAudio,
    tokens.outputImage,
    tokens.reasoning,
  )
  return [
    bill([text, prices.input], [audio, prices.inputAudio], [image, prices.inputImage]),
    bill(
      [out, prices.output],
      [speech, prices.outputAudio],
      [picture, prices.outputImage],
      [thought, prices.reasoning],
    ),
    bill([tokens.cacheWrite5m, prices.cacheWrite5m], [tokens.cacheWrite1h, prices.cacheWrite1h]),
    bill([read, prices.cacheRead], [readAudio, prices.cacheReadAudio]),
  ]
}

describe('for any usage and any prices', () => {
  test('every part equals a rational-number reference, with any multiplier (BIL-6)', () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, anyMultiplier, (tokens, price, groupMultiplier) => {
        const { costs, charged } = costsOf({ usage: tokens, price: resolved(price), groupMultiplier })
        const parts = (of: typeof charged) => [of.inputNano, of.outputNano, of.cacheWriteNano, of.cacheReadNano]
        expect(parts(costs)).toEqual(referenceParts(tokens, price.rates, 1_000_000))
        expect(parts(charged)).toEqual(referenceParts(tokens, price.rates, groupMultiplier))
      }),
    )
  })

  test('every total is the sum of its parts (BIL-6)', () => {
    fc.assert(
      fc.property(
        anyUsage,
        anyPrice,
        anyMultiplier,
        anyMultiplier,
        (tokens, price, groupMultiplier, accountMultiplier) => {
          const result = costsOf({ usage: tokens, price: resolved(price), groupMultiplier, accountMultiplier })
          const sum = (parts: object) => Object.values(parts).reduce((total: bigint, part: bigint) => total + part, 0n)
          const { totalNano, chargedNano, upstreamNano, ...rest } = result.costs
          const { cacheSavingNano, cacheSurchargeNano, ...list } = rest
          expect([totalNano, chargedNano, upstreamNano]).toEqual([sum(list), sum(result.charged), sum(result.upstream)])
        },
      ),
    )
  })

  test('saving and surcharge are the distance to the cost of the same tokens without a cache (USE-16, BIL-6)', () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, (tokens, price) => {
        const plain = { ...tokens, inputAudio: 0, inputImage: 0, cacheReadAudio: 0 }
        const uncached = {
          ...plain,
          input: plain.input + plain.cacheRead + plain.cacheWrite5m + plain.cacheWrite1h,
          cacheRead: 0,
          cacheWrite5m: 0,
          cacheWrite1h: 0,
        }
        const { costs } = costsOf({ usage: plain, price: resolved(price) })
        const without = costsOf({ usage: uncached, price: resolved(price) }).costs
        const distance = without.totalNano - costs.totalNano - (costs.cacheSavingNano - costs.cacheSurchargeNano)
        // Each of the six parts was rounded once.
        expect(distance <= 3n && distance >= -3n).toBe(true)
      }),
    )
  })

  test('one more token never costs less, in any tier (BIL-4)', () => {
    const tier = fc.constantFrom(null, ...SERVICE_TIERS)
    const leaf = fc.constantFrom('input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h')
    fc.assert(
      fc.property(anyUsage, anyPrice, tier, leaf, (tokens, price, serviceTier, name) => {
        const dearer = {
          aboveTokens: 1_000_000,
          rates: { input: price.rates.input * 2, output: price.rates.output * 2 },
        }
        const tiered = resolved({ ...price, contextTiers: [dearer] })
        const cost = (of: Usage) => costsOf({ usage: of, price: tiered, serviceTier }).costs.totalNano
        expect(cost({ ...tokens, [name]: tokens[name as keyof Usage] + 1 })).toBeGreaterThanOrEqual(cost(tokens))
      }),
    )
  })
})
