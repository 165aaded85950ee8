import { describe, expect, test } from 'bun:test'
import type { Platform } from '../../src/core/platform.ts'
import type { PriceRow } from '../../src/core/price.ts'
import { createPriceIndex, type PriceIndex, resolvePrice } from '../../src/core/price-index.ts'
import { priceRow, rates } from '../support/prices.ts'

const JULY = Date.parse('2026-07-24T12:00:00Z')

function operators(...rows: PriceRow[]): PriceIndex {
  return createPriceIndex(rows, { aliases: false })
}

function builtIn(...models: [vendor: string, model: string][]): PriceIndex {
  const rows = models.map(([vendor, model]) => priceRow({ vendor, model, source: 'built-in' }))
  return createPriceIndex(rows, { aliases: true })
}

function found(index: PriceIndex, model: string, platform: Platform | null = null, atMs = JULY): string | undefined {
  return index.find({ model, platform, atMs })?.row.model
}

describe('which row prices a model (BIL-2)', () => {
  const none = operators()
  const book = {
    account: operators(priceRow({ model: 'gpt-5', source: 'account' })),
    operator: operators(priceRow({ model: 'gpt-5' }), priceRow({ model: 'o3' })),
    builtIn: builtIn(['openai', 'gpt-5'], ['openai', 'o3'], ['openai', 'o3-2025-04-16'], ['openai', 'gpt-4o']),
  }
  const source = (model: string) => resolvePrice(book, { model, platform: 'openai', atMs: JULY })?.row.source

  test('account override, then the operator’s price, then the built-in table, then none (BIL-2)', () => {
    expect(['gpt-5', 'o3', 'gpt-4o', 'gpt-9'].map(source)).toEqual(['account', 'operator', 'built-in', undefined])
  })

  test('an operator’s price of a model also prices its dated name, before the built-in row of that very name (BIL-2)', () => {
    expect(source('o3-2025-04-16')).toBe('operator')
    expect(resolvePrice(book, { model: 'o3-2025-04-16', platform: 'openai', atMs: JULY })?.match).toBe('normalised')
  })

  test('without an account override the operator is asked first (BIL-2)', () => {
    const query = { model: 'gpt-5', platform: 'openai' as const, atMs: JULY }
    expect(resolvePrice({ ...book, account: null }, query)?.row.source).toBe('operator')
    expect(resolvePrice({ ...book, account: none }, query)?.row.source).toBe('operator')
  })

  test('the exact name wins over a shorter one (BIL-2)', () => {
    const index = operators(priceRow({ model: 'gpt-4o' }), priceRow({ model: 'gpt-4o-2024-05-13' }))
    expect(found(index, 'gpt-4o-2024-05-13')).toBe('gpt-4o-2024-05-13')
    expect(found(index, 'gpt-4o-2024-08-06')).toBe('gpt-4o')
    expect(index.find({ model: 'gpt-4o', platform: null, atMs: JULY })?.match).toBe('exact')
  })

  test('a price that people set for a dated or prefixed name prices no other name (BIL-2)', () => {
    const index = operators(priceRow({ model: 'gpt-4o-2024-05-13' }), priceRow({ model: 'azure/o3' }))
    expect(found(index, 'gpt-4o')).toBeUndefined()
    expect(found(index, 'o3')).toBeUndefined()
  })

  test('a price for one platform does not hold on another, and goes before one for all (BIL-2)', () => {
    const index = operators(
      priceRow({ model: 'claude-x', platform: 'bedrock', rates: rates({ input: 1, output: 1 }) }),
      priceRow({ model: 'claude-x', rates: rates({ input: 2, output: 2 }) }),
      priceRow({ model: 'nova-x', platform: 'bedrock' }),
    )
    const input = (platform: Platform | null) =>
      index.find({ model: 'claude-x', platform, atMs: JULY })?.row.rates.input
    expect([input('bedrock'), input('anthropic'), input(null)]).toEqual([1e9, 2e9, 2e9])
    expect(found(index, 'nova-x', 'anthropic')).toBeUndefined()
  })

  test('a pattern prices what no name does, the longest first (BIL-2, ACC-2)', () => {
    const index = operators(
      priceRow({ model: 'my-*' }),
      priceRow({ model: 'my-big-*' }),
      priceRow({ model: 'my-big-1' }),
    )
    expect(['my-big-1', 'my-big-2', 'my-small'].map((model) => found(index, model))).toEqual([
      'my-big-1',
      'my-big-*',
      'my-*',
    ])
    expect(index.find({ model: 'my-small', platform: null, atMs: JULY })?.match).toBe('wildcard')
    expect(found(index, 'yours')).toBeUndefined()
    expect(found(operators(priceRow({ model: '*' })), 'anything')).toBe('*')
  })

  test('names of Object’s own members are ordinary unknown names', () => {
    for (const model of ['constructor', '__proto__', 'toString']) expect(found(book.builtIn, model)).toBeUndefined()
  })
})

describe('dated prices (BIL-2)', () => {
  const index = operators(
    priceRow({ model: 'gpt-5.6', date: '2026-08-21', rates: rates({ input: 4, output: 20 }) }),
    priceRow({ model: 'gpt-5.6', date: '2026-07-01', rates: rates({ input: 5, output: 30 }) }),
  )
  const inputAt = (instant: string) =>
    index.find({ model: 'gpt-5.6', platform: null, atMs: Date.parse(instant) })?.row.rates.input

  test('the newest price that had begun holds (BIL-2)', () => {
    expect(inputAt('2026-08-20T23:59:59.999Z')).toBe(5e9)
    expect(inputAt('2026-08-21T00:00:00Z')).toBe(4e9)
    expect(inputAt('2027-01-01')).toBe(4e9)
  })

  test('the oldest price also prices what came before it: a clock that is behind makes no model unpriced (BIL-3)', () => {
    expect(inputAt('2020-01-01')).toBe(5e9)
  })
})

describe('the built-in table’s own spellings (BIL-2)', () => {
  const index = builtIn(
    ['gemini', 'gemini/gemini-x'],
    ['vertex_ai', 'vertex_ai/gemini-x'],
    ['openrouter', 'openrouter/google/gemini-x'],
    ['groq', 'groq/openai/gpt-oss'],
    ['openrouter', 'openrouter/openai/gpt-oss'],
    ['anthropic', 'claude-y-4-20250514'],
    ['anthropic', 'claude-y-4-20250101'],
    ['deepinfra', 'deepinfra/anthropic/claude-y-4-latest'],
    ['bedrock', 'anthropic.claude-y-4-20250514-v1:0'],
    ['zzz', 'zzz/only-here'],
  )

  test('a bare name finds the list of the account’s platform (BIL-2)', () => {
    expect(found(index, 'gemini-x', 'gemini')).toBe('gemini/gemini-x')
    expect(found(index, 'models/gemini-x', 'gemini')).toBe('gemini/gemini-x')
  })

  test('a vendor that the caller knows goes before the platform’s own (BIL-2)', () => {
    const ask = (vendor: string) =>
      index.find({ model: 'openai/gpt-oss', platform: 'openai', vendor, atMs: JULY })?.row.model
    expect([ask('openrouter'), ask('groq'), ask('unheard-of')]).toEqual([
      'openrouter/openai/gpt-oss',
      'groq/openai/gpt-oss',
      'groq/openai/gpt-oss',
    ])
  })

  test('a name without a date finds the newest dated row of the platform, before another vendor’s better spelling (BIL-2)', () => {
    expect(found(index, 'claude-y-4', 'anthropic')).toBe('claude-y-4-20250514')
    expect(found(index, 'claude-y-4-latest', 'anthropic')).toBe('claude-y-4-20250514')
    expect(found(index, 'claude-y-4', 'bedrock')).toBe('anthropic.claude-y-4-20250514-v1:0')
  })

  test('a model of a vendor outside the order is found all the same', () => {
    expect(found(index, 'only-here', 'openai')).toBe('zzz/only-here')
  })

  test('the answer does not depend on the order of the rows (BIL-2)', () => {
    const turned = createPriceIndex([...index.rows].reverse(), { aliases: true })
    for (const platform of ['openai', 'anthropic', 'gemini', 'bedrock', null] as const) {
      for (const model of ['gemini-x', 'openai/gpt-oss', 'gpt-oss', 'claude-y-4', 'only-here']) {
        expect(found(turned, model, platform)).toBe(found(index, model, platform))
      }
    }
  })
})

describe('Anthropic’s cache defaults (BIL-4)', () => {
  const apply = (row: Partial<PriceRow> & Pick<PriceRow, 'model'>, platform: Platform | null) =>
    operators(priceRow(row)).find({ model: row.model, platform, atMs: JULY })?.anthropic

  test('they hold for Claude wherever it is served, and for what people price on Anthropic’s platform', () => {
    expect(apply({ model: 'us.anthropic.claude-x-v1:0', vendor: 'bedrock' }, 'bedrock')).toBe(true)
    expect(apply({ model: 'my-alias' }, 'anthropic')).toBe(true)
    expect(apply({ model: 'deepseek-chat', vendor: 'deepseek' }, 'anthropic')).toBe(false)
    expect(apply({ model: 'gpt-5' }, 'openai')).toBe(false)
  })
})

test('a client that invents names gets no wrong answer, however many it invents', () => {
  const index = operators(priceRow({ model: 'gpt-5' }))
  for (let i = 0; i < 10_000; i++) expect(found(index, `invented-${i}x`)).toBeUndefined()
  expect(found(index, 'x'.repeat(100_000))).toBeUndefined()
  expect(found(index, 'gpt-5')).toBe('gpt-5')
})
