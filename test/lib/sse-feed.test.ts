import { describe, expect, test } from 'bun:test'
import { createFeed, HEARTBEAT } from '../../src/lib/sse-feed.ts'
import { until } from '../support/until.ts'

/** A feed whose time passes when the test says so. */
function openFeed(next: () => string | null | Promise<string | null>) {
  const timers = new Set<{ afterMs: number; run(): void }>()
  const counts = { asked: 0, ended: 0 }
  const events = createFeed({
    everyMs: 1000,
    heartbeatMs: 3000,
    async next() {
      counts.asked++
      return next()
    },
    schedule(afterMs, run) {
      const timer = { afterMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    onEnd: () => counts.ended++,
  })
  const reader = events[Symbol.asyncIterator]()
  return {
    counts,
    timers,
    reader,
    async read() {
      const { value, done } = await reader.next()
      return done ? null : value
    },
    async tick() {
      const [timer] = await until(() => (timers.size > 0 ? [...timers] : null), { what: 'a pause' })
      timers.delete(timer!)
      timer?.run()
    },
  }
}

describe('a feed', () => {
  test('sends the state at once, then the newest one after each pause (USE-4)', async () => {
    let state = 0
    const feed = openFeed(() => `state ${++state}`)
    expect(await feed.read()).toBe('data: state 1\n\n')
    const second = feed.read()
    await feed.tick()
    expect(await second).toBe('data: state 2\n\n')
  })

  test('asks for nothing while its reader is slow, and then skips to the newest state (USE-4)', async () => {
    let state = 0
    const feed = openFeed(() => `state ${state}`)
    await feed.read()
    state = 100
    expect([feed.counts.asked, feed.timers.size]).toEqual([1, 0])
    const next = feed.read()
    await feed.tick()
    expect(await next).toBe('data: state 100\n\n')
    expect(feed.counts.asked).toBe(2)
  })

  test('stays quiet while nothing is new, but for a comment after the longest silence (USE-4)', async () => {
    const feed = openFeed(() => null)
    const quiet = feed.read()
    await feed.tick()
    await feed.tick()
    await feed.tick()
    expect(await quiet).toBe(HEARTBEAT)
    expect(HEARTBEAT).toMatch(/^:.*\n\n$/)
  })

  test('ends at once when its reader leaves, also in the middle of a pause, and asks no more (USE-4)', async () => {
    const feed = openFeed(() => 'state')
    await feed.read()
    const waiting = feed.read()
    await until(() => feed.timers.size === 1, { what: 'a pause' })
    await feed.reader.return?.()
    expect(await waiting).toBeNull()
    expect(feed.timers.size).toBe(0)
    expect(feed.counts).toEqual({ asked: 1, ended: 1 })
  })

  test('breaks off when a state cannot be had, and is over once', async () => {
    const feed = openFeed(() => Promise.reject(new Error('no state')))
    expect(feed.read()).rejects.toThrow('no state')
    await until(() => feed.counts.ended === 1, { what: 'its end' })
    await feed.reader.return?.()
    expect(feed.counts.ended).toBe(1)
  })
})
