import { describe, expect, test } from 'bun:test'
import { createLeases } from '../../src/state/leases.ts'
import { createMemoryCounters } from '../../src/state/memory-counters.ts'
import { manualClock } from '../support/counters.ts'

function setUp() {
  const clock = manualClock()
  const counters = createMemoryCounters({ nowMs: clock.nowMs, leaseMs: 30_000 })
  let ids = 0
  const instance = () => createLeases({ counters, newId: () => `lease-${ids++}` })
  return { clock, counters, one: instance(), other: instance() }
}

describe('leases (ACC-7)', () => {
  test('instances share the slots of an account; accounts share nothing', async () => {
    const { one, other } = setUp()
    expect(await one.take('account-1', 2)).not.toBeNull()
    const second = await other.take('account-1', 2)
    expect(await one.take('account-1', 2)).toBeNull()
    expect(await one.take('account-2', 1)).not.toBeNull()
    await second?.release()
    expect(await one.take('account-1', 2)).not.toBeNull()
  })

  test('a slot is freed once, however often it is released', async () => {
    const { one } = setUp()
    const first = await one.take('account-1', 2)
    await one.take('account-1', 2)
    await first?.release()
    await first?.release()
    expect(await one.take('account-1', 2)).not.toBeNull()
    expect(await one.take('account-1', 2)).toBeNull()
  })

  test('a slot whose holder died comes back by itself', async () => {
    const { one, clock } = setUp()
    await one.take('account-1', 1)
    clock.advance(29_999)
    expect(await one.take('account-1', 1)).toBeNull()
    clock.advance(1)
    expect(await one.take('account-1', 1)).not.toBeNull()
  })

  test('an account without a limit is not counted', async () => {
    const { one, counters } = setUp()
    const leases = await Promise.all([1, 2, 3].map(() => one.take('account-1', 0)))
    expect(leases.every(Boolean)).toBe(true)
    expect(counters.ownerCount).toBe(0)
  })
})
