import { describe, expect, test } from 'bun:test'
import { usageInAnswer } from '../../../src/providers/bedrock/usage.ts'

const METRICS = { 'amazon-bedrock-invocationMetrics': { inputTokenCount: 5, outputTokenCount: 98 } }

describe('tokens in what Bedrock answers', () => {
  test.each([
    [{ usage: { inputTokens: 3, outputTokens: 61, totalTokens: 64 } }, { input: 3, output: 61, cacheRead: 0 }],
    [
      {
        usage: {
          inputTokens: 3,
          outputTokens: 61,
          cacheReadInputTokens: 2074,
          cacheWriteInputTokens: 300,
          cacheDetails: [
            { inputTokens: 297, ttl: '5m' },
            { inputTokens: 3, ttl: '1h' },
          ],
        },
      },
      { input: 3, output: 61, cacheRead: 2074, cacheWrite5m: 297, cacheWrite1h: 3 },
    ],
    [
      { usage: { input_tokens: 4, output_tokens: 50, cache_read_input_tokens: 7 } },
      { input: 4, output: 50, cacheRead: 7 },
    ],
    [
      { inputTextTokenCount: 5, results: [{ tokenCount: 10 }, { tokenCount: 2 }] },
      { input: 5, output: 12 },
    ],
    [
      { prompt_token_count: 6, generation_token_count: 7 },
      { input: 6, output: 7 },
    ],
    [
      { embedding: [0.1], inputTextTokenCount: 4 },
      { input: 4, output: 0 },
    ],
    [{ inputTokens: 11 }, { input: 11, output: 0 }],
    [
      { completion: 'x', ...METRICS },
      { input: 5, output: 98 },
    ],
    [
      { prompt_token_count: 6, generation_token_count: 7, ...METRICS },
      { input: 6, output: 7 },
    ],
  ])('%j: cache is outside the input, the model beats the measurements (BIL-1, quirk 24)', (answer, usage) => {
    expect(usageInAnswer(answer)).toMatchObject(usage)
  })

  test.each([[{}], [null], [{ usage: {} }], [{ usage: { inputTokens: 'many' } }]])(
    '%j reports none (BIL-1)',
    (answer) => {
      expect(usageInAnswer(answer)).toBeNull()
    },
  )

  test('a stream of Converse, bare or in Nova’s chunks: the metadata’s usage (BIL-1)', () => {
    const usage = { inputTokens: 5, outputTokens: 10, cacheReadInputTokenCount: 2, cacheWriteInputTokenCount: 1 }
    const counted = { input: 5, output: 10, cacheRead: 2, cacheWrite5m: 1 }
    for (const event of [{ role: 'assistant' }, { messageStart: {} }]) expect(usageInAnswer(event)).toBeNull()
    expect(usageInAnswer({ usage, metrics: {} })).toMatchObject(counted)
    expect(usageInAnswer({ metadata: { usage }, ...METRICS })).toMatchObject(counted)
  })
})
