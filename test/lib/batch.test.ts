import { expect, test } from 'bun:test'
import { createBatch } from '../../src/lib/batch.ts'

function setUp(mostItems: number, failing: () => boolean = () => false) {
  const written: number[][] = []
  let failures = 0
  const batch = createBatch<number>({
    mostItems,
    everyMs: 1,
    onFailure: () => failures++,
    write: async (items) => {
      if (failing()) throw new Error('database is away')
      written.push(items)
    },
  })
  return { batch, written, failures: () => failures }
}

test('every item is written once, in order, in batches of at most the given size (USE-9)', async () => {
  const { batch, written } = setUp(3)
  for (let i = 0; i < 8; i++) batch.add(i)
  await batch.flush()
  expect(written.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(Math.max(...written.map((items) => items.length))).toBeLessThanOrEqual(3)
})

test('a failed write drops nothing and doubles nothing (USE-9)', async () => {
  let down = true
  const { batch, written, failures } = setUp(10, () => down)
  batch.add(1)
  await batch.flush()
  expect(failures()).toBe(1)
  batch.add(2)
  expect([batch.backlog, batch.oldest]).toEqual([2, 1])
  down = false
  await batch.flush()
  expect(written).toEqual([[1, 2]])
  expect([batch.backlog, batch.oldest, batch.failures]).toEqual([0, undefined, 0])
})

test('closing writes what waits and says what could not be written (OPS-2)', async () => {
  const { batch, written } = setUp(10)
  batch.add(1)
  expect(await batch.close()).toEqual([])
  expect(written).toEqual([[1]])
  const broken = setUp(10, () => true)
  broken.batch.add(7)
  expect(await broken.batch.close()).toEqual([7])
})
