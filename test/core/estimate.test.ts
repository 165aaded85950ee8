import { describe, expect, test } from 'bun:test'
import {
  estimateHold,
  estimateRelayedTokens,
  estimateTokens,
  type RelayedEstimateInput,
  type TokenEstimateInput,
} from '../../src/core/estimate.ts'
import { PROTOCOL_IDS } from '../../src/core/platform.ts'
import { rates, resolved, usage } from '../support/prices.ts'

function tokens(input: Partial<TokenEstimateInput>) {
  const { input: inputTokens, output } = estimateTokens({
    protocol: 'openai-chat',
    bodyBytes: 4000,
    maxOutputTokens: null,
    assumedOutputTokens: 4096,
    choices: 1,
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
    expect(tokens({ maxOutputTokens: null, assumedOutputTokens: 100 })).toEqual([1000, 100])
    expect(tokens({ generates: false, maxOutputTokens: 50 })).toEqual([1000, 0])
  })

  test('each answer asked for may be as long as the cap (BIL-7)', () => {
    expect(tokens({ maxOutputTokens: 50, choices: 3 })).toEqual([1000, 150])
    expect(tokens({ choices: 2 })).toEqual([1000, 8192])
    const price = resolved({ maxOutputTokens: 40 })
    expect(tokens({ price, maxOutputTokens: 50, choices: 3 })).toEqual([1000, 120])
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
  const relayed = (over: Partial<RelayedEstimateInput>) =>
    estimateRelayedTokens({
      protocol: 'openai-chat',
      relayedBytes: 100_000,
      streamed: true,
      maxOutputTokens: null,
      choices: 1,
      price: null,
      ...over,
    })

  test('nothing relayed is no token, more bytes are never fewer tokens, and framing makes streams thicker (BIL-9)', () => {
    for (const protocol of PROTOCOL_IDS) {
      const [streamed, whole] = [relayed({ protocol }), relayed({ protocol, streamed: false })]
      expect(relayed({ protocol, relayedBytes: 0 })).toBe(0)
      expect(streamed).toBeGreaterThan(0)
      expect(whole).toBeGreaterThan(streamed)
    }
  })

  test('an answer can not have been longer than its cap, nor than its model can answer; each of several may (BIL-9)', () => {
    expect(relayed({ maxOutputTokens: 5 })).toBe(5)
    expect(relayed({ maxOutputTokens: 5, choices: 3 })).toBe(15)
    expect(relayed({ price: resolved({ maxOutputTokens: 4 }), maxOutputTokens: 5, choices: 2 })).toBe(8)
    expect(relayed({ maxOutputTokens: 1_000_000 })).toBe(relayed({}))
  })
})
