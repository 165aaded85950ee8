import { expect, test } from 'bun:test'
import { createWatchdog } from '../../src/lib/watchdog.ts'

function setUp() {
  const clock = { nowMs: 0 }
  const dog = createWatchdog({ nowMs: () => clock.nowMs, sweepEveryMs: 0 })
  const at = (nowMs: number) => {
    clock.nowMs = nowMs
    dog.sweep()
  }
  return { dog, at }
}

test('silence fires once, between its limit and one sweep later; a touch starts it anew (REL-15)', () => {
  const { dog, at } = setUp()
  const fired: string[] = []
  const watched = dog.watch({ fire: (limit) => void fired.push(limit) })
  watched.limitIdle(1000)
  at(900)
  watched.touch()
  at(1100)
  at(2099)
  expect(fired).toEqual([])
  at(2100)
  at(9000)
  expect(fired).toEqual(['idle'])
  expect(dog.size).toBe(0)
})

test('the deadline counts from when it was set and no touch moves it (REL-15)', () => {
  const { dog, at } = setUp()
  const fired: string[] = []
  const watched = dog.watch({ fire: (limit) => void fired.push(limit) })
  at(500)
  watched.limitTotal(1000)
  at(1400)
  watched.touch()
  at(1500)
  expect(fired).toEqual(['deadline'])
})

test('a keep-alive ticks again and again in silence and not between touches (REL-15)', () => {
  const { dog, at } = setUp()
  let ticks = 0
  const watched = dog.watch({ fire: () => undefined })
  watched.every(1000, () => ticks++)
  at(1000)
  at(1500)
  at(2000)
  watched.touch()
  at(2500)
  at(3000)
  expect(ticks).toBe(2)
  at(3500)
  expect(ticks).toBe(3)
})

test('what is stopped never fires', () => {
  const { dog, at } = setUp()
  const fired: string[] = []
  const watched = dog.watch({ fire: (limit) => void fired.push(limit) })
  watched.limitIdle(10)
  watched.limitTotal(10)
  watched.stop()
  at(100)
  expect(fired).toEqual([])
})
