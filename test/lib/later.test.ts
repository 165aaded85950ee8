import { expect, test } from 'bun:test'
import { andThen, andThenWith } from '../../src/lib/later.ts'

test('what is there at once goes on at once; what is not, when it is there', async () => {
  expect(andThen(2, (value) => value + 1)).toBe(3)
  const later = andThen(Promise.resolve(2), (value) => value + 1)
  expect(later).toBeInstanceOf(Promise)
  expect(await later).toBe(3)
  expect(await andThen(2, (value) => Promise.resolve(value + 1))).toBe(3)
})

test('with what the next step needs: the same, and it is given that', async () => {
  const add = (by: number, value: number) => value + by
  expect(andThenWith(2, 10, add)).toBe(12)
  const later = andThenWith(Promise.resolve(2), 10, add)
  expect(later).toBeInstanceOf(Promise)
  expect(await later).toBe(12)
})
