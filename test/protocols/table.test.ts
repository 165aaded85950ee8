import { describe, expect, test } from 'bun:test'
import { PROTOCOL_IDS } from '../../src/core/platform.ts'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import { PROTOCOLS, USAGE_READERS } from '../../src/protocols/table.ts'

const models = [
  { id: 'gpt-5', createdAtMs: Date.UTC(2026, 6, 24), ownedBy: 'openai' },
  { id: 'gemini-embedding-001', createdAtMs: 0, ownedBy: 'google' },
]

describe('table of protocols', () => {
  test('each protocol stands under its own id and reads its own usage object (REL-18)', () => {
    for (const id of PROTOCOL_IDS) expect(PROTOCOLS[id].id).toBe(id)
    expect(USAGE_READERS.anthropic({ input_tokens: 5, cache_read_input_tokens: 3 })?.usage).toMatchObject({
      input: 5,
      cacheRead: 3,
    })
    expect(USAGE_READERS.gemini({ promptTokenCount: 5 })?.usage.input).toBe(5)
    for (const id of ['openai-chat', 'openai-responses'] as const) {
      expect(USAGE_READERS[id]({ input_tokens: 5, input_tokens_details: { cached_tokens: 3 } })?.usage.input).toBe(2)
    }
  })

  test('every operation is listed under its id and belongs to a protocol; only counting tokens is free (BIL-1)', () => {
    for (const [id, operation] of Object.entries(OPERATIONS)) {
      expect(operation.id).toBe(id)
      expect(PROTOCOL_IDS).toContain(operation.protocol)
      expect(operation.metered).toBe(!id.includes('count_tokens'))
    }
    expect(OPERATIONS.stream_generate_content.path).toBe('/models/{model}:streamGenerateContent')
    expect(OPERATIONS.stream_generate_content.streaming).toBe('path')
  })
})

describe('lists of models', () => {
  test('OpenAI’s list has seconds, Anthropic’s one page with its ends, Google’s names and methods (REL-19)', () => {
    expect(PROTOCOLS['openai-chat'].modelList(models)).toEqual({
      object: 'list',
      data: [
        { id: 'gpt-5', object: 'model', created: 1_784_851_200, owned_by: 'openai' },
        { id: 'gemini-embedding-001', object: 'model', created: 0, owned_by: 'google' },
      ],
    })
    expect(PROTOCOLS.anthropic.modelList(models)).toEqual({
      data: [
        { type: 'model', id: 'gpt-5', display_name: 'gpt-5', created_at: '2026-07-24T00:00:00.000Z' },
        {
          type: 'model',
          id: 'gemini-embedding-001',
          display_name: 'gemini-embedding-001',
          created_at: '1970-01-01T00:00:00.000Z',
        },
      ],
      has_more: false,
      first_id: 'gpt-5',
      last_id: 'gemini-embedding-001',
    })
    expect(PROTOCOLS.gemini.modelList(models)).toMatchObject({
      models: [
        {
          name: 'models/gpt-5',
          supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens'],
        },
        {
          name: 'models/gemini-embedding-001',
          supportedGenerationMethods: ['embedContent', 'batchEmbedContents', 'countTokens'],
        },
      ],
    })
  })

  test('an empty list is an empty list in each dialect (REL-19)', () => {
    expect(PROTOCOLS.anthropic.modelList([])).toEqual({ data: [], has_more: false, first_id: null, last_id: null })
    expect(PROTOCOLS['openai-responses'].modelList([])).toEqual({ object: 'list', data: [] })
    expect(PROTOCOLS.gemini.modelList([])).toEqual({ models: [] })
  })

  test('one model is what the list has of it (REL-19)', () => {
    for (const protocol of Object.values(PROTOCOLS)) {
      const list = Object.values(protocol.modelList(models) as Record<string, unknown>).find(Array.isArray)
      expect(list?.[0]).toEqual(protocol.modelObject(models[0]!))
    }
  })
})
