import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { joinEnds, readPrefix, readSuffix } from '../../src/lib/partial-json.ts'

const nasty = fc.oneof(fc.string(), fc.constantFrom('"', '\\', '\\"', '{"usage":{"a":1}}', '","b":{', ']}', '\n', 'é"'))
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    nasty,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(nasty, tie('value'), { maxKeys: 4 }),
  ),
}))
const root = fc.dictionary(nasty, json.value, { minKeys: 1, maxKeys: 5, noNullPrototype: true })
const spaces = fc.constantFrom(0, 2)

/** Is `part` the value with members and elements left out? Elements may be missing at the front only with `fromEnd`. */
function isPartOf(part: unknown, whole: unknown, fromEnd = false): boolean {
  if (Array.isArray(part)) {
    if (!Array.isArray(whole) || part.length > whole.length) return false
    const offset = fromEnd ? whole.length - part.length : 0
    return part.every((element, at) => isPartOf(element, whole[at + offset], fromEnd))
  }
  if (typeof part === 'object' && part !== null) {
    if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return false
    return Object.entries(part).every(
      ([key, member]) => key === '?' || isPartOf(member, Reflect.get(whole, key), fromEnd),
    )
  }
  return Object.is(part, whole)
}

describe('partial JSON', () => {
  test('a text cut anywhere gives only members that are whole, each with its value (REL-8)', () => {
    fc.assert(
      fc.property(root, spaces, fc.nat(), (value, indent, at) => {
        const text = JSON.stringify(value, null, indent)
        const prefix = readPrefix(text.slice(0, 1 + (at % text.length)))!
        expect(isPartOf(prefix.value, JSON.parse(text))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('a text whose beginning is missing gives only members that are whole, none of them out of a string (REL-8)', () => {
    fc.assert(
      fc.property(root, spaces, fc.nat(), (value, indent, at) => {
        const text = JSON.stringify(value, null, indent)
        const cut = at % text.length
        const path = readPrefix(text.slice(0, cut))?.path
        const suffix = readSuffix(text.slice(cut), path)
        if (suffix !== undefined) expect(isPartOf(suffix, JSON.parse(text), true)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('all members before the cut are there, whatever they are', () => {
    const text = '{"a":1,"b":true,"c":{"d":[2,{"e":null},"x"],"f":-1.5e3,"g":"cut'
    expect(readPrefix(text)).toEqual({
      value: { a: 1, b: true, c: { d: [2, { e: null }, 'x'], f: -1500 } },
      path: ['c'],
      whole: false,
    })
    expect(readSuffix('cut","f":-1.5e3},"b":true,"a":1}', ['c'])).toEqual({ c: { f: -1500 }, b: true, a: 1 })
    expect(readSuffix('\\"},"b":[1,2]}')).toEqual({ b: [1, 2] })
  })

  test('a whole text gives the whole value from either side', () => {
    fc.assert(
      fc.property(root, spaces, (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(readPrefix(text)).toEqual({ value: JSON.parse(text), path: [], whole: true })
        expect(readSuffix(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('both ends of an event with an image in it give its type and its usage (REL-8)', () => {
    const start = '{"type":"response.completed","response":{"id":"resp_1","output":[{"type":"image","result":"AAAA'
    const end = 'AAAA","x":{"usage":{"input_tokens":1}}}],"usage":{"input_tokens":7}}}'
    expect(joinEnds(start, end)).toEqual({
      type: 'response.completed',
      response: {
        id: 'resp_1',
        output: [{ type: 'image' }, { x: { usage: { input_tokens: 1 } } }],
        usage: { input_tokens: 7 },
      },
    })
  })

  test('text that looks like a member is none: its quotes are escaped', () => {
    const text = JSON.stringify({
      a: 'long …',
      content: 'he said "usage":{"input_tokens":9}',
      usage: { input_tokens: 1 },
    })
    expect(readSuffix(text.slice(3))).toEqual({
      content: 'he said "usage":{"input_tokens":9}',
      usage: { input_tokens: 1 },
    })
  })

  test('an end that is none is not guessed at', () => {
    expect(joinEnds('{"a":1,"b":"', 'xxx","c":')).toBeUndefined()
    expect(readSuffix('')).toBeUndefined()
    expect(readSuffix('"}')).toBeUndefined()
    expect(readPrefix('')).toBeUndefined()
    expect(readPrefix('<html>')).toBeUndefined()
    expect(readPrefix('{"a":]')).toBeUndefined()
  })

  test('no text makes the readers throw', () => {
    const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', 'a', '1', ' ', '"a"', 'null'))
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join('')
        readPrefix(text)
        readSuffix(text)
        joinEnds(text, text)
        return true
      }),
      { numRuns: 2000 },
    )
  })
})
