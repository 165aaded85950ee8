import { expect, test } from 'bun:test'
import { createSingleFlight } from '../../src/lib/single-flight.ts'

test('whoever asks while the work is under way shares it; afterwards it is done anew, also when it failed', async () => {
  const flight = createSingleFlight<number>()
  const gates: PromiseWithResolvers<number>[] = []
  const work = () => {
    const gate = Promise.withResolvers<number>()
    gates.push(gate)
    return gate.promise
  }
  const [first, second, other] = [flight.run('a', work), flight.run('a', work), flight.run('b', work)]
  expect(gates).toHaveLength(2)
  gates[0]?.resolve(1)
  gates[1]?.reject(new Error('broken'))
  expect(await Promise.all([first, second])).toEqual([1, 1])
  await expect(other).rejects.toThrow('broken')
  expect(flight.size).toBe(0)
  const again = flight.run('b', work)
  gates[2]?.resolve(3)
  expect(await again).toBe(3)
})
