import { expect, test } from 'bun:test'
import { createPool } from '../../src/lib/http1-pool.ts'

function setUp(mostIdlePerOrigin = 3, mostActivePerOrigin = Number.POSITIVE_INFINITY) {
  const closed: string[] = []
  const pool = createPool<string>({ mostIdlePerOrigin, mostActivePerOrigin, close: (item) => void closed.push(item) })
  return { pool, closed }
}

test('the connection used last is taken first, and only from its own origin', () => {
  const { pool } = setUp()
  pool.put('a', 'a1', 100)
  pool.put('a', 'a2', 100)
  expect(pool.take('b', 0)).toBeNull()
  expect([pool.take('a', 0), pool.take('a', 0), pool.take('a', 0)]).toEqual(['a2', 'a1', null])
})

test('one that idled too long is closed, not handed out', () => {
  const { pool, closed } = setUp()
  pool.put('a', 'old', 100)
  pool.put('a', 'new', 200)
  expect(pool.take('a', 150)).toBe('new')
  expect(pool.take('a', 150)).toBeNull()
  expect(closed).toEqual(['old'])
})

test('too many idle ones: the oldest goes', () => {
  const { pool, closed } = setUp(2)
  for (const item of ['1', '2', '3']) pool.put('a', item, 100)
  expect(closed).toEqual(['1'])
  expect(pool.idle).toBe(2)
})

test('a sweep closes what is over age, or everything', () => {
  const { pool, closed } = setUp()
  pool.put('a', 'a1', 100)
  pool.put('a', 'a2', 300)
  pool.put('b', 'b1', 100)
  pool.sweep(200)
  expect(closed).toEqual(['a1', 'b1'])
  pool.sweep(Number.POSITIVE_INFINITY)
  expect(closed).toEqual(['a1', 'b1', 'a2'])
  expect(pool.idle).toBe(0)
})

test('one that closed by itself is forgotten', () => {
  const { pool, closed } = setUp()
  pool.put('a', 'a1', 100)
  pool.remove('a', 'a1')
  pool.remove('nowhere', 'a1')
  expect(pool.take('a', 0)).toBeNull()
  expect(closed).toEqual([])
})

test('without a limit everybody enters; with one the others wait their turn, in order', () => {
  const free = setUp().pool
  let entered = 0
  for (let i = 0; i < 1000; i++) free.enter('a', { start: () => void entered++ })
  expect([entered, free.active]).toEqual([1000, 1000])

  const { pool } = setUp(3, 2)
  const order: number[] = []
  for (const number of [1, 2, 3, 4]) pool.enter('a', { start: () => void order.push(number) })
  pool.enter('b', { start: () => void order.push(99) })
  expect(order).toEqual([1, 2, 99])
  pool.leave('a')
  pool.leave('a')
  expect(order).toEqual([1, 2, 99, 3, 4])
  for (const key of ['a', 'a', 'b']) pool.leave(key)
  expect(pool.active).toBe(0)
})
