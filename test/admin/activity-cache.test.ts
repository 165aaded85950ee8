import { describe, expect, test } from 'bun:test'
import { createActivityCache } from '../../src/admin/activity-cache.ts'
import type { ActivityRow } from '../../src/db/usage-activity.ts'

const row = (requests: bigint): ActivityRow => ({
  bucket: 0,
  requests,
  totalTokens: 0n,
  costNano: 0n,
  upstreamCostNano: 0n,
})

function scene() {
  const time = { nowMs: 0 }
  const cache = createActivityCache({ nowMs: () => time.nowMs })
  let loads = 0
  const read = async (key: string, userId?: string) =>
    Number((await cache.read({ key, userId }, async () => [row(BigInt(++loads))]))[0]?.requests)
  return { time, cache, read }
}

describe('remembered heat maps (USE-13)', () => {
  test('are kept for five minutes, each under its own key', async () => {
    const { time, read } = scene()
    expect([await read('a'), await read('b'), await read('a')]).toEqual([1, 2, 1])
    time.nowMs = 300_000 - 1
    expect(await read('a')).toBe(1)
    time.nowMs = 300_000
    expect(await read('a')).toBe(3)
  })

  test('of a user who changed are forgotten, and only those', async () => {
    const { cache, read } = scene()
    await read('of u', 'u')
    await read('of u in Berlin', 'u')
    await read('of all')
    cache.forgetUser('u')
    expect([await read('of all'), await read('of u', 'u'), await read('of u in Berlin', 'u')]).toEqual([3, 4, 5])
  })

  test('what was being loaded when the user changed answers nobody who asks afterwards', async () => {
    const { cache, read } = scene()
    const { promise, resolve } = Promise.withResolvers<ActivityRow[]>()
    const before = cache.read({ key: 'of u', userId: 'u' }, () => promise)
    cache.forgetUser('u')
    expect(await read('of u', 'u')).toBe(1)
    resolve([row(99n)])
    expect((await before)[0]?.requests).toBe(99n)
    expect(await read('of u', 'u')).toBe(1)
  })

  test('many who ask at once cause one load; one that fails is not remembered', async () => {
    const { cache, read } = scene()
    expect(await Promise.all([read('a'), read('a'), read('a')])).toEqual([1, 1, 1])
    await expect(cache.read({ key: 'b', userId: undefined }, () => Promise.reject(new Error('away')))).rejects.toThrow()
    expect(await read('b')).toBe(2)
  })

  test('are not kept without end: the oldest of 200 goes', async () => {
    const { read } = scene()
    for (let index = 0; index <= 200; index++) await read(`key ${index}`)
    expect([await read('key 200'), await read('key 1'), await read('key 0')]).toEqual([201, 2, 202])
  })
})
