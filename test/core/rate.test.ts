import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { correctRate, MINUTE_US, type RateState, takeRate } from '../../src/core/rate.ts'

const MINUTE_MS = 60_000
const START_MS = Date.UTC(2026, 6, 24)

/** Lets in what it can of the requests, given as [ms since the one before, amount]. Returns what was let in, and when. */
function letIn(perMinute: number, requests: readonly (readonly [number, number])[]) {
  let state: RateState | undefined
  let nowMs = START_MS
  const passed: { atMs: number; amount: number }[] = []
  for (const [afterMs, amount] of requests) {
    nowMs += afterMs
    const decision = takeRate(state, { perMinute, amount: Math.min(amount, perMinute), nowMs })
    if (!decision.ok) continue
    state = decision.state
    passed.push({ atMs: nowMs, amount: Math.min(amount, perMinute) })
  }
  return passed
}

const burst = (count: number, amount = 1) => Array.from({ length: count }, () => [0, amount] as const)

describe('sliding minute', () => {
  test('a full minute’s worth may come at once, and not one more (KEY-6)', () => {
    expect(letIn(60, burst(100))).toHaveLength(60)
    expect(letIn(1, burst(5))).toHaveLength(1)
    expect(letIn(100_000, burst(100, 1500))).toHaveLength(66)
  })

  test('there is no boundary at which a second burst passes (KEY-6)', () => {
    for (const secondsLater of [1, 2, 30, 59]) {
      const passed = letIn(60, [...burst(100), [secondsLater * 1000, 1], ...burst(100)])
      expect(passed).toHaveLength(60 + secondsLater)
    }
  })

  test('over any time, no more than a minute’s worth and what drains in that time (KEY-6)', () => {
    const requests = fc.array(fc.tuple(fc.nat(20_000), fc.nat(50)), { maxLength: 100 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), requests, (perMinute, list) => {
        const passed = letIn(perMinute, list)
        for (const [index, first] of passed.entries()) {
          let sum = 0
          for (const { atMs, amount } of passed.slice(index)) {
            sum += amount
            expect(sum).toBeLessThanOrEqual(perMinute + ((atMs - first.atMs) * perMinute) / MINUTE_MS + 1e-6)
          }
        }
      }),
    )
  })

  test('whoever is refused passes after the time that was named, and not a millisecond before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(5000), fc.nat(MINUTE_MS), (perMinute, amount, laterMs) => {
        const full = takeRate(undefined, { perMinute, amount: perMinute, nowMs: START_MS })
        if (!full.ok) throw new Error('an empty bucket refused')
        const nowMs = START_MS + laterMs
        const take = { perMinute, amount: Math.min(amount, perMinute), nowMs }
        const decision = takeRate(full.state, take)
        if (decision.ok) return
        expect(takeRate(full.state, { ...take, nowMs: nowMs + decision.waitMs }).ok).toBe(true)
        expect(takeRate(full.state, { ...take, nowMs: nowMs + decision.waitMs - 1 }).ok).toBe(false)
      }),
    )
  })

  test('estimates that are corrected at once leave what the true amounts would have left', () => {
    const amounts = fc.array(fc.record({ afterMs: fc.nat(5000), taken: fc.nat(100), actual: fc.nat(100) }), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(amounts, (list) => {
        const perMinute = 6000
        let [estimated, exact]: (RateState | undefined)[] = []
        let nowMs = START_MS
        for (const { afterMs, taken, actual } of list) {
          nowMs += afterMs
          const first = takeRate(estimated, { perMinute, amount: taken, nowMs })
          const second = takeRate(exact, { perMinute, amount: actual, nowMs })
          if (!first.ok || !second.ok) throw new Error('too small a limit for this test')
          estimated = correctRate(first.state, { perMinute, taken, takenAtMs: nowMs, actual, nowMs })
          exact = second.state
          expect(estimated.emptyAtUs).toBe(exact.emptyAtUs)
        }
      }),
    )
  })

  test('overlapping requests get back what they did not use', () => {
    const perMinute = 100
    let state: RateState | undefined
    for (let request = 0; request < 10; request++) {
      const decision = takeRate(state, { perMinute, amount: 10, nowMs: START_MS })
      if (decision.ok) state = decision.state
    }
    for (let request = 0; request < 10 && state; request++) {
      state = correctRate(state, { perMinute, taken: 10, takenAtMs: START_MS, actual: 1, nowMs: START_MS + 10_000 })
    }
    expect(takeRate(state, { perMinute, amount: perMinute, nowMs: START_MS + 10_000 }).ok).toBe(true)
  })

  test('what has drained is not given back a second time', () => {
    const perMinute = 100
    const first = takeRate(undefined, { perMinute, amount: 100, nowMs: START_MS })
    const laterMs = START_MS + MINUTE_MS
    const second = takeRate(first.ok ? first.state : undefined, { perMinute, amount: 100, nowMs: laterMs })
    if (!second.ok) throw new Error('refused')
    const corrected = correctRate(second.state, {
      perMinute,
      taken: 100,
      takenAtMs: START_MS,
      actual: 0,
      nowMs: laterMs,
    })
    expect(corrected).toEqual(second.state)
  })

  test('a request that used more than was taken leaves a debt, of a day at most (KEY-6)', () => {
    const state = { emptyAtUs: START_MS * 1000, busySinceMs: START_MS }
    const correction = { perMinute: 100, taken: 0, takenAtMs: START_MS, nowMs: START_MS + 500 }
    const debt = correctRate(state, { ...correction, actual: 300 })
    expect(debt.emptyAtUs).toBe((START_MS + 500) * 1000 + 3 * MINUTE_US)
    expect(takeRate(debt, { perMinute: 100, amount: 0, nowMs: START_MS + 500 })).toEqual({
      ok: false,
      waitMs: 2 * MINUTE_MS,
    })
    const enormous = correctRate(state, { ...correction, actual: Number.MAX_SAFE_INTEGER })
    expect(enormous.emptyAtUs).toBe((START_MS + 500 + 86_400_000) * 1000)
  })
})
