import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createByteBudget } from '../../src/lib/byte-budget.ts'

/** Time-outs that the test lets pass. */
function budgetOf(mostBytes: number) {
  const timeouts = new Set<() => void>()
  const budget = createByteBudget({
    mostBytes,
    patienceMs: 1000,
    schedule(_, call) {
      timeouts.add(call)
      return () => timeouts.delete(call)
    },
  })
  const runOut = () => {
    for (const call of [...timeouts]) call()
  }
  return { budget, runOut, timeouts }
}

describe('a byte budget', () => {
  test('gives what fits at once, and no more (OPS-11)', () => {
    const { budget } = budgetOf(100)
    expect(budget.take(60)).toBe(true)
    expect(budget.take(40)).toBe(true)
    expect(budget.take(1)).toBeInstanceOf(Promise)
    expect([budget.held, budget.waiting]).toEqual([100, 1])
    expect(budget.take(1, false)).toBe(false)
  })

  test('who waits gets room in order as it comes free, or a refusal in time; both take nothing twice (OPS-11)', async () => {
    const { budget, runOut, timeouts } = budgetOf(100)
    expect(budget.take(90)).toBe(true)
    const first = budget.take(50)
    const second = budget.take(5)
    // It would fit, but somebody came before.
    expect(second).toBeInstanceOf(Promise)
    budget.give(90)
    expect([await first, await second, budget.held, timeouts.size]).toEqual([true, true, 55, 0])
    const third = budget.take(60)
    runOut()
    expect([await third, budget.held, budget.waiting]).toEqual([false, 55, 0])
  })

  test('one that is larger than the whole is let in when nobody else holds anything (OPS-11)', async () => {
    const { budget } = budgetOf(100)
    expect(budget.take(150)).toBe(true)
    const next = budget.take(1)
    expect(next).toBeInstanceOf(Promise)
    budget.give(150)
    expect(await next).toBe(true)
  })

  test('after any takes and gives, what is held is what was taken and not given back, never over the limit (OPS-11)', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 40 })
    fc.assert(
      fc.asyncProperty(sizes, fc.infiniteStream(fc.boolean()), async (wanted, coins) => {
        const { budget, runOut } = budgetOf(100)
        const held: number[] = []
        const waits: Promise<void>[] = []
        for (const bytes of wanted) {
          const taken = budget.take(bytes)
          if (taken === true) held.push(bytes)
          else if (taken) waits.push(taken.then((got) => void (got && held.push(bytes))))
          if (coins.next().value && held.length > 0) {
            budget.give(held.pop()!)
            await Promise.resolve()
          }
          if (held.length > 1) expect(budget.held).toBeLessThanOrEqual(100)
        }
        runOut()
        await Promise.all(waits)
        expect(budget.held).toBe(held.reduce((sum, bytes) => sum + bytes, 0))
      }),
    )
  })
})
