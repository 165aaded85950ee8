import { expect, test } from 'bun:test'
import { createLoopDelay } from '../../src/lib/loop-delay.ts'

function sampled() {
  let now = 1000
  const delay = createLoopDelay({ nowMs: () => now, everyMs: 0 })
  const tickAfter = (ms: number) => {
    now += ms
    delay.tick()
  }
  return { delay, tickAfter }
}

test('what a tick was late is the delay; before the first tick there is none (OPS-7)', () => {
  const { delay, tickAfter } = sampled()
  expect(delay.read()).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 })
  for (let i = 0; i < 99; i++) tickAfter(52)
  tickAfter(350)
  expect(delay.read()).toEqual({ p50Ms: 2, p99Ms: 300, maxMs: 300 })
})

test('a stall is seen for a minute and then forgotten (OPS-7)', () => {
  const { delay, tickAfter } = sampled()
  tickAfter(1050)
  for (let i = 0; i < 1199; i++) tickAfter(50)
  expect(delay.read().maxMs).toBe(1000)
  tickAfter(50)
  expect(delay.read().maxMs).toBe(0)
})
