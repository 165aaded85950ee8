import { describe, expect, test } from 'bun:test'
import { asArray, asCount, asObject, asText, countOf, parseJson } from '../../src/lib/json-values.ts'

describe('values of foreign JSON', () => {
  test('a count is a finite number ≥ 0, rounded; anything else is none', () => {
    expect([0, 7, 1.5, 2 ** 40].map(asCount)).toEqual([0, 7, 2, 2 ** 40])
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, '7', null, undefined, {}, []]) {
      expect(asCount(value)).toBeNull()
      expect(countOf(value)).toBe(0)
    }
  })

  test('an empty text, an array and null are no text and no object', () => {
    expect([asText(''), asText(7), asText('x')]).toEqual([null, null, 'x'])
    expect([asObject(null), asObject([]), asObject({})]).toEqual([null, null, {}])
    expect([asArray({}), asArray([1])]).toEqual([[], [1]])
    expect([parseJson('{'), parseJson('null')]).toEqual([undefined, null])
  })
})
