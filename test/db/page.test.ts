import { describe, expect, test } from 'bun:test'
import { isFault } from '../../src/core/fault.ts'
import {
  asId,
  cleanText,
  containing,
  decodeIdCursor,
  decodeTimeCursor,
  encodeCursor,
  toPage,
} from '../../src/db/page.ts'

const ID = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'

describe('pages', () => {
  test('a cursor is read back as what it was made of (contract)', () => {
    expect(decodeIdCursor(encodeCursor(ID))).toBe(ID)
    expect(decodeTimeCursor(encodeCursor('1753000000000', ID))).toEqual({ at: new Date(1753000000000), id: ID })
    expect([decodeIdCursor(undefined), decodeIdCursor(null), decodeIdCursor(''), decodeTimeCursor(null)]).toEqual([
      null,
      null,
      null,
      null,
    ])
  })

  test('a damaged cursor is a fault that names cursor (contract)', () => {
    for (const cursor of ['x', '%%%', encodeCursor('no id'), encodeCursor(`${ID}'; drop table users`)]) {
      expect(decodeIdCursor(cursor)).toMatchObject({ fault: 'invalid', field: 'cursor' })
      expect(decodeTimeCursor(cursor)).toMatchObject({ fault: 'invalid', field: 'cursor' })
    }
    expect(isFault(decodeTimeCursor(encodeCursor('1e99', ID)))).toBe(true)
    expect(isFault(decodeTimeCursor(encodeCursor('-5', ID)))).toBe(true)
  })

  test('the next cursor is there exactly when more rows are (contract)', () => {
    expect(toPage(['a', 'b', 'c'], 2, (row) => row)).toEqual({ rows: ['a', 'b'], nextCursor: 'b' })
    expect(toPage(['a', 'b'], 2, (row) => row)).toEqual({ rows: ['a', 'b'], nextCursor: null })
    expect(toPage([], 2, () => '')).toEqual({ rows: [], nextCursor: null })
  })

  test('what is no UUID looks nothing up instead of failing in the database (OPS-11)', () => {
    expect(asId(ID)).toBe(ID)
    expect(asId("x' or 1=1")).toBe('00000000-0000-0000-0000-000000000000')
  })

  test('a search text means itself, also with the characters of patterns in it', () => {
    expect(containing('50%_off\\')).toBe('%50\\%\\_off\\\\%')
  })

  test('characters that Postgres cannot store are taken out (OPS-11)', () => {
    expect(cleanText('a\0b\ud800c')).toBe('ab\ufffdc')
  })
})
