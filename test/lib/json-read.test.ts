import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { jsonKind, readBoolean, readNumber, readString } from '../../src/lib/json-read.ts'
import { jsonString } from '../support/json-arbitrary.ts'

const around = (value: string) => {
  const before = new TextEncoder().encode('{"a": ')
  const bytes = new TextEncoder().encode(`{"a": ${value} }`)
  return { bytes, span: { start: before.length, end: bytes.length - 2 } }
}

test('a string reads as JSON.parse reads it, escapes, lone surrogates and byte order marks too (REL-1)', () => {
  fc.assert(
    fc.property(jsonString, (text) => {
      const { bytes, span } = around(text)
      expect(readString(bytes, span)).toBe(JSON.parse(text))
    }),
  )
})

test('a number reads as JSON.parse reads it, but for one that is infinite (REL-1)', () => {
  for (const text of ['0', '-0', '1e3', '-1.5E-2', '9007199254740993']) {
    const { bytes, span } = around(text)
    expect(readNumber(bytes, span)).toBe(JSON.parse(text))
  }
  const { bytes, span } = around('1e999')
  expect(readNumber(bytes, span)).toBeNull()
})

describe('a value of another kind reads as null, and its kind is told (REL-1)', () => {
  for (const [text, kind] of [
    ['"1"', 'string'],
    ['1', 'number'],
    ['-1', 'number'],
    ['true', 'boolean'],
    ['false', 'boolean'],
    ['null', 'null'],
    ['{"a":1}', 'object'],
    ['[1]', 'array'],
  ] as const) {
    test(text, () => {
      const { bytes, span } = around(text)
      expect(jsonKind(bytes, span)).toBe(kind)
      expect(readString(bytes, span) !== null).toBe(kind === 'string')
      expect(readNumber(bytes, span) !== null).toBe(kind === 'number')
      expect(readBoolean(bytes, span)).toBe(kind === 'boolean' ? text === 'true' : null)
    })
  }
})
