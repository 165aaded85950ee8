import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { fromAnthropicUsage } from '../../../src/protocols/anthropic/usage.ts'

describe("Anthropic's usage object", () => {
  test('cache reads and writes are outside the input; thinking is inside the output (BIL-1)', () => {
    const report = fromAnthropicUsage({
      input_tokens: 12,
      output_tokens: 340,
      cache_read_input_tokens: 18_000,
      cache_creation_input_tokens: 500,
      output_tokens_details: { thinking_tokens: 139 },
      server_tool_use: { web_search_requests: 2 },
      service_tier: 'priority',
    })
    expect(report).toEqual({
      usage: {
        ...NO_USAGE,
        input: 12,
        output: 340,
        cacheRead: 18_000,
        cacheWrite5m: 500,
        reasoning: 139,
        webSearches: 2,
      },
      iterations: null,
      serviceTier: 'priority',
      uplifts: [],
    })
  })

  test('place and speed count as the response says them; the ordinary ones multiply nothing (BIL-4)', () => {
    const upliftsOf = (said: object) => fromAnthropicUsage({ input_tokens: 1, ...said })!.uplifts
    expect(upliftsOf({ inference_geo: 'us', speed: 'fast' })).toEqual(['us', 'fast'])
    expect(upliftsOf({ inference_geo: 'eu' })).toEqual(['eu'])
    expect(upliftsOf({ inference_geo: 'global', speed: 'standard' })).toEqual([])
    expect(upliftsOf({ inference_geo: 'not_available', speed: null })).toEqual([])
    expect(upliftsOf({ inference_geo: 7, speed: '' })).toEqual([])
  })

  test('quirk 2: 1-hour writes are as reported, all the rest of the total is 5-minute (BIL-1)', () => {
    const split = { ephemeral_5m_input_tokens: 3068, ephemeral_1h_input_tokens: 7 }
    const usage = fromAnthropicUsage({ cache_creation_input_tokens: 3337, cache_creation: split })!.usage
    expect(usage).toMatchObject({ cacheWrite5m: 3330, cacheWrite1h: 7 })
  })

  test('a split without a total is the whole; a total without a split is 5-minute (BIL-1)', () => {
    const split = { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 7 }
    expect(fromAnthropicUsage({ input_tokens: 1, cache_creation: split })!.usage).toMatchObject({
      cacheWrite5m: 30,
      cacheWrite1h: 7,
    })
    expect(fromAnthropicUsage({ cache_creation_input_tokens: 4000 })!.usage).toMatchObject({
      cacheWrite5m: 4000,
      cacheWrite1h: 0,
    })
  })

  test('quirk 3: iterations beyond the top level are listed, each with its model (BIL-1)', () => {
    const report = fromAnthropicUsage({
      input_tokens: 2411,
      output_tokens: 145,
      iterations: [
        { type: 'message', input_tokens: 1128, output_tokens: 135 },
        { type: 'advisor_message', model: 'claude-opus-4-8', input_tokens: 2543, output_tokens: 18 },
        { type: 'message', input_tokens: 1283, output_tokens: 10 },
      ],
    })!
    expect(report.usage).toEqual({ ...NO_USAGE, input: 2411, output: 145 })
    expect(report.iterations).toEqual([
      { model: null, usage: { ...NO_USAGE, input: 1128, output: 135 } },
      { model: 'claude-opus-4-8', usage: { ...NO_USAGE, input: 2543, output: 18 } },
      { model: null, usage: { ...NO_USAGE, input: 1283, output: 10 } },
    ])
  })

  test('quirk 3: iterations that only repeat the top level, or do not cover it, are no bill of their own (BIL-1)', () => {
    const top = { input_tokens: 28, output_tokens: 106 }
    expect(fromAnthropicUsage({ ...top, iterations: [{ ...top, type: 'message' }] })!.iterations).toBeNull()
    expect(fromAnthropicUsage({ ...top, iterations: [{ input_tokens: 900, output_tokens: 0 }] })!.iterations).toBeNull()
    expect(fromAnthropicUsage({ ...top, iterations: [null, 'x'] })!.iterations).toBeNull()
  })

  test('an object without a number that we know is no usage (BIL-1)', () => {
    for (const raw of [null, 7, [], {}, { service_tier: 'standard' }, { input_tokens: null }]) {
      expect(fromAnthropicUsage(raw)).toBeNull()
    }
  })
})
