import { describe, expect, test } from 'bun:test'
import { createKeyAttempts } from '../../src/state/key-attempts.ts'

function setUp() {
  const time = { nowMs: 1_000_000 }
  const slowed: (string | null)[] = []
  const attempts = createKeyAttempts({
    clock: { nowMs: () => time.nowMs },
    onSlowed: (address) => slowed.push(address),
  })
  const codes = (count: number, address: string | null) =>
    Array.from({ length: count }, () => attempts.refuse(address).code)
  return { time, slowed, attempts, codes }
}

describe('wrong API keys (KEY-14)', () => {
  test('an address is told 401 thirty times, then to wait; the operator hears of it once', () => {
    const { attempts, codes, slowed } = setUp()
    expect(new Set(codes(30, '203.0.113.7'))).toEqual(new Set(['invalid_api_key']))
    expect(slowed).toEqual(['203.0.113.7'])
    expect(attempts.refuse('203.0.113.7')).toMatchObject({ code: 'too_many_attempts', retryAfterSeconds: 2 })
    expect(slowed).toHaveLength(1)
    expect(attempts.counts).toEqual({ wrong: 31, slowed: 1 })
  })

  test('hammering buys no longer wait: after two seconds one is looked at again', () => {
    const { time, codes } = setUp()
    codes(30, 'a')
    expect(new Set(codes(10_000, 'a'))).toEqual(new Set(['too_many_attempts']))
    time.nowMs += 2000
    expect(codes(2, 'a')).toEqual(['invalid_api_key', 'too_many_attempts'])
    time.nowMs += 60_000
    expect(new Set(codes(30, 'a'))).toEqual(new Set(['invalid_api_key']))
  })

  test('addresses do not slow one another; an IPv6 network of one host is one address', () => {
    const { codes } = setUp()
    codes(31, '203.0.113.7')
    expect(codes(1, '203.0.113.8')).toEqual(['invalid_api_key'])
    for (let host = 0; host < 30; host++) codes(1, `2001:db8:1:2::${host.toString(16)}`)
    expect(codes(1, '2001:db8:1:2:ffff::1')).toEqual(['too_many_attempts'])
    expect(codes(1, '2001:db8:1:3::1')).toEqual(['invalid_api_key'])
  })

  test('memory does not grow with the attempts, nor beyond 10,000 addresses', () => {
    const { attempts, codes } = setUp()
    codes(100_000, 'a')
    expect(attempts.size).toBe(1)
    for (let address = 0; address < 20_000; address++) codes(1, `address ${address}`)
    expect(attempts.size).toBe(10_000)
    expect(attempts.counts.wrong).toBe(120_000)
  })
})
