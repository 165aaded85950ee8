import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { priceNames } from '../../src/core/model-name.ts'

/** What is asked for → the last and shortest name it is looked up by. */
const SHORTEST: Record<string, string> = {
  'gpt-5': 'gpt-5',
  'gpt-5.4': 'gpt-5.4',
  'GPT-5': 'gpt-5',
  ' gpt-5 ': 'gpt-5',
  'openai/gpt-4o': 'gpt-4o',
  'models/gemini-2.5-pro': 'gemini-2.5-pro',
  'publishers/google/models/gemini-2.5-pro': 'gemini-2.5-pro',
  'accounts/fireworks/models/kimi-k2': 'kimi-k2',
  'gpt-4o-2024-08-06': 'gpt-4o',
  'claude-sonnet-4-5-20250929': 'claude-sonnet-4-5',
  'claude-sonnet-4-5@20250929': 'claude-sonnet-4-5',
  'jamba-1.5-large@001': 'jamba-1.5-large',
  'claude-3-7-sonnet-latest': 'claude-3-7-sonnet',
  'claude-opus-4-0': 'claude-opus-4',
  'claude-sonnet-4-5[1m]': 'claude-sonnet-4-5',
  'anthropic.claude-sonnet-4-5-20250929-v1:0': 'claude-sonnet-4-5',
  'us.anthropic.claude-sonnet-4-5-20250929-v1:0': 'claude-sonnet-4-5',
  'us-gov.anthropic.claude-3-haiku-20240307-v1:0:200k': 'claude-3-haiku',
  'global.anthropic.claude-opus-4-6-v1': 'claude-opus-4-6',
  'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0': 'nova-pro',
  'anthropic/claude-sonnet-4.5': 'claude-sonnet-4-5',
  'openrouter/anthropic/claude-opus-4.1:thinking': 'claude-opus-4-1',
  'gemini-2.0-flash-001': 'gemini-2.0-flash',
  'gemini-2.5-flash-preview-09-2025': 'gemini-2.5-flash-preview',
  'mistral-large-2411': 'mistral-large',
  'kimi-k2-thinking-251104': 'kimi-k2-thinking',
  'gpt-4-0613': 'gpt-4',
  'ft:gpt-4o-2024-08-06:my-org::id': 'ft:gpt-4o',
}

/** Names of which nothing may be taken off: what looks like a suffix is part of the name. */
const WHOLE = [
  'o3',
  'gpt-3.5-turbo-16k',
  'text-embedding-3-large',
  'moonshot-v1-128k',
  'gpt-4-turbo',
  'deepseek-v3.2',
  'grok-4:free',
  'llama3:8b',
  'ft:gpt-4o',
  'e5-large-v2',
  'qwen3-8b',
  'phi-4',
]

describe('names by which a price is looked up (BIL-2)', () => {
  for (const [asked, shortest] of Object.entries(SHORTEST)) {
    test(`${asked} is looked up as ${shortest} in the end (BIL-2)`, () => {
      expect(priceNames(asked).at(-1)).toBe(shortest)
    })
  }

  for (const name of WHOLE) {
    test(`${name} stands for nothing but itself (BIL-2)`, () => {
      expect(priceNames(name)).toEqual([name])
    })
  }

  test('the fewest changes come first: the vendor goes before the date does (BIL-2)', () => {
    expect(priceNames('us.anthropic.claude-sonnet-4-5-20250929-v1:0')).toEqual([
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'claude-sonnet-4-5-20250929-v1:0',
      'us.anthropic.claude-sonnet-4-5-20250929',
      'anthropic.claude-sonnet-4-5-20250929',
      'claude-sonnet-4-5-20250929',
      'us.anthropic.claude-sonnet-4-5',
      'anthropic.claude-sonnet-4-5',
      'claude-sonnet-4-5',
    ])
  })

  test('a fine-tuned model is never looked up as its cheaper base (BIL-2)', () => {
    expect(priceNames('ft:gpt-4o-2024-08-06:my-org::id')).toEqual([
      'ft:gpt-4o-2024-08-06:my-org::id',
      'ft:gpt-4o-2024-08-06',
      'ft:gpt-4o',
    ])
  })

  test('an empty or absurdly long name is looked up by nothing', () => {
    expect(priceNames('')).toEqual([])
    expect(priceNames('  ')).toEqual([])
    expect(priceNames('a'.repeat(201))).toEqual([])
  })

  test('any text gives a finite list of distinct names that begins with itself (BIL-2)', () => {
    const piece = fc.constantFrom(
      'us.',
      'anthropic.',
      'a/',
      '/',
      ':',
      '@',
      '-latest',
      '-20250101',
      '[1m]',
      'ft:',
      'claude-',
      '-v1:0',
      '-0',
    )
    const name = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(name, (text) => {
        const names = priceNames(text)
        const self = text.trim().toLowerCase()
        expect(names.at(0)).toBe(self === '' ? undefined : self)
        expect(new Set(names).size).toBe(names.length)
        expect(names).not.toContain('')
      }),
    )
  })
})
