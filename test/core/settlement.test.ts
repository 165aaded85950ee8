import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  ENDINGS,
  KNOWLEDGE,
  type Knowledge,
  SETTLEMENTS,
  type SettlementInput,
  settle,
} from '../../src/core/settlement.ts'
import { NO_USAGE } from '../../src/core/usage.ts'
import { usage } from '../support/prices.ts'

const report = usage({ input: 1000, cacheRead: 500, output: 7 })

/** The same request at each state of knowledge: 1000 + 500 tokens in by the report, 1200 by guess; 7 out by the report, 80 by guess. */
const FACTS: Record<Knowledge, Omit<SettlementInput, 'ending'>> = {
  final: { usage: report, usageCertainty: 'final', relayedTokens: 80, estimatedInputTokens: 1200 },
  provisional: { usage: report, usageCertainty: 'provisional', relayedTokens: 80, estimatedInputTokens: 1200 },
  relayed: { usage: null, usageCertainty: 'none', relayedTokens: 80, estimatedInputTokens: 1200 },
  nothing: { usage: null, usageCertainty: 'none', relayedTokens: null, estimatedInputTokens: 1200 },
}

const measured = { usage: report, refund: 'remainder', metering: 'measured' }
const partly = { usage: { ...report, output: 80 }, refund: 'remainder', metering: 'partly_estimated' }
const guessed = { usage: usage({ input: 1200, output: 80 }), refund: 'remainder', metering: 'partly_estimated' }
const unknown = { usage: NO_USAGE, refund: 'full', metering: 'unknown' }
const nothing = { usage: NO_USAGE, refund: 'full', metering: 'measured' }

/** Every cell, written out a second time as what it does. */
const EXPECTED = {
  completed: { final: measured, provisional: partly, relayed: guessed, nothing: unknown },
  refused: { final: nothing, provisional: nothing, relayed: nothing, nothing },
  'upstream-error': { final: measured, provisional: partly, relayed: guessed, nothing: unknown },
  'client-gone': { final: measured, provisional: partly, relayed: guessed, nothing: unknown },
  broken: { final: measured, provisional: partly, relayed: guessed, nothing: unknown },
} as const

describe('what is charged when it ends badly, cell by cell (BIL-8, BIL-9)', () => {
  for (const ending of ENDINGS) {
    for (const knowledge of KNOWLEDGE) {
      const cell = EXPECTED[ending][knowledge]
      const tokens = cell.usage.input + cell.usage.cacheRead + cell.usage.output
      test(`${ending} with ${knowledge} known charges ${tokens} tokens, ${cell.metering}, ${cell.refund} refund (BIL-9)`, () => {
        expect(settle({ ending, ...FACTS[knowledge] })).toMatchObject(cell)
      })
    }
  }

  test('the table has every cell and no other', () => {
    expect(Object.keys(SETTLEMENTS).sort()).toEqual([...ENDINGS].sort())
    for (const row of Object.values(SETTLEMENTS)) expect(Object.keys(row).sort()).toEqual([...KNOWLEDGE].sort())
  })
})

describe('parts of the rules', () => {
  test('an embedding whose vendor reports no usage is charged for its estimated input, not given away (BIL-9)', () => {
    const settlement = settle({ ending: 'completed', ...FACTS.relayed, relayedTokens: 0 })
    expect(settlement).toMatchObject({ usage: usage({ input: 1200 }), metering: 'partly_estimated' })
  })

  test('input only measured, nothing relayed: the input is charged, and that output is a guess is said (BIL-9)', () => {
    const settlement = settle({ ending: 'broken', ...FACTS.provisional, relayedTokens: 0 })
    expect(settlement.usage).toEqual(report)
    expect(settlement.metering).toBe('partly_estimated')
  })

  test('a first report of output is never lowered by a smaller guess (BIL-9)', () => {
    expect(settle({ ending: 'client-gone', ...FACTS.provisional, relayedTokens: 3 }).usage.output).toBe(7)
  })

  test('the price per request is charged when it was served, also to a client that left; not when it failed (BIL-5)', () => {
    const charges = (ending: SettlementInput['ending'], knowledge: Knowledge) =>
      settle({ ending, ...FACTS[knowledge] }).chargesRequest
    expect(ENDINGS.filter((ending) => charges(ending, 'final'))).toEqual(['completed', 'client-gone'])
    expect(ENDINGS.filter((ending) => charges(ending, 'nothing'))).toEqual([])
  })

  test('a request that failed with no tokens gets everything back (BIL-8)', () => {
    for (const ending of ['upstream-error', 'broken', 'refused'] as const) {
      expect(settle({ ending, ...FACTS.nothing })).toMatchObject({ charge: 'nothing', refund: 'full' })
    }
  })

  test('once it was not refused, nothing that was measured is ever given back (BIL-9)', () => {
    const count = fc.integer({ min: 0, max: 1_000_000 })
    const served = fc.constantFrom(...ENDINGS.filter((ending) => ending !== 'refused'))
    fc.assert(
      fc.property(
        served,
        fc.constantFrom('final', 'provisional'),
        count,
        count,
        count,
        count,
        (ending, certainty, ...counts) => {
          const [input, cacheRead, output, relayedTokens] = counts
          const told = usage({ input, cacheRead, output })
          const charged = settle({
            ending,
            usage: told,
            usageCertainty: certainty,
            relayedTokens,
            estimatedInputTokens: 0,
          }).usage
          for (const name of ['input', 'cacheRead', 'output'] as const) {
            expect(charged[name]).toBeGreaterThanOrEqual(told[name])
          }
        },
      ),
    )
  })
})
