import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { type Price, PriceSchema, type RateContext, ratesFor, toServiceTier } from '../../src/core/price.ts'
import { rates } from '../support/prices.ts'

const at = (context: Partial<RateContext>): RateContext => ({
  contextTokens: 1000,
  serviceTier: 'standard',
  anthropic: false,
  ...context,
})

const plain: Price = { rates: rates({ input: 3, output: 15 }) }

describe('what a missing price follows from (BIL-4)', () => {
  test('cache writes cost 1.25 and 2 × input where they have no price (BIL-4)', () => {
    const { rates: effective } = ratesFor(plain, at({}))
    expect(effective.cacheWrite5m).toBe(3_750_000_000)
    expect(effective.cacheWrite1h).toBe(6_000_000_000)
  })

  test('a cache read without a price costs a tenth of input at Anthropic, and input elsewhere (BIL-4)', () => {
    expect(ratesFor(plain, at({ anthropic: true })).rates.cacheRead).toBe(300_000_000)
    expect(ratesFor(plain, at({ anthropic: false })).rates.cacheRead).toBe(3_000_000_000)
  })

  test('audio, images and reasoning without a price cost what text does', () => {
    const { rates: effective } = ratesFor(plain, at({}))
    expect([effective.inputAudio, effective.inputImage]).toEqual([3e9, 3e9])
    expect([effective.outputAudio, effective.outputImage, effective.reasoning]).toEqual([15e9, 15e9, 15e9])
  })

  test('a default is rounded half up to a whole rate', () => {
    expect(ratesFor({ rates: { input: 5, output: 5 } }, at({ anthropic: true })).rates).toMatchObject({
      cacheRead: 1,
      cacheWrite5m: 6,
      cacheWrite1h: 10,
    })
  })

  test('a price that is there is taken as it is, even when it breaks the usual ratio', () => {
    const odd: Price = { rates: rates({ input: 0.25, output: 1.25, cacheWrite5m: 0.3, cacheRead: 0.03 }) }
    expect(ratesFor(odd, at({ anthropic: true })).rates).toMatchObject({ cacheWrite5m: 3e8, cacheRead: 3e7 })
  })
})

const tiered: Price = {
  rates: rates({ input: 1, output: 4, cacheRead: 0.1, reasoning: 8 }),
  serviceTiers: { priority: rates({ input: 2, output: 6 }), flex: rates({ input: 0.5, output: 2 }) },
  contextTiers: [
    { aboveTokens: 100, rates: rates({ input: 2, output: 5 }) },
    {
      aboveTokens: 1000,
      rates: rates({ input: 4, output: 7, cacheRead: 0.3 }),
      serviceTiers: { priority: rates({ input: 9 }) },
    },
  ],
}

describe('tiers (BIL-4)', () => {
  test('a context tier begins above its threshold, not at it (BIL-4)', () => {
    expect(ratesFor(tiered, at({ contextTokens: 100 }))).toMatchObject({ aboveTokens: 0, rates: { input: 1e9 } })
    expect(ratesFor(tiered, at({ contextTokens: 101 }))).toMatchObject({ aboveTokens: 100, rates: { input: 2e9 } })
  })

  test('the highest tier reached prices everything, output included (BIL-4)', () => {
    const { rates: effective, aboveTokens } = ratesFor(tiered, at({ contextTokens: 5000 }))
    expect(aboveTokens).toBe(1000)
    expect([effective.input, effective.output, effective.cacheRead]).toEqual([4e9, 7e9, 3e8])
  })

  test('what a tier does not price keeps its ratio to input or output (BIL-4)', () => {
    const { rates: effective } = ratesFor(tiered, at({ contextTokens: 101 }))
    expect(effective.cacheRead).toBe(2e8)
    expect(effective.cacheWrite1h).toBe(4e9)
    expect(effective.reasoning).toBe(10e9)
  })

  test('a service tier has its own prices (BIL-4)', () => {
    expect(ratesFor(tiered, at({ contextTokens: 1, serviceTier: 'priority' }))).toMatchObject({
      serviceTier: 'priority',
      rates: { input: 2e9, output: 6e9, cacheRead: 2e8 },
    })
    expect(ratesFor(tiered, at({ contextTokens: 1, serviceTier: 'flex' })).rates.input).toBe(5e8)
  })

  test('above a context tier a service tier changes prices as it does below, unless it has its own there (BIL-4)', () => {
    expect(ratesFor(tiered, at({ contextTokens: 101, serviceTier: 'flex' })).rates).toMatchObject({
      input: 1e9,
      output: 25e8,
    })
    expect(ratesFor(tiered, at({ contextTokens: 1001, serviceTier: 'priority' })).rates).toMatchObject({
      input: 9e9,
      output: 7e9,
    })
  })

  test('batch costs half where it has no price; other tiers without one are billed, and recorded, as standard (BIL-4)', () => {
    expect(ratesFor(plain, at({ serviceTier: 'batch' }))).toMatchObject({
      serviceTier: 'batch',
      rates: { input: 15e8, output: 75e8 },
    })
    expect(ratesFor(plain, at({ serviceTier: 'flex' }))).toMatchObject({
      serviceTier: 'standard',
      rates: { input: 3e9 },
    })
    expect(ratesFor(plain, at({ serviceTier: 'priority' }))).toMatchObject({
      serviceTier: 'standard',
      rates: { output: 15e9 },
    })
  })

  test('a free model stays free in every tier', () => {
    const free: Price = { ...tiered, rates: { input: 0, output: 0 } }
    expect(ratesFor(free, at({ contextTokens: 101, serviceTier: 'batch' })).rates.cacheWrite1h).toBe(0)
  })
})

describe('words for a service tier', () => {
  for (const [word, tier] of [
    ['flex', 'flex'],
    ['priority', 'priority'],
    ['batch', 'batch'],
    ['PRIORITY', 'priority'],
    ['ON_DEMAND_FLEX', 'flex'],
    ['ON_DEMAND_PRIORITY', 'priority'],
    ['ON_DEMAND', 'standard'],
    ['PROVISIONED_THROUGHPUT', 'standard'],
    ['default', 'standard'],
    ['auto', 'standard'],
    ['scale', 'standard'],
    ['standard', 'standard'],
    ['', 'standard'],
    [null, 'standard'],
  ] as const) {
    test(`${word} is billed as ${tier} (BIL-4)`, () => {
      expect(toServiceTier(word)).toBe(tier)
    })
  }
})

describe('prices that come from outside', () => {
  test('a whole price is accepted', () => {
    expect(Value.Check(PriceSchema, tiered)).toBe(true)
  })

  for (const [what, price] of [
    ['a negative rate', { rates: { input: -1, output: 1 } }],
    ['a fraction of a rate', { rates: { input: 1.5, output: 1 } }],
    ['a rate beyond exact integers', { rates: { input: 2 ** 54, output: 1 } }],
    ['a missing output price', { rates: { input: 1 } }],
    ['an unknown kind of token', { rates: { input: 1, output: 1, cache_read: 1 } }],
    ['a context tier from 0', { rates: { input: 1, output: 1 }, contextTiers: [{ aboveTokens: 0, rates: {} }] }],
  ] as const) {
    test(`${what} is refused`, () => {
      expect(Value.Check(PriceSchema, price)).toBe(false)
    })
  }
})
