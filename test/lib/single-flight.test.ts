import { describe, expect, test } from 'bun:test'
import { createSingleFlight } from '../../src/lib/single-flight.ts'

describe('single flight', () => {
  test('whoever asks while it runs gets the same result; who asks later starts anew; keys are apart', async () => {
    const flights = createSingleFlight<number>()
    let runs = 0
    const work = async () => ++runs
    expect(await Promise.all([flights.run('a', work), flights.run('a', work), flights.run('b', work)])).toEqual([
      1, 1, 2,
    ])
    expect(await flights.run('a', work)).toBe(3)
  })

  test('a failure is everybody’s who waited, and nobody’s after that', async () => {
    const flights = createSingleFlight<string>()
    const failing = () => {
      throw new Error('no')
    }
    const waiting = [flights.run('a', failing), flights.run('a', async () => 'never run')]
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await flights.run('a', async () => 'yes')).toBe('yes')
  })
})
