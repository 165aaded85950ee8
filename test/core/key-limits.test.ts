import { describe, expect, test } from 'bun:test'
import { dayBoundaries, weekBoundaries } from '../../src/core/calendar.ts'
import { keyLimits, ownerOf, payerLimits, toCount } from '../../src/core/key-limits.ts'
import { MOST_COUNT } from '../../src/core/limit.ts'
import { makeKey } from '../support/make.ts'

const NOW_MS = Date.UTC(2026, 6, 24, 12)
const calendar = { day: dayBoundaries(NOW_MS, 'UTC'), week: weekBoundaries(NOW_MS, 'UTC') }
const everything = makeKey({
  tokenLimit: 1,
  concurrencyLimit: 2,
  rateLimitWindowMinutes: 3,
  rateLimitRequests: 4,
  rateLimitTokens: 5,
  rateLimitCostNano: 6n,
  rpm: 7,
  tpm: 8,
  dailyCostLimitNano: 9n,
  weeklyCostLimitNano: 10n,
  totalCostLimitNano: 11n,
})
const groupLimits = { dailyLimitNano: 12n, weeklyLimitNano: null, monthlyLimitNano: 13n }

describe('limits of a key (KEY-5)', () => {
  test('0 is none: a key without limits has no counters', () => {
    expect(keyLimits(makeKey(), calendar)).toEqual([])
    expect(keyLimits(makeKey({ rateLimitRequests: 5 }), calendar)).toEqual([])
  })

  test('each field is a limit, those that waiting does not mend first, then the longest wait', () => {
    expect(
      keyLimits(everything, calendar).map(({ name, measure, span, most }) => [name, measure, span.kind, most]),
    ).toEqual([
      ['total', 'cost', 'total', 11],
      ['tokens', 'tokens', 'total', 1],
      ['week', 'cost', 'calendar', 10],
      ['day', 'cost', 'calendar', 9],
      ['window-requests', 'requests', 'window', 4],
      ['window-tokens', 'tokens', 'window', 5],
      ['window-cost', 'cost', 'window', 6],
      ['tpm', 'tokens', 'rate', 8],
      ['rpm', 'requests', 'rate', 7],
      ['slots', 'slots', 'total', 2],
    ])
  })

  test('a window counts requests, tokens and cost, also what it does not limit (KEY-6)', () => {
    const limits = keyLimits(makeKey({ rateLimitWindowMinutes: 5, rateLimitTokens: 9 }), calendar)
    expect(limits.map(({ name, most }) => [name, most])).toEqual([
      ['window-requests', null],
      ['window-tokens', 9],
      ['window-cost', null],
    ])
  })

  test('what the database has totals of is durable, and nothing else is', () => {
    const durable = keyLimits(everything, calendar).filter((limit) => limit.durable)
    expect(durable.map((limit) => limit.name)).toEqual(['total', 'tokens', 'week', 'day'])
  })

  test('counters of different keys have different names, and one owner if they have one user', () => {
    const names = [everything, { ...everything, id: 'key-2' }].flatMap((key) =>
      keyLimits(key, calendar).map((limit) => limit.counter),
    )
    expect(new Set(names).size).toBe(names.length)
    expect(ownerOf(makeKey({ id: 'a' }))).toBe(ownerOf(makeKey({ id: 'b' })))
    expect(ownerOf(makeKey({ id: 'a', userId: null }))).toBe('a')
  })
})

describe('the hold on the payer’s money (BIL-7, BIL-10)', () => {
  test('nobody pays, or whoever pays is unlimited: no hold', () => {
    expect(payerLimits({ kind: 'none' }, null)).toEqual([])
    expect(payerLimits({ kind: 'balance', id: 'u', availableNano: null }, null)).toEqual([])
    expect(payerLimits({ kind: 'subscription', id: 's', availableNano: null }, groupLimits)).toEqual([])
  })

  test('a balance or key is held at what is charged, a subscription at list price in each window that has a limit', () => {
    const [funds] = payerLimits({ kind: 'key', id: 'k', availableNano: 5n }, null)
    expect(funds).toMatchObject({ counter: 'key:k:funds', measure: 'charge', rule: 'hold', durable: true })
    const windows = payerLimits({ kind: 'subscription', id: 's', availableNano: 5n }, groupLimits)
    expect(windows.map(({ counter, measure, most }) => [counter, measure, most])).toEqual([
      ['subscription:s:monthly', 'cost', 13],
      ['subscription:s:daily', 'cost', 12],
    ])
  })

  test('money beyond 4.5 million USD counts as that much', () => {
    expect(toCount(5n)).toBe(5)
    expect(toCount(10n ** 20n)).toBe(MOST_COUNT)
    expect(toCount(-(10n ** 20n))).toBe(-MOST_COUNT)
  })
})
