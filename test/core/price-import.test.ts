import { describe, expect, test } from 'bun:test'
import type { Correction } from '../../src/core/price-corrections.ts'
import { importPrices } from '../../src/core/price-import.ts'
import { rates } from '../support/prices.ts'

const chat = { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 3e-6, output_cost_per_token: 15e-6 }

function take(table: unknown, corrections: Correction[] = []) {
  const imported = importPrices(table, { date: '2026-07-24', corrections })
  if (imported === null) throw new Error('not a table')
  return imported
}

/** One entry → its row, or why it was refused or skipped. */
function one(entry: object, key = 'some-model', corrections: Correction[] = []) {
  const { rows, refused, skipped } = take({ [key]: entry }, corrections)
  return { row: rows.at(0), reasons: refused.at(0)?.reasons ?? [], skipped: Object.keys(skipped).at(0) }
}

describe('an entry of the price table (BIL-2)', () => {
  test('prices per token become whole rates, exactly, binary noise taken off', () => {
    const { row } = one({ ...chat, input_cost_per_token: 2.9999900000000002e-6, cache_read_input_token_cost: 7.5e-8 })
    expect(row).toMatchObject({
      model: 'some-model',
      vendor: 'openai',
      platform: null,
      source: 'built-in',
      date: '2026-07-24',
      rates: { input: 2_999_990_000, output: 15_000_000_000, cacheRead: 75_000_000 },
    })
  })

  test('every kind of token has its field', () => {
    const { row } = one({
      ...chat,
      cache_read_input_token_cost: 1e-6,
      cache_creation_input_token_cost: 3.75e-6,
      cache_creation_input_token_cost_above_1hr: 6e-6,
      input_cost_per_audio_token: 4e-6,
      input_cost_per_image_token: 5e-6,
      cache_read_input_audio_token_cost: 2e-6,
      output_cost_per_audio_token: 7e-6,
      output_cost_per_image_token: 8e-6,
      output_cost_per_reasoning_token: 9e-6,
      input_cost_per_token_cache_hit: 99e-6,
    })
    expect(row?.rates).toEqual(
      rates({
        input: 3,
        output: 15,
        cacheRead: 1,
        cacheWrite5m: 3.75,
        cacheWrite1h: 6,
        inputAudio: 4,
        inputImage: 5,
        cacheReadAudio: 2,
        outputAudio: 7,
        outputImage: 8,
        reasoning: 9,
      }),
    )
  })

  test('fields with a tier behind their name become tiers (BIL-4)', () => {
    const { row } = one({
      ...chat,
      cache_creation_input_token_cost_above_1hr: 6e-6,
      cache_creation_input_token_cost_above_1hr_above_200k_tokens: 12e-6,
      input_cost_per_token_above_200k_tokens: 6e-6,
      output_cost_per_token_above_200k_tokens: 22.5e-6,
      input_cost_per_token_priority: 6e-6,
      input_cost_per_token_flex: 1.5e-6,
      output_cost_per_token_batches: 7.5e-6,
      input_cost_per_token_above_200k_tokens_priority: 12e-6,
    })
    expect(row?.serviceTiers).toEqual({
      priority: rates({ input: 6 }),
      flex: rates({ input: 1.5 }),
      batch: rates({ output: 7.5 }),
    })
    expect(row?.contextTiers).toEqual([
      {
        aboveTokens: 200_000,
        rates: rates({ cacheWrite1h: 12, input: 6, output: 22.5 }),
        serviceTiers: { priority: rates({ input: 12 }) },
      },
    ])
  })

  test('prices by ranges of input become context tiers (BIL-4)', () => {
    const { row } = one({
      litellm_provider: 'dashscope',
      mode: 'chat',
      tiered_pricing: [
        { input_cost_per_token: 2.4e-6, output_cost_per_token: 12e-6, range: [32000, 128000] },
        { input_cost_per_token: 1.2e-6, output_cost_per_token: 6e-6, range: [0, 32000] },
      ],
    })
    expect(row?.rates).toEqual(rates({ input: 1.2, output: 6 }))
    expect(row?.contextTiers).toEqual([{ aboveTokens: 32_000, rates: rates({ input: 2.4, output: 12 }) }])
  })

  test('a search fee is per search, per request for models that always search, of the vendor’s default size (BIL-5)', () => {
    const search_context_cost_per_query = {
      search_context_size_low: 0.005,
      search_context_size_medium: 0.008,
      search_context_size_high: 0.012,
    }
    const entry = { ...chat, search_context_cost_per_query }
    expect(one(entry).row).toMatchObject({ perWebSearchNano: 8_000_000 })
    expect(one(entry, 'gpt-9-search-preview').row).toMatchObject({ perRequestNano: 8_000_000 })
    expect(one({ ...entry, litellm_provider: 'perplexity' }, 'perplexity/sonar').row).toMatchObject({
      perRequestNano: 5_000_000,
    })
    expect(one({ ...chat, input_cost_per_request: 0.001 }).row).toMatchObject({ perRequestNano: 1_000_000 })
  })

  test('the model’s limits and the words that multiply its prices are kept', () => {
    const { row } = one({
      ...chat,
      max_input_tokens: 200_000,
      max_output_tokens: 64_000,
      provider_specific_entry: { us: 1.1, fast: 6, note: 'x' },
    })
    expect(row).toMatchObject({
      maxInputTokens: 200_000,
      maxOutputTokens: 64_000,
      uplifts: { us: 1_100_000, fast: 6_000_000 },
    })
  })

  test('a cache write listed as 0 is no price: should such tokens be reported, they are not free (BIL-3, BIL-4)', () => {
    expect(one({ ...chat, cache_creation_input_token_cost: 0 }).row?.rates).toEqual(rates({ input: 3, output: 15 }))
  })
})

describe('whose price it is', () => {
  test('a bare name of a vendor that others share a model with is given the vendor’s (BIL-2)', () => {
    const { rows } = take({
      'gemini-x': { ...chat, litellm_provider: 'vertex_ai-language-models' },
      'gemini/gemini-x': { ...chat, litellm_provider: 'gemini' },
      'command-x': { ...chat, litellm_provider: 'cohere_chat' },
      'us.anthropic.claude-x': { ...chat, litellm_provider: 'bedrock_converse' },
      'gpt-x': { ...chat, litellm_provider: 'text-completion-openai' },
    })
    expect(rows.map(({ model, vendor }) => [model, vendor])).toEqual([
      ['cohere/command-x', 'cohere'],
      ['gemini/gemini-x', 'gemini'],
      ['gpt-x', 'openai'],
      ['us.anthropic.claude-x', 'bedrock'],
      ['vertex_ai/gemini-x', 'vertex_ai'],
    ])
  })

  test('of two entries for one model the one with the full name wins, in any order', () => {
    const full = { ...chat, litellm_provider: 'deepseek' }
    const bare = { ...full, input_cost_per_token: 1e-6 }
    for (const table of [
      { 'deepseek-x': bare, 'deepseek/deepseek-x': full },
      { 'deepseek/deepseek-x': full, 'deepseek-x': bare },
    ]) {
      expect(take(table).rows.map((row) => row.rates.input)).toEqual([3e9])
    }
  })
})

describe('what is none of our business', () => {
  for (const [what, key, entry, reason] of [
    ['an image model', 'dall-e-9', { ...chat, mode: 'image_generation' }, 'mode image_generation'],
    [
      'a speech model',
      'tts-9',
      { litellm_provider: 'openai', mode: 'audio_speech', input_cost_per_character: 1e-5 },
      'mode audio_speech',
    ],
    ['a rerank model', 'rerank-9', { ...chat, mode: 'rerank' }, 'mode rerank'],
    [
      'a model priced by the second',
      'bedrock-9',
      { litellm_provider: 'bedrock', mode: 'chat', input_cost_per_second: 0.01 },
      'no price',
    ],
    [
      'one Bedrock region',
      'bedrock/us-east-1/claude-x',
      { ...chat, litellm_provider: 'bedrock' },
      'a price of one Bedrock region',
    ],
    ['a size class', 'together-ai-4.1b-8b', { ...chat, litellm_provider: 'together_ai' }, 'a size class'],
    ['the table’s own example', 'sample_spec', chat, 'not a model'],
    ['something that is no object', 'note', 'text', 'not an object'],
  ] as const) {
    test(`${what} is skipped, and counted`, () => {
      const { row, skipped } = one(entry as object, key)
      expect(row).toBeUndefined()
      expect(skipped).toStartWith(reason)
    })
  }

  test('Gemini’s image and speech models are taken: they answer on the same endpoint, by token', () => {
    const entry = { ...chat, litellm_provider: 'gemini', mode: 'image_generation' }
    expect(one(entry, 'gemini/gemini-x-image').row?.model).toBe('gemini/gemini-x-image')
  })

  test('what is no table at all is told apart from an empty one', () => {
    for (const other of [null, [], 'text', 5]) {
      expect(importPrices(other, { date: '2026-07-24', corrections: [] })).toBeNull()
    }
    expect(take({}).rows).toEqual([])
  })
})

const free = { ...chat, input_cost_per_token: 0, output_cost_per_token: 0 }

/** Slips like those of the seed table, each with the reason for which it must be refused. */
const SUSPICIOUS: [what: string, entry: object, reason: string][] = [
  [
    '1-hour writes at 24 × input',
    { cache_creation_input_token_cost_above_1hr: 72e-6 },
    'standard: 1-hour cache write is not 2 × input',
  ],
  [
    '1-hour writes below input',
    { cache_creation_input_token_cost_above_1hr: 1e-6 },
    'standard: 1-hour cache write is not 2 × input',
  ],
  [
    '5-minute writes at 1.2 × input',
    { cache_creation_input_token_cost: 3.6e-6 },
    'standard: 5-minute cache write is not 1.25 × input',
  ],
  ['reads dearer than input', { cache_read_input_token_cost: 3.1e-6 }, 'standard: cache read costs more than input'],
  [
    'priority at 50 × standard',
    { input_cost_per_token_priority: 150e-6 },
    'priority: input is not 1 to 3 × the price below',
  ],
  [
    'priority cheaper than standard',
    { output_cost_per_token_priority: 14e-6 },
    'priority: output is not 1 to 3 × the price below',
  ],
  ['flex dearer than standard', { input_cost_per_token_flex: 4e-6 }, 'flex: input is not 0.4 to 1 × the price below'],
  ['batch at an eighth', { input_cost_per_token_batches: 0.375e-6 }, 'batch: input is not 0.4 to 1 × the price below'],
  [
    'long context cheaper than short',
    { input_cost_per_token_above_200k_tokens: 2e-6 },
    'above 200000: input is not 1 to 12 × the price below',
  ],
  [
    'a long-context cache write without a standard one',
    { cache_creation_input_token_cost_above_200k_tokens: 0.25e-6 },
    'above 200000: cacheWrite5m has a price here but none below',
  ],
  [
    'a long-context write that breaks the ratio',
    {
      cache_creation_input_token_cost: 3.75e-6,
      input_cost_per_token_above_200k_tokens: 6e-6,
      cache_creation_input_token_cost_above_200k_tokens: 7e-6,
    },
    'above 200000: 5-minute cache write is not 1.25 × input',
  ],
  ['dollars for cents', { input_cost_per_token: 0.0032 }, 'standard: absurdly dear'],
  ['output at 30 × input', { output_cost_per_token: 90e-6 }, 'standard: output costs more than 20 × input'],
  ['free input beside priced output', { input_cost_per_token: 0 }, 'standard: input is free, output is not'],
  ['free output beside priced input', { output_cost_per_token: 0 }, 'standard: output is free, input is not'],
  [
    'free cache reads beside priced input',
    { cache_read_input_token_cost: 0 },
    'standard: cacheRead is free, input is not',
  ],
  ['a placeholder', free, 'standard: everything is free'],
  [
    'a negative price',
    { input_cost_per_token: -1e-6 },
    'input_cost_per_token is not a price that can be billed: -0.000001',
  ],
  [
    'digits too fine to bill',
    { input_cost_per_token: 1.2345e-12 },
    'input_cost_per_token is not a price that can be billed: 1.2345e-12',
  ],
]

describe('what is refused until a person looked (BIL-2)', () => {
  for (const [what, entry, reason] of SUSPICIOUS) {
    test(`${what} is refused (BIL-2)`, () => {
      const { row, reasons } = one({ ...chat, ...entry })
      expect(row).toBeUndefined()
      expect(reasons).toContain(reason)
    })
  }

  test('an embedding model that costs dollars is refused, a chat model of that price is not', () => {
    const dear = { ...chat, input_cost_per_token: 100e-6, output_cost_per_token: 0 }
    expect(one({ ...dear, mode: 'embedding' }).reasons).toEqual(['standard: absurdly dear'])
    expect(one({ ...dear, output_cost_per_token: 200e-6 }).reasons).toEqual([])
  })

  test('an embedding model may give no output, but has no long context: then it is a chat model filed wrongly', () => {
    const embedding = { ...chat, mode: 'embedding', output_cost_per_token: 0 }
    expect(one(embedding).row?.rates.output).toBe(0)
    expect(one({ ...embedding, input_cost_per_token_above_128k_tokens: 6e-6 }).reasons).toEqual([
      'standard: an embedding model with a long-context price',
    ])
  })

  test('priority on top of long context is measured against long context', () => {
    const entry = {
      ...chat,
      input_cost_per_token_above_200k_tokens: 6e-6,
      input_cost_per_token_above_200k_tokens_priority: 12e-6,
    }
    expect(one(entry).reasons).toEqual([])
  })
})

describe('what a person found out', () => {
  const wrong = { ...chat, cache_creation_input_token_cost_above_1hr: 72e-6, input_cost_per_token_priority: 150e-6 }
  const why = 'somebody looked'

  test('a corrected row is taken', () => {
    const corrections: Correction[] = [
      { model: 'some-model', usdPerMillion: { cacheWrite1h: 6 }, withoutTiers: ['priority'], why },
    ]
    const { row } = one(wrong, 'some-model', corrections)
    expect(row?.rates.cacheWrite1h).toBe(6e9)
    expect(row?.serviceTiers).toBeUndefined()
  })

  test('a correction takes a price away, but never input or output', () => {
    const corrections: Correction[] = [
      { model: 'some-model', usdPerMillion: { cacheWrite1h: null, input: null }, withoutTiers: ['priority'], why },
    ]
    expect(one(wrong, 'some-model', corrections).row?.rates).toEqual(rates({ input: 3, output: 15 }))
  })

  test('a correction is checked like any other price', () => {
    const corrections: Correction[] = [
      { model: 'some-model', usdPerMillion: { cacheWrite1h: 7 }, withoutTiers: ['priority'], why },
    ]
    expect(one(wrong, 'some-model', corrections).reasons).toEqual(['standard: 1-hour cache write is not 2 × input'])
  })

  test('a confirmed suspicion is let go, others of the same row are not', () => {
    const confirmed = ['standard: 1-hour cache write is not 2 × input']
    expect(one(wrong, 'some-model', [{ model: 'some-model', confirmed, why }]).reasons).toEqual([
      'priority: input is not 1 to 3 × the price below',
    ])
  })

  test('a correction of another model changes nothing', () => {
    const corrections: Correction[] = [{ model: 'other-model', withoutContextTiers: true, why }]
    expect(
      one({ ...chat, input_cost_per_token_above_200k_tokens: 6e-6 }, 'some-model', corrections).row?.contextTiers,
    ).toHaveLength(1)
  })
})
