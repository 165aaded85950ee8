import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { fromGeminiUsage } from '../../../src/protocols/gemini/usage.ts'

describe("Gemini's usageMetadata", () => {
  test('quirk 21: thoughts are added to the output, tool use prompts to the input, cached is inside the prompt (BIL-1)', () => {
    const report = fromGeminiUsage({
      promptTokenCount: 100,
      cachedContentTokenCount: 30,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 400,
      toolUsePromptTokenCount: 50,
      totalTokenCount: 570,
      serviceTier: 'flex',
    })!
    expect(report.usage).toEqual({ ...NO_USAGE, input: 120, cacheRead: 30, output: 420, reasoning: 400 })
    expect(report.serviceTier).toBe('flex')
  })

  test('quirk 23: a blocked prompt has no candidates; the tier may be called trafficType (BIL-1)', () => {
    const report = fromGeminiUsage({ promptTokenCount: 9, totalTokenCount: 9, trafficType: 'ON_DEMAND_FLEX' })!
    expect(report.usage).toEqual({ ...NO_USAGE, input: 9 })
    expect(report.serviceTier).toBe('ON_DEMAND_FLEX')
  })

  test('audio and image parts are those of the leaf: cached audio is not audio input (BIL-1)', () => {
    const { usage } = fromGeminiUsage({
      promptTokenCount: 1000,
      cachedContentTokenCount: 300,
      candidatesTokenCount: 299,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 300 },
        { modality: 'AUDIO', tokenCount: 600 },
        { modality: 'IMAGE', tokenCount: 100 },
      ],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 250 }],
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 258 }],
    })!
    expect(usage).toMatchObject({ input: 700, inputAudio: 350, inputImage: 100, cacheRead: 300, cacheReadAudio: 250 })
    expect(usage).toMatchObject({ output: 299, outputImage: 258, outputAudio: 0 })
  })

  test('more cached than prompt tokens never make the input negative (BIL-1)', () => {
    expect(fromGeminiUsage({ promptTokenCount: 5, cachedContentTokenCount: 9 })!.usage).toMatchObject({
      input: 5,
      cacheRead: 9,
    })
  })

  test('an object without a number that we know is no usage (BIL-1)', () => {
    for (const raw of [null, [], {}, { trafficType: 'ON_DEMAND' }, { promptTokenCount: 'many' }]) {
      expect(fromGeminiUsage(raw)).toBeNull()
    }
  })
})
