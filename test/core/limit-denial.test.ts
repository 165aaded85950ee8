import { describe, expect, test } from 'bun:test'
import { dayBoundaries, weekBoundaries } from '../../src/core/calendar.ts'
import { DENIALS, type DenialCode } from '../../src/core/denial.ts'
import { keyLimits, payerLimits } from '../../src/core/key-limits.ts'
import { denyLimit, denyUncounted } from '../../src/core/limit-denial.ts'
import { makeKey } from '../support/make.ts'

const NOW_MS = Date.UTC(2026, 6, 24, 12)
const calendar = { day: dayBoundaries(NOW_MS, 'UTC'), week: weekBoundaries(NOW_MS, 'UTC') }
const everything = makeKey({
  tokenLimit: 1,
  concurrencyLimit: 2,
  rateLimitWindowMinutes: 3,
  rpm: 7,
  tpm: 8,
  dailyCostLimitNano: 9n,
  weeklyCostLimitNano: 10n,
  totalCostLimitNano: 11n,
})
const groupLimits = { dailyLimitNano: 12n, weeklyLimitNano: null, monthlyLimitNano: 13n }

describe('denials (KEY-4)', () => {
  const all = [
    ...keyLimits(everything, calendar),
    ...payerLimits({ kind: 'key', id: 'k', availableNano: 5n }, null),
    ...payerLimits({ kind: 'balance', id: 'u', availableNano: 5n }, null),
    ...payerLimits({ kind: 'subscription', id: 's', availableNano: 5n }, groupLimits),
  ]

  test('every limit has words; whatever is worth waiting for says how long, whatever is not does not', () => {
    for (const limit of all) {
      for (const [waitMs, isHeld] of [
        [1500, true],
        [1500, false],
        [null, false],
      ] as const) {
        const denial = denyLimit({ limit, waitMs, isHeld })
        const { status, retryable } = DENIALS[denial.code]
        expect(denial.message.length).toBeGreaterThan(20)
        if (limit.rule === 'hold') expect(denial.retryAfterSeconds).toBeUndefined()
        else if (waitMs !== null) expect(denial.retryAfterSeconds).toBe(2)
        if (isHeld && limit.rule !== 'hold') expect({ status, retryable }).toEqual({ status: 429, retryable: true })
      }
    }
  })

  test('seconds are never 0: a client would come back at once', () => {
    expect(denyLimit({ limit: all[4] as (typeof all)[number], waitMs: 1, isHeld: false }).retryAfterSeconds).toBe(1)
  })

  test('totals and money say "pay or change something", all else says "later"', () => {
    const codes = new Map<string, DenialCode>(
      all.map((limit) => [limit.name, denyLimit({ limit, waitMs: null, isHeld: false }).code]),
    )
    const final = [...codes].filter(([, code]) => !DENIALS[code].retryable).map(([name]) => name)
    expect(final).toEqual(['total', 'tokens', 'key', 'balance', 'subscription'])
  })

  test('limits that can not be checked are no fault of the client: it may come back', () => {
    const denial = denyUncounted()
    expect(DENIALS[denial.code]).toMatchObject({ status: 503, retryable: true })
    expect(denial.retryAfterSeconds).toBe(1)
  })
})
