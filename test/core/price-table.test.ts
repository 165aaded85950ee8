import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import { PriceSchema } from '../../src/core/price.ts'
import { CORRECTIONS } from '../../src/core/price-corrections.ts'
import { importPrices } from '../../src/core/price-import.ts'
import { createPriceIndex } from '../../src/core/price-index.ts'
import { suspicionsOf } from '../../src/core/price-suspicion.ts'
import { decodePriceTable, encodePriceTable } from '../../src/core/price-table.ts'
import { priceRow, rates } from '../support/prices.ts'

const about = { source: 'somewhere', licence: 'MIT', date: '2026-07-24' }
const builtInRow = { vendor: 'openai', source: 'built-in', date: '2026-07-24' } as const

describe('the price table as a file', () => {
  test('what is written is read back, whatever a price consists of', () => {
    const row = priceRow({
      ...builtInRow,
      model: 'gpt-x',
      rates: rates({ input: 0.000000001, output: 0.3 }),
      serviceTiers: { flex: rates({ input: 1 }), priority: rates({ output: 2 }), batch: rates({ cacheRead: 3 }) },
      contextTiers: [
        { aboveTokens: 128_000, rates: rates({ input: 4 }) },
        { aboveTokens: 200_000, rates: rates({ input: 5 }), serviceTiers: { priority: rates({ input: 6 }) } },
      ],
      perRequestNano: 5_000_000,
      perWebSearchNano: 1,
      uplifts: { us: 1_100_000 },
      maxInputTokens: 7,
      maxOutputTokens: 8,
    })
    expect(decodePriceTable(JSON.parse(encodePriceTable([row], about)))).toEqual([row])
  })

  test('every rate up to a million USD per million tokens comes back exact', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e15 }), (input) => {
        const row = priceRow({ ...builtInRow, model: 'm', rates: { input, output: 0 } })
        expect(decodePriceTable(JSON.parse(encodePriceTable([row], about))).at(0)?.rates.input).toBe(input)
      }),
    )
  })

  test('one model is one line, so that a diff shows what changed', () => {
    const rows = ['a', 'b'].map((model) => priceRow({ ...builtInRow, model }))
    const lines = encodePriceTable(rows, about).split('\n')
    expect(lines).toContain('["a",{"input_usd":3,"output_usd":15}],')
    expect(lines).toContain('["b",{"input_usd":3,"output_usd":15}]')
  })
})

describe('the built-in table (BIL-2)', () => {
  const rows = builtInPrices()
  const index = createPriceIndex(rows, { aliases: true })

  test('it has a price for the models that people use, on their platforms (BIL-2)', () => {
    const models = [
      ['openai', 'gpt-5'],
      ['openai', 'gpt-5.4'],
      ['openai', 'gpt-5-codex'],
      ['openai', 'text-embedding-3-small'],
      ['anthropic', 'claude-opus-5'],
      ['anthropic', 'claude-sonnet-4-6'],
      ['anthropic', 'claude-haiku-4-5-20251001'],
      ['gemini', 'gemini-2.5-pro'],
      ['gemini', 'gemini-embedding-001'],
      ['bedrock', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
      ['openai', 'deepseek-chat'],
    ] as const
    for (const [platform, model] of models) {
      expect(index.find({ model, platform, atMs: 0 })?.row.rates.input ?? `${model} has no price`).toBeGreaterThan(0)
    }
  })

  test('every row is a valid price, from one dated source, under a name of its own', () => {
    for (const { model, vendor, platform, source, date, ...price } of rows) {
      expect([model, Value.Check(PriceSchema, price)]).toEqual([model, true])
      expect([vendor !== null, platform, source, date]).toEqual([true, null, 'built-in', rows.at(0)?.date ?? ''])
    }
    expect(new Set(rows.map((row) => row.model)).size).toBe(rows.length)
  })

  test('no row is suspicious that nobody confirmed (BIL-2)', () => {
    for (const row of rows) {
      // Only embedding models have no output price; all others were checked for one when they were imported.
      const reasons = suspicionsOf(row, { generates: row.rates.output > 0 })
      const confirmed = CORRECTIONS.find(({ model }) => model === row.model)?.confirmed ?? []
      expect([row.model, ...reasons.filter((reason) => !confirmed.includes(reason))]).toEqual([row.model])
    }
  })

  test('every correction is still about a row of the table, with a reason and a page to look it up', () => {
    const models = new Set(rows.map(({ model }) => model))
    const unused = CORRECTIONS.filter(({ model }) => !models.has(model))
    expect(unused).toEqual([])
    for (const { why } of CORRECTIONS) expect(why).toMatch(/ https:\/\/\S+$/)
  })

  test('it is small enough to be part of the program', () => {
    expect(readFileSync(new URL('../../src/core/prices.gen.json', import.meta.url)).length).toBeLessThan(400_000)
  })

  const seed = new URL('../../../shared/prices/model_prices_and_context_window.json', import.meta.url)
  test.skipIf(!existsSync(seed))('it is what the import makes of the seed table today', () => {
    const table: unknown = JSON.parse(readFileSync(seed, 'utf8'))
    const imported = importPrices(table, { date: rows.at(0)?.date ?? '', corrections: CORRECTIONS })
    const byName = (a: { model: string }, b: { model: string }) => (a.model < b.model ? -1 : 1)
    expect([...rows].sort(byName)).toEqual(imported?.rows ?? [])
  })
})
