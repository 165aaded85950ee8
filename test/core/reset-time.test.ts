import { expect, test } from 'bun:test'
import { later, resetTime } from '../../src/core/reset-time.ts'

const NOW = Date.parse('2026-09-25T00:00:00Z')

test.each([
  ['15', NOW + 15_000],
  ['0.5', NOW + 500],
  ['1790300000', 1_790_300_000_000],
  ['1790300000000', 1_790_300_000_000],
  ['2026-09-25T00:00:31Z', NOW + 31_000],
  ['Fri, 25 Sep 2026 00:01:00 GMT', NOW + 60_000],
  ['6m0s', NOW + 360_000],
  ['1h2m3s', NOW + 3_723_000],
  ['19.496s', NOW + 19_496],
  ['12ms', NOW + 12],
])('seconds, epoch seconds, epoch ms, dates and durations are told apart: %s (ACC-6)', (text, expected) => {
  expect(resetTime(text, NOW)).toBe(expected)
})

test.each(['', '  ', '-5', 'soon', '6x', '2020-01-01T00:00:00Z', null, undefined])(
  'what says nothing usable is nothing: %p (ACC-6)',
  (text) => {
    expect(resetTime(text, NOW)).toBeNull()
  },
)

test('no limit lasts longer than 8 days (ACC-6)', () => {
  expect(resetTime('9999999', NOW)).toBe(NOW + 8 * 86_400_000)
})

test('of two resets the later wins (ACC-6)', () => {
  expect([later(1, 2), later(null, 2), later(1, null), later(null, null)]).toEqual([2, 2, 1, null])
})
