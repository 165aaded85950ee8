import { describe, expect, test } from 'bun:test'
import { createAttemptLimiter, sourceOf } from '../../src/lib/attempt-limiter.ts'

function limiter(capacity = 100) {
  const time = { nowMs: 1_000_000 }
  const attempts = createAttemptLimiter({ clock: { nowMs: () => time.nowMs }, burst: 3, refillMs: 1000, capacity })
  return { time, attempts }
}

describe('attempt limiter', () => {
  test('the first failures are free, then the source waits (OPS-9, KEY-14)', () => {
    const { attempts } = limiter()
    const waits = Array.from({ length: 5 }, () => {
      const waitMs = attempts.waitMs('a')
      attempts.failed('a')
      return waitMs
    })
    expect(waits).toEqual([0, 0, 0, 1000, 2000])
  })

  test('one source that fails does not slow another (OPS-9)', () => {
    const { attempts } = limiter()
    for (let i = 0; i < 50; i++) attempts.failed('a')
    expect(attempts.waitMs('b')).toBe(0)
  })

  test('waiting pays the debt off (OPS-9)', () => {
    const { attempts, time } = limiter()
    for (let i = 0; i < 4; i++) attempts.failed('a')
    expect(attempts.waitMs('a')).toBe(2000)
    time.nowMs += 2000
    expect(attempts.waitMs('a')).toBe(0)
    time.nowMs += 10_000
    attempts.failed('a')
    expect(attempts.waitMs('a')).toBe(0)
  })

  test('memory is bounded however many sources fail (KEY-14)', () => {
    const { attempts } = limiter(10)
    for (let i = 0; i < 1000; i++) attempts.failed(`source-${i}`)
    expect(attempts.size).toBe(10)
    expect(attempts.waitMs('source-999')).toBe(0)
  })

  test('an IPv6 network of one host is one source (KEY-14)', () => {
    expect(sourceOf('2001:db8:1:2::1')).toBe(sourceOf('2001:db8:1:2:ffff:ffff:ffff:1'))
    expect(sourceOf('2001:db8:1:2::1')).not.toBe(sourceOf('2001:db8:1:3::1'))
    expect(sourceOf('10.0.0.1')).not.toBe(sourceOf('10.0.0.2'))
    expect(sourceOf('::ffff:10.0.0.1')).not.toBe(sourceOf('::ffff:10.0.0.2'))
  })
})
