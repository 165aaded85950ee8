import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { startWatch } from '../../src/db/embedded-watch.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

const settle = async () => {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve()
}

/** Runs a watch for some seconds; says in which seconds it looked, trimmed and complained. */
async function watchFor(seconds: number, revive: (second: number) => Promise<boolean>) {
  const seen = { looked: [] as number[], trimmed: [] as number[], complained: [] as number[] }
  let second = 0
  const end = startWatch({
    everyMs: 1000,
    revive: () => {
      seen.looked.push(second)
      return revive(second)
    },
    trimLog: () => seen.trimmed.push(second),
    onFailure: () => seen.complained.push(second),
  })
  for (second = 1; second <= seconds; second++) {
    jest.advanceTimersByTime(1000)
    await settle()
  }
  end()
  jest.advanceTimersByTime(10_000)
  return seen
}

test('the watch looks every second, trims the log every minute, and ends when told (OPS-3)', async () => {
  const { looked, trimmed, complained } = await watchFor(130, () => Promise.resolve(false))
  expect(looked).toEqual(Array.from({ length: 130 }, (_, index) => index + 1))
  expect(trimmed).toEqual([60, 120])
  expect(complained).toEqual([])
})

test('a server that can not be brought back is tried ever more seldom, at least twice a minute (OPS-3)', async () => {
  const { looked, complained } = await watchFor(130, () => Promise.reject(new Error('disk full')))
  expect(looked).toEqual([1, 2, 4, 8, 16, 32, 64, 96, 128])
  expect(complained).toEqual(looked)
})

test('once it is back, the watch looks every second again (OPS-3)', async () => {
  const { looked } = await watchFor(10, (second) =>
    second < 4 ? Promise.reject(new Error('full')) : Promise.resolve(true),
  )
  expect(looked).toEqual([1, 2, 4, 5, 6, 7, 8, 9, 10])
})

test('a slow attempt is waited for, not doubled (OPS-3)', async () => {
  const { looked } = await watchFor(10, () => new Promise(() => {}))
  expect(looked).toEqual([1])
})

test('a log that can not be trimmed is a complaint, not the end of the process (OPS-3)', async () => {
  const complaints: string[] = []
  const end = startWatch({
    everyMs: 1,
    revive: () => Promise.resolve(false),
    trimLog: () => {
      throw new Error('no space left')
    },
    onFailure: ({ message }) => complaints.push(message),
  })
  for (let tick = 0; tick < 60; tick++) {
    jest.advanceTimersByTime(1)
    await settle()
  }
  end()
  expect(complaints).toEqual(['no space left'])
})
