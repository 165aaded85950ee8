import { describe, expect, test } from 'bun:test'
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import type { Price } from '../../src/core/price.ts'
import { fromWirePrice, toWirePrice, type WirePrice } from '../../src/core/price-wire.ts'
import { rates } from '../support/prices.ts'

describe('prices as people write them (BIL-2)', () => {
  test('every field comes in as a whole rate (BIL-2)', () => {
    const wire: WirePrice = {
      input_usd: 3,
      output_usd: 15,
      cache_read_usd: 0.3,
      cache_write_5m_usd: 3.75,
      cache_write_1h_usd: 6,
      input_audio_usd: 10,
      input_image_usd: 4,
      cache_read_audio_usd: 2.5,
      output_audio_usd: 20,
      output_image_usd: 30,
      reasoning_usd: 16,
      request_usd: 0.005,
      web_search_usd: 0.01,
      context_tiers: [{ above_tokens: 200_000, input_usd: 6, service_tiers: { priority: { input_usd: 12 } } }],
      service_tiers: { flex: { output_usd: 7.5 }, batch: { input_usd: 1.5 } },
    }
    const price: Price = {
      rates: rates({
        input: 3,
        output: 15,
        cacheRead: 0.3,
        cacheWrite5m: 3.75,
        cacheWrite1h: 6,
        inputAudio: 10,
        inputImage: 4,
        cacheReadAudio: 2.5,
        outputAudio: 20,
        outputImage: 30,
        reasoning: 16,
      }),
      perRequestNano: 5_000_000,
      perWebSearchNano: 10_000_000,
      contextTiers: [
        { aboveTokens: 200_000, rates: rates({ input: 6 }), serviceTiers: { priority: rates({ input: 12 }) } },
      ],
      serviceTiers: { flex: rates({ output: 7.5 }), batch: rates({ input: 1.5 }) },
    }
    expect(fromWirePrice(wire)).toEqual(price)
    expect(toWirePrice(price)).toEqual(wire)
  })

  test('a price of requests alone has no price of tokens; what is finer than a nanodollar is rounded (BIL-5)', () => {
    expect(fromWirePrice({ request_usd: 0.1 })).toEqual({ rates: { input: 0, output: 0 }, perRequestNano: 100_000_000 })
    expect(fromWirePrice({ input_usd: 0.00000000051 }).rates.input).toBe(1)
  })

  test('each price of the built-in table goes out and comes back the same, limits and uplifts apart', () => {
    for (const {
      model,
      vendor,
      platform,
      source,
      date,
      uplifts,
      maxInputTokens,
      maxOutputTokens,
      ...price
    } of builtInPrices()) {
      expect([model, fromWirePrice(JSON.parse(JSON.stringify(toWirePrice(price))))]).toEqual([model, price])
    }
  })
})
