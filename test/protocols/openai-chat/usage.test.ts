import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { NO_USAGE, totalTokens, type Usage } from '../../../src/core/usage.ts'
import { fromOpenaiUsage } from '../../../src/protocols/openai-chat/usage.ts'

function usageOf(raw: unknown): Usage {
  return fromOpenaiUsage(raw)!.usage
}

describe('usage of the OpenAI dialects', () => {
  test('cached tokens are counted once: they are inside the prompt (BIL-1)', () => {
    const usage = usageOf({
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 120,
      prompt_tokens_details: { cached_tokens: 60 },
      completion_tokens_details: { reasoning_tokens: 5 },
    })
    expect(usage).toEqual({ ...NO_USAGE, input: 40, cacheRead: 60, output: 20, reasoning: 5 })
    expect(totalTokens(usage)).toBe(120)
  })

  test('quirk 9: cached and written tokens are both inside the input, under the names of Responses too (BIL-1)', () => {
    const usage = usageOf({
      input_tokens: 1000,
      output_tokens: 10,
      total_tokens: 1010,
      input_tokens_details: { cached_tokens: 300, cache_write_tokens: 500 },
      output_tokens_details: { reasoning_tokens: 4 },
    })
    expect(usage).toEqual({ ...NO_USAGE, input: 200, cacheRead: 300, cacheWrite5m: 500, output: 10, reasoning: 4 })
  })

  test('quirk 10: the total decides whether reasoning is outside the output (BIL-1)', () => {
    const reasoning = { completion_tokens_details: { reasoning_tokens: 340 } }
    expect(usageOf({ prompt_tokens: 12, completion_tokens: 2, total_tokens: 354, ...reasoning })).toMatchObject({
      input: 12,
      output: 342,
      reasoning: 340,
    })
    expect(usageOf({ prompt_tokens: 12, completion_tokens: 400, total_tokens: 412, ...reasoning }).output).toBe(400)
  })

  test('quirk 10: a rest that is both the reasoning and the cached tokens is the reasoning (BIL-1)', () => {
    const details = { prompt_tokens_details: { cached_tokens: 8 }, completion_tokens_details: { reasoning_tokens: 8 } }
    const usage = usageOf({ prompt_tokens: 12, completion_tokens: 2, total_tokens: 22, ...details })
    expect(usage).toEqual({ ...NO_USAGE, input: 4, cacheRead: 8, output: 10, reasoning: 8 })
  })

  test('quirk 10: thoughts that only the total shows are output (BIL-1)', () => {
    const usage = usageOf({ prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 })
    expect(usage).toEqual({ ...NO_USAGE, input: 35, output: 74, reasoning: 62 })
  })

  test('quirk 11: more cached than prompt tokens: the cache is outside, and uncached is never below zero (BIL-1)', () => {
    const raw = {
      prompt_tokens: 7,
      completion_tokens: 3,
      total_tokens: 10,
      prompt_tokens_details: { cached_tokens: 161 },
    }
    expect(usageOf(raw)).toEqual({ ...NO_USAGE, input: 7, cacheRead: 161, output: 3 })
    expect(usageOf({ ...raw, prompt_tokens_details: { cached_tokens: 7, cache_write_tokens: 7 } }).input).toBe(0)
  })

  test('quirk 11: a total that has the cached tokens beside the prompt says so, too (BIL-1)', () => {
    const raw = {
      prompt_tokens: 200,
      completion_tokens: 3,
      total_tokens: 253,
      prompt_tokens_details: { cached_tokens: 50 },
    }
    expect(usageOf(raw)).toEqual({ ...NO_USAGE, input: 200, cacheRead: 50, output: 3 })
  })

  test('quirk 12: audio that Mistral leaves out of the prompt is input, and audio (BIL-1)', () => {
    const usage = usageOf({ prompt_tokens: 9, completion_tokens: 201, total_tokens: 585, prompt_audio_seconds: 29 })
    expect(usage).toEqual({ ...NO_USAGE, input: 384, inputAudio: 375, output: 201 })
  })

  test('quirk 18: of the four names of the cache count one counts, never two (BIL-1)', () => {
    const base = { prompt_tokens: 100, completion_tokens: 1, total_tokens: 101 }
    const named = [
      { prompt_tokens_details: { cached_tokens: 64 } },
      { cached_tokens: 64 },
      { prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 },
      { prompt_cache_hit_tokens: 64, prompt_tokens_details: { cached_tokens: 64 } },
    ]
    for (const names of named) expect(usageOf({ ...base, ...names })).toMatchObject({ input: 36, cacheRead: 64 })
  })

  test('quirk 18: a total alone is input (Voyage) (BIL-1)', () => {
    expect(usageOf({ total_tokens: 3 })).toEqual({ ...NO_USAGE, input: 3 })
    expect(usageOf({ prompt_tokens: 5, total_tokens: 5 })).toEqual({ ...NO_USAGE, input: 5 })
  })

  test('audio and image tokens are parts of their leaf, cached audio of the cached one (BIL-1)', () => {
    const usage = usageOf({
      prompt_tokens: 1000,
      completion_tokens: 300,
      prompt_tokens_details: {
        cached_tokens: 100,
        audio_tokens: 600,
        image_tokens: 50,
        cached_tokens_details: { audio_tokens: 80 },
      },
      completion_tokens_details: { audio_tokens: 200, image_tokens: 500 },
    })
    expect(usage).toMatchObject({ input: 900, inputAudio: 520, inputImage: 50, cacheReadAudio: 80 })
    expect(usage).toMatchObject({ output: 300, outputAudio: 200, outputImage: 100 })
  })

  test('quirk 17: what vendors add to their usage objects does not matter (BIL-1)', () => {
    const raw = {
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
      cost: 0.1,
      queue_time: 0.2,
      num_cached_tokens: 1,
    }
    expect(usageOf(raw)).toEqual({ ...NO_USAGE, input: 1, output: 2 })
  })

  test('an object without a number that we know is no usage (BIL-1)', () => {
    for (const raw of [
      null,
      undefined,
      'x',
      [],
      {},
      { search_units: 3 },
      { prompt_tokens: null },
      { prompt_tokens: '9' },
    ]) {
      expect(fromOpenaiUsage(raw)).toBeNull()
    }
  })

  test('whatever is sent, leaves are whole numbers ≥ 0 and parts are no larger than their leaf (BIL-1)', () => {
    const number = fc.oneof(fc.nat(1000), fc.double(), fc.constantFrom(null, 'x', -5, 1e300, {}, []))
    const details = fc.record(
      {
        cached_tokens: number,
        audio_tokens: number,
        image_tokens: number,
        cache_write_tokens: number,
        reasoning_tokens: number,
      },
      { requiredKeys: [] },
    )
    const raw = fc.record(
      {
        prompt_tokens: number,
        completion_tokens: number,
        total_tokens: number,
        cached_tokens: number,
        prompt_tokens_details: details,
        completion_tokens_details: details,
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(raw, (sent) => {
        const usage = fromOpenaiUsage(sent)?.usage ?? NO_USAGE
        for (const count of Object.values(usage)) expect(Number.isSafeInteger(count) && count >= 0).toBe(true)
        expect(usage.inputAudio + usage.inputImage).toBeLessThanOrEqual(usage.input)
        expect(usage.outputAudio + usage.outputImage).toBeLessThanOrEqual(usage.output)
        expect(usage.cacheReadAudio).toBeLessThanOrEqual(usage.cacheRead)
      }),
      { numRuns: 500 },
    )
  })
})
