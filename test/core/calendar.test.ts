import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { boundaryAfter, boundaryAt, dayBoundaries, weekBoundaries } from '../../src/core/calendar.ts'

const HOUR_MS = 3_600_000
const at = (text: string) => Date.parse(text)
const iso = (boundaries: readonly number[]) => boundaries.map((ms) => new Date(ms).toISOString().slice(0, 16))

describe('calendar', () => {
  test('days begin at midnight of the configured zone (KEY-5)', () => {
    expect(iso(dayBoundaries(at('2026-07-24T23:30Z'), 'UTC'))).toEqual([
      '2026-07-23T00:00',
      '2026-07-24T00:00',
      '2026-07-25T00:00',
      '2026-07-26T00:00',
    ])
    // In Berlin it is the 25th already, and midnight is two hours earlier than in Greenwich.
    expect(iso(dayBoundaries(at('2026-07-24T23:30Z'), 'Europe/Berlin'))[1]).toBe('2026-07-24T22:00')
    expect(iso(dayBoundaries(at('2026-07-24T02:00Z'), 'America/Los_Angeles'))[1]).toBe('2026-07-23T07:00')
  })

  test('weeks begin on Monday (KEY-5)', () => {
    const monday = ['2026-07-13T00:00', '2026-07-20T00:00', '2026-07-27T00:00', '2026-08-03T00:00']
    for (const day of ['20', '21', '22', '23', '24', '25', '26']) {
      expect(iso(weekBoundaries(at(`2026-07-${day}T12:00Z`), 'UTC'))).toEqual(monday)
    }
    expect(iso(weekBoundaries(at('2026-07-27T00:00Z'), 'UTC'))[1]).toBe('2026-07-27T00:00')
  })

  test('a day may have 23 or 25 hours, and begins at 01:00 where midnight is skipped', () => {
    const hours = (text: string, zone: string) => {
      const [, startMs, endMs] = dayBoundaries(at(text), zone)
      return (endMs - startMs) / HOUR_MS
    }
    expect(hours('2026-03-29T12:00Z', 'Europe/Berlin')).toBe(23)
    expect(hours('2026-10-25T12:00Z', 'Europe/Berlin')).toBe(25)
    expect(iso(dayBoundaries(at('2018-11-04T12:00Z'), 'America/Sao_Paulo')).slice(1, 3)).toEqual([
      '2018-11-04T03:00',
      '2018-11-05T02:00',
    ])
  })

  test('any instant lies in its own day and week, and the lists of neighbouring instants agree', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe')
    const instants = fc.integer({ min: at('2020-01-01T00:00Z'), max: at('2035-01-01T00:00Z') })
    fc.assert(
      fc.property(instants, zones, (nowMs, zone) => {
        for (const boundariesOf of [dayBoundaries, weekBoundaries]) {
          const [previous, current, next, following] = boundariesOf(nowMs, zone)
          expect(previous).toBeLessThan(current)
          expect(current).toBeLessThanOrEqual(nowMs)
          expect(nowMs).toBeLessThan(next)
          expect(boundariesOf(next, zone).slice(0, 3)).toEqual([current, next, following])
          expect(boundariesOf(current - 1, zone)[1]).toBe(previous)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('an instant read from a clock that is ahead or behind is put into its own period', () => {
    const boundaries = dayBoundaries(at('2026-07-24T12:00Z'), 'UTC')
    const [previous, current, next, following] = boundaries
    expect(boundaryAt(boundaries, current - 1)).toBe(previous)
    expect(boundaryAt(boundaries, current)).toBe(current)
    expect(boundaryAt(boundaries, next - 1)).toBe(current)
    expect(boundaryAt(boundaries, next)).toBe(next)
    expect(boundaryAfter(boundaries, current)).toBe(next)
    expect(boundaryAfter(boundaries, next)).toBe(following)
  })
})
