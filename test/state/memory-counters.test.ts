/** What is particular to the counters in memory: nothing is awaited, and what is over is forgotten. */
import { describe, expect, test } from 'bun:test'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { actual, amounts, DAY_MS, manualClock, slots, tokens, window } from '../support/counters.ts'

const step = (owner: string, requestId: string, limits = [slots(9)]) => ({
  owner,
  requestId,
  limits,
  amounts: amounts(),
  acceptsStale: false,
})
const end = (owner: string, requestId: string) => ({ owner, requestId, actual: actual(), takes: [], isLate: false })

describe('counters in memory', () => {
  test('a request under way lives as long as the process: its slot is not taken from it', () => {
    const clock = manualClock()
    const counters = createMemoryCounters({ nowMs: clock.nowMs })
    counters.admit(step('owner', 'long', [slots(1)]))
    clock.advance(365 * DAY_MS)
    expect(counters.admit(step('owner', 'next', [slots(1)])).kind).toBe('refused')
  })

  test('owners that have been away for a day are forgotten; not those with a request under way or a long window', () => {
    const clock = manualClock()
    const counters = createMemoryCounters({ nowMs: clock.nowMs })
    for (let index = 0; index < 100; index++) {
      counters.admit(step(`owner-${index}`, 'request'))
      counters.settle(end(`owner-${index}`, 'request'))
    }
    counters.admit(step('busy', 'long'))
    counters.admit(step('windowed', 'request', [window(5, 30 * DAY_MS)]))
    counters.settle(end('windowed', 'request'))
    clock.advance(DAY_MS + 1)
    for (let index = 0; index < 5000; index++) counters.admit(step('now', `request-${index}`, [slots(1)]))
    expect(counters.ownerCount).toBe(3)
    expect(counters.read('windowed', ['window']).buckets[0]).toMatchObject({ used: 1 })
  })

  test('a settled request’s id is remembered for a while only', () => {
    const clock = manualClock()
    const counters = createMemoryCounters({ nowMs: clock.nowMs, rememberMs: 1000 })
    counters.admit(step('owner', 'request'))
    expect(counters.settle(end('owner', 'request'))).toBe(true)
    clock.advance(999)
    expect(counters.settle(end('owner', 'request'))).toBe(false)
    clock.advance(1)
    expect(counters.settle(end('owner', 'request'))).toBe(true)
  })

  test('answers can not be changed from outside', () => {
    const counters = createMemoryCounters({ nowMs: manualClock().nowMs })
    counters.admit(step('owner', 'request', [slots(5)]))
    const bucket = counters.read('owner', ['slots']).buckets[0]
    if (bucket) bucket.reserved = 0
    expect(counters.read('owner', ['slots']).buckets[0]).toMatchObject({ reserved: 1 })
    expect(counters.admit(step('owner', 'unknown', [tokens(5)])).kind).toBe('unknown')
  })
})
