/** What both kinds of sticky sessions guarantee: one suite, run in memory and on Redis. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { createSharedSticky } from '../../src/state/shared-sticky.ts'
import { createSticky, type Sticky } from '../../src/state/sticky.ts'
import { createTestBus } from '../support/bus.ts'
import { manualClock, RUN } from '../support/counters.ts'
import { connectRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const HOUR_MS = 3_600_000
const server = await startRedis()
const client = server && (await connectRedis(server.url))
afterAll(async () => {
  client?.disconnect()
  await server?.stop()
})

const clock = manualClock(Date.now())
const bus = createTestBus()
let key = ''
let keys = 0
beforeEach(() => {
  key = `g:key-${keys++}:${RUN}`
})

/** What Redis holds, under whichever name. */
const stored = () => client?.get(`tp:{${key}}:session`)
const isStored = (accountId: string) =>
  until(async () => (await stored())?.startsWith(`${accountId} `), { what: `${accountId} in Redis` })

/** A client that counts its trips, and fails as long as it is told to. */
function watched() {
  const state = { gets: 0, isAway: false }
  const unlessAway = <T>(work: () => Promise<T>) => (state.isAway ? Promise.reject(new Error('away')) : work())
  const sticky = createSharedSticky({
    client: {
      get: (name) => {
        state.gets++
        return unlessAway(() => (client as NonNullable<typeof client>).get(name))
      },
      evalsha: (...args) => unlessAway(() => (client as NonNullable<typeof client>).evalsha(...args)),
      eval: (...args) => unlessAway(() => (client as NonNullable<typeof client>).eval(...args)),
    },
    bus: bus.join(),
    nowMs: clock.nowMs,
    mostSessions: 1000,
  })
  return Object.assign(sticky, { state })
}

describe.each<[string, () => Sticky, boolean]>([
  ['in memory', () => createSticky({ nowMs: clock.nowMs }), false],
  ['on Redis', watched, !client],
])('sticky sessions %s (ACC-4)', (_name, open, isSkipped) => {
  test.skipIf(isSkipped)('a session is bound for an hour from its last use', async () => {
    const sticky = open()
    expect(await sticky.find(key)).toBeNull()
    sticky.bind(key, 'a')
    clock.advance(HOUR_MS - 1)
    expect(await sticky.find(key)).toBe('a')
    sticky.bind(key, 'a')
    clock.advance(HOUR_MS - 1)
    expect(await sticky.find(key)).toBe('a')
    clock.advance(1)
    expect(await sticky.find(key)).toBeNull()
  })

  test.skipIf(isSkipped)('the last binding holds, and keys share nothing', async () => {
    const sticky = open()
    sticky.bind(key, 'a')
    sticky.bind(key, 'b')
    expect(await sticky.find(key)).toBe('b')
    expect(await sticky.find(`${key}:other`)).toBeNull()
  })
})

test('in memory a binding is there at once: nothing is awaited (ACC-4)', () => {
  const sticky = createSticky({ nowMs: clock.nowMs })
  sticky.bind(key, 'a')
  expect([sticky.find(key), sticky.find('other')]).toEqual(['a', null])
})

describe.skipIf(!client)('sticky sessions that instances share (OPS-4)', () => {
  test('what one bound the other finds: with one trip, then from memory', async () => {
    const [one, other] = [watched(), watched()]
    one.bind(key, 'a')
    await isStored('a')
    expect(await other.find(key)).toBe('a')
    expect(other.find(key)).toBe('a')
    expect(one.find(key)).toBe('a')
    expect([one.state.gets, other.state.gets]).toEqual([0, 1])
  })

  test('a session that moves is forgotten by all who remembered its old account', async () => {
    const [one, other] = [watched(), watched()]
    one.bind(key, 'a')
    await isStored('a')
    expect(await other.find(key)).toBe('a')
    other.bind(key, 'b')
    await until(() => one.find(key) !== 'a', { what: 'the news of the move' })
    expect(await one.find(key)).toBe('b')
  })

  test('news that were missed are made up for: at once after a gap, else within a minute', async () => {
    const [one, other] = [watched(), watched()]
    for (const makeUp of [bus.gap, () => clock.advance(60_000)]) {
      one.bind(key, 'a')
      await isStored('a')
      expect(await one.find(key)).toBe('a')
      // Said by nobody.
      await client?.set(`tp:{${key}}:session`, `b ${clock.nowMs() + HOUR_MS}`)
      expect(one.find(key)).toBe('a')
      makeUp()
      clock.advance(1)
      expect(await one.find(key)).toBe('b')
    }
    expect(other.state.gets).toBe(0)
  })

  test('an answer that the news of a move has overtaken is not kept', async () => {
    const [one, other] = [watched(), watched()]
    one.bind(key, 'a')
    await isStored('a')
    const asking = other.find(key)
    bus.deliver('session', key)
    expect(await asking).toBe('a')
    expect(other.find(key)).toBeInstanceOf(Promise)
  })

  test('without Redis memory goes on; what was bound meanwhile reaches it later by itself (OPS-5)', async () => {
    const one = watched()
    one.state.isAway = true
    expect(await one.find(key)).toBeNull()
    one.bind(key, 'a')
    // Left alone for a second: nobody waits for an answer that does not come.
    expect(one.find(key)).toBe('a')
    expect(one.state.gets).toBe(1)
    one.state.isAway = false
    clock.advance(1000)
    one.bind(key, 'a')
    await isStored('a')
    expect(await watched().find(key)).toBe('a')
  })

  test('a Redis that has forgotten everything is told again at the session’s next success (OPS-5)', async () => {
    const one = watched()
    one.bind(key, 'a')
    await isStored('a')
    await client?.del(`tp:{${key}}:session`)
    bus.gap()
    clock.advance(1)
    expect(await one.find(key)).toBe('a')
    one.bind(key, 'a')
    await isStored('a')
  })

  test('a session in steady use is not written with every request', async () => {
    const one = watched()
    one.bind(key, 'a')
    await isStored('a')
    await client?.del(`tp:{${key}}:session`)
    clock.advance(HOUR_MS / 8 - 1)
    one.bind(key, 'a')
    clock.advance(1)
    expect(await stored()).toBeNull()
    one.bind(key, 'a')
    await isStored('a')
  })

  test('what Redis holds goes away by itself', async () => {
    watched().bind(key, 'a')
    await isStored('a')
    const ttlMs = (await client?.pttl(`tp:{${key}}:session`)) ?? 0
    expect(ttlMs).toBeGreaterThan(HOUR_MS - 60_000)
    expect(ttlMs).toBeLessThanOrEqual(HOUR_MS)
  })
})
