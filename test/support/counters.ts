/** Limits, amounts and a manual clock for tests of counters. */
import { dayBoundaries } from '../../src/core/calendar.ts'
import type { Amounts, Limit, Span } from '../../src/core/limit.ts'

export const START_MS = Date.UTC(2026, 6, 24, 12)
export const DAY_MS = 86_400_000
/** Part of every owner's name: a Redis that was there before may remember an earlier run. */
export const RUN = crypto.randomUUID()

export function manualClock(startMs = START_MS) {
  let at = startMs
  return {
    nowMs: () => at,
    advance(ms: number) {
      at += ms
    },
  }
}

export const amounts = (over: Partial<Amounts> = {}): Amounts => ({
  slots: 1,
  requests: 1,
  tokens: 0,
  cost: 0,
  charge: 0,
  ...over,
})

/** What a finished request used: its slot is free again. */
export const actual = (over: Partial<Amounts> = {}): Amounts => amounts({ slots: 0, ...over })

const TOTAL: Span = { kind: 'total' }

export const limit = (over: Partial<Limit> & { counter: string }): Limit => ({
  name: over.counter,
  measure: 'requests',
  span: TOTAL,
  most: 10,
  rule: 'whole',
  durable: false,
  ...over,
})

export const slots = (most: number, counter = 'slots') => limit({ counter, measure: 'slots', most })
export const window = (most: number, lengthMs = 60_000) =>
  limit({ counter: 'window', span: { kind: 'window', lengthMs }, most })
export const rpm = (most: number) => limit({ counter: 'rpm', span: { kind: 'rate' }, most })
export const tpm = (most: number) =>
  limit({ counter: 'tpm', measure: 'tokens', span: { kind: 'rate' }, most, rule: 'estimate' })
export const tokens = (most: number, counter = 'tokens') =>
  limit({ counter, measure: 'tokens', most, rule: 'estimate', durable: true })
export const daily = (most: number, nowMs = START_MS) =>
  limit({
    counter: 'day',
    measure: 'cost',
    span: { kind: 'calendar', boundaries: dayBoundaries(nowMs, 'UTC') },
    most,
    rule: 'estimate',
    durable: true,
  })
export const funds = (counter = 'funds') =>
  limit({ counter, measure: 'charge', most: null, rule: 'hold', durable: true })
export const subscription = (most: number, lengthMs = DAY_MS) =>
  limit({
    counter: 'subscription',
    measure: 'cost',
    span: { kind: 'window', lengthMs },
    most,
    rule: 'hold',
    durable: true,
  })
