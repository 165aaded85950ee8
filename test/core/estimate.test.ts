import { describe, expect, test } from 'bun:test'
import {
  estimateHold,
  estimateRelayedTokens,
  estimateTokens,
  type TokenEstimateInput,
} from '../../src/core/estimate.ts'
import { PROTOCOL_IDS } from '../../src/core/platform.ts'
import { rates, resolved, usage } from '../support/prices.ts'

function tokens(input: Partial<TokenEstimateInput>) {
  const { input: inputTokens, output } = estimateTokens({
    protocol: 'openai-chat',
    bodyBytes: 4000,
    maxOutputTokens: null,
    generates: true,
    price: null,
    ...input,
  })
  return [inputTokens, output]
}

describe('the estimate before sending (BIL-7)', () => {
  test('input follows from the body’s size by the protocol’s bytes per token, rounded up (BIL-7)', () => {
    expect(tokens({ bodyBytes: 4001 })).toEqual([1001, 4096])
    expect(tokens({ protocol: 'anthropic', bodyBytes: 3500 })).toEqual([1000, 4096])
  })

  test('output is the client’s cap, else a default; embeddings generate nothing (BIL-7)', () => {
    expect(tokens({ maxOutputTokens: 50 })).toEqual([1000, 50])
    expect(tokens({ maxOutputTokens: null })).toEqual([1000, 4096])
    expect(tokens({ generates: false, maxOutputTokens: 50 })).toEqual([1000, 0])
  })

  test('neither exceeds what the model can take or give: a body of images has more bytes than tokens (BIL-7)', () => {
    const price = resolved({ maxInputTokens: 200_000, maxOutputTokens: 64_000 })
    expect(tokens({ price, bodyBytes: 20_000_000, maxOutputTokens: 1_000_000 })).toEqual([200_000, 64_000])
    expect(tokens({ price })).toEqual([1000, 4096])
  })

  test('the hold is tokens × price × multiplier, with the price per request (BIL-7)', () => {
    const price = resolved({ perRequestNano: 1_000_000 })
    expect(estimateHold(usage({ input: 1000, output: 1000 }), price, 1_500_000)).toBe(28_500_000n)
    expect(estimateHold(usage({ input: 1000, output: 1000 }), price, 1_000_000)).toBe(19_000_000n)
  })

  test('an estimate beyond a context tier is held at the tier’s price (BIL-4, BIL-7)', () => {
    const price = resolved({ contextTiers: [{ aboveTokens: 1000, rates: rates({ input: 6, output: 30 }) }] })
    expect(estimateHold(usage({ input: 1001, output: 1 }), price, 1_000_000)).toBe(6_006_000n + 30_000n)
  })

  test('for an unpriced model there is nothing to hold (BIL-3)', () => {
    expect(estimateHold(usage({ input: 1_000_000 }), null, 1_000_000)).toBe(0n)
  })
})

describe('the estimate of what was relayed (BIL-9)', () => {
  test('nothing relayed is no token, more bytes are never fewer tokens, and framing makes streams thicker (BIL-9)', () => {
    for (const protocol of PROTOCOL_IDS) {
      expect(estimateRelayedTokens(protocol, 0, true)).toBe(0)
      expect(estimateRelayedTokens(protocol, 100_000, true)).toBeGreaterThan(0)
      expect(estimateRelayedTokens(protocol, 100_000, false)).toBeGreaterThan(
        estimateRelayedTokens(protocol, 100_000, true),
      )
    }
  })
})
