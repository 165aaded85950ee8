import { expect, test } from 'bun:test'
import { createSemaphore } from '../../src/lib/semaphore.ts'

test('no more run at a time than may, all have their turn in order, and one that fails gives its place on', async () => {
  const semaphore = createSemaphore(2)
  let running = 0
  let most = 0
  const order: number[] = []
  const results = await Promise.allSettled(
    Array.from({ length: 9 }, (_, index) =>
      semaphore.run(async () => {
        most = Math.max(most, ++running)
        order.push(index)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        if (index % 3 === 0) throw new Error('no')
        return index
      }),
    ),
  )
  expect([most, order]).toEqual([2, [0, 1, 2, 3, 4, 5, 6, 7, 8]])
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(6)
})
