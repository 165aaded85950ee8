import { describe, expect, test } from 'bun:test'
import { isTimeZone, parseDay, parseInstant } from '../../src/core/time-text.ts'

describe('times as people write them', () => {
  test('a time is RFC 3339; a day that does not exist is none, instead of another day', () => {
    expect(parseInstant('2026-07-24T18:23:00Z')).toBe(Date.UTC(2026, 6, 24, 18, 23))
    expect(parseInstant('2026-07-24T18:23:00.123456789+02:00')).toBe(Date.UTC(2026, 6, 24, 16, 23, 0, 123))
    for (const text of ['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-07-24T25:00:00Z', 'yesterday', '']) {
      expect([text, parseInstant(text)]).toEqual([text, null])
    }
  })

  test('what the database could not hold is none: years before 1970 and after 9999 (OPS-11)', () => {
    for (const text of ['0000-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '9999-12-31T23:59:59-23:00']) {
      expect([text, parseInstant(text)]).toEqual([text, null])
    }
    expect(parseDay('0000-01-01', 'UTC')).toBeNull()
    expect(parseDay('1970-01-01', 'UTC')).toBe(0)
  })

  test('a day begins at midnight of the zone', () => {
    expect(parseDay('2026-07-24', 'Europe/Berlin')).toBe(Date.UTC(2026, 6, 23, 22))
    for (const text of ['2026-02-29', '2026-7-4', '2026-07-24T00:00', '2026-07']) {
      expect([text, parseDay(text, 'UTC')]).toEqual([text, null])
    }
  })

  test('a time zone is an IANA name; an offset is refused, as Postgres reads it the other way round', () => {
    for (const name of ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'US/Eastern']) expect(isTimeZone(name)).toBe(true)
    for (const name of ['+02:00', '-05', '', 'Mars/Base', 'Z', 'CEST', '../etc/passwd']) {
      expect([name, isTimeZone(name)]).toEqual([name, false])
    }
  })
})
