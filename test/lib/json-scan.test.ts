import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readString } from '../../src/lib/json-read.ts'
import { createJsonScanner, MAX_JSON_DEPTH, MAX_SPANS_PER_PATH } from '../../src/lib/json-scan.ts'
import { jsonText } from '../support/json-arbitrary.ts'
import { parseTree, spansAt } from '../support/json-tree.ts'

const PATHS = {
  model: 'model',
  inner: 'a.model',
  options: 'a',
  everyModel: 'list[].model',
  early: 'messages[<2]',
  earlyRole: 'messages[<2].role',
  second: 'parts[1].model',
}
const KEYS = ['model', '\\u006dodel', 'a', '\\u0061', 'list', 'messages', 'role', 'parts', 'mode', 'models', '']
const scan = createJsonScanner(PATHS)
const encode = (text: string) => new TextEncoder().encode(text)
const texts = jsonText(KEYS.map((key) => `"${key}"`))

function accepts(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes))
    return true
  } catch {
    return false
  }
}

describe('validation', () => {
  test('every text that JSON.parse accepts is accepted, whatever its spacing, escapes and numbers (REL-1)', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(accepts(encode(text))).toBe(true)
        expect(scan(encode(text)).fault).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  test('a damaged text is accepted exactly when JSON.parse accepts it (REL-1)', () => {
    const damage = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      insert: fc.oneof(
        fc.constantFrom(
          '"',
          '\\',
          ',',
          ':',
          '{',
          '}',
          '[',
          ']',
          '0',
          '-',
          '.',
          'e',
          ' ',
          '\n',
          '\t',
          '\0',
          '\x0b',
          '\\u12',
          'é',
        ),
        fc.string({ maxLength: 2 }),
      ),
    })
    fc.assert(
      fc.property(texts, fc.array(damage, { minLength: 1, maxLength: 3 }), (text, wounds) => {
        let bytes = Buffer.from(text)
        for (const { at, remove, insert } of wounds) {
          const from = at % (bytes.length + 1)
          bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(insert), bytes.subarray(from + remove)])
        }
        expect({ text: bytes.toString(), accepted: scan(bytes).fault === null }).toEqual({
          text: bytes.toString(),
          accepted: accepts(bytes),
        })
      }),
      { numRuns: 1500 },
    )
  })

  test('random bytes, broken UTF-8 among them, are accepted exactly when JSON.parse accepts their decoding (REL-1)', () => {
    const soup = fc
      .uint8Array({ maxLength: 12 })
      .map((noise) => Buffer.concat([Buffer.from('"'), noise, Buffer.from('"')]))
    fc.assert(
      fc.property(fc.oneof(soup, fc.uint8Array({ maxLength: 6 })), (bytes) => {
        expect(scan(bytes).fault === null).toBe(accepts(bytes))
      }),
      { numRuns: 1500 },
    )
  })

  test('one changed byte in a body of 1 MB is judged as JSON.parse judges it (REL-1)', () => {
    const message = {
      role: 'user',
      content: 'if (a === "b") {\n  return [1, -2.5e3, null]\n}\n'.repeat(50),
      n: [1.5, true, {}],
    }
    const body = encode(JSON.stringify({ model: 'x', messages: Array(400).fill(message) }))
    expect(body.length).toBeGreaterThan(1_000_000)
    expect(scan(body).fault).toBeNull()
    const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...encode('"\\{}[],:0\n ')))
    fc.assert(
      fc.property(fc.nat({ max: body.length - 1 }), byte, (at, value) => {
        const before = body[at]!
        body[at] = value
        const [accepted, expected] = [scan(body).fault === null, accepts(body)]
        body[at] = before
        expect([at, value, accepted]).toEqual([at, value, expected])
      }),
      { numRuns: 60 },
    )
  })

  const accepted = [
    '0',
    '-0',
    '""',
    'null',
    ' true ',
    '[]',
    '{}',
    '[[],{}]',
    '1e5',
    '"\\ud800"',
    '"\x7f"',
    '{"":{"":[]}}',
    '\ufeff{}',
  ]
  const refused = [
    ...[
      '',
      ' ',
      '01',
      '-',
      '+1',
      '.5',
      '1.',
      '1e',
      '1e+',
      '-a',
      '0x1',
      'NaN',
      'tru',
      'nul',
      'truex',
      "'a'",
      '"a',
      '"\n"',
      '"\t"',
    ],
    ...[
      '"\\x"',
      '"\\u12"',
      '"\\u12g4"',
      '{',
      '}',
      '[',
      ']',
      '[1',
      '[1,',
      '[1,]',
      '[,1]',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{,}',
      '{a:1}',
    ],
    ...[
      '[}',
      '{]',
      '{"a":1]',
      '[1}',
      '{}{}',
      '1 2',
      '[1]x',
      '\ufeff\ufeff{}',
      '\v1',
      '\u00a01',
      '// a\n1',
      '{"a":1 "b":2}',
      '[1:2]',
    ],
  ]
  for (const text of accepted) {
    test(`${JSON.stringify(text)} is accepted, as by JSON.parse (REL-1)`, () => {
      expect([scan(encode(text)).fault === null, accepts(encode(text))]).toEqual([true, true])
    })
  }
  for (const text of refused) {
    test(`${JSON.stringify(text)} is refused, as by JSON.parse (REL-1)`, () => {
      expect([scan(encode(text)).fault === null, accepts(encode(text))]).toEqual([false, false])
    })
  }

  test('every proper beginning of a document is told from a wrong one (REL-1)', () => {
    const text = '{"model":"gpt\\u0041","a":[1.5e3,true,{"b":null}],"c":"\\n"}'
    for (let length = 0; length < text.length; length++) {
      const result = scan(encode(text.slice(0, length)))
      expect([length, result.fault, result.at]).toEqual([length, 'cut-off', length])
    }
    expect(scan(encode('{"a":1,,'))).toMatchObject({ fault: 'syntax', at: 7 })
  })

  test('a scan works on the bytes it is given, not on the buffer around them (REL-1)', () => {
    const padded = encode('"x{"model":"inner"}"')
    const result = scan(padded.subarray(2, padded.length - 1))
    expect([result.fault, result.found.model]).toEqual([null, [{ start: 9, end: 16 }]])
  })

  test('the document is told from the white space around it', () => {
    expect(scan(encode('\ufeff\n{"a":1} \n')).root).toEqual({ start: 4, end: 11 })
    expect(scan(encode(' 12 ')).root).toEqual({ start: 1, end: 3 })
  })

  test('nesting is bounded with a refusal of its own (REL-1)', () => {
    const nest = (depth: number) => encode('['.repeat(depth) + ']'.repeat(depth))
    expect(scan(nest(MAX_JSON_DEPTH)).fault).toBeNull()
    expect(scan(nest(MAX_JSON_DEPTH + 1)).fault).toBe('too-deep')
    expect(scan(encode('['.repeat(5_000_000))).fault).toBe('too-deep')
  })

  test('a flood of wanted values is refused instead of remembered, duplicates too (REL-1)', () => {
    const duplicates = (count: number) => encode(`{${Array(count).fill('"model":1').join(',')}}`)
    expect(scan(duplicates(MAX_SPANS_PER_PATH)).fault).toBeNull()
    expect(scan(duplicates(MAX_SPANS_PER_PATH + 1)).fault).toBe('too-many')
    const elements = (count: number) => encode(`{"list":[${Array(count).fill('{"model":1}').join(',')}]}`)
    expect(scan(elements(MAX_SPANS_PER_PATH)).fault).toBeNull()
    expect(scan(elements(MAX_SPANS_PER_PATH + 1)).fault).toBe('too-many')
  })
})

describe('finding', () => {
  test('found spans are those of the values that JSON.parse keeps, and none of the others is lost (REL-1)', () => {
    const ascii = texts.map((text) => text.replace(/\P{ASCII}/gu, '?'))
    fc.assert(
      fc.property(ascii, (text) => {
        const result = scan(encode(text))
        const tree = parseTree(text)
        for (const name of Object.keys(PATHS) as (keyof typeof PATHS)[]) {
          const found = result.found[name].map(({ start, end }) => [start, end] as [number, number])
          const lost = (result.superseded[name] ?? []).map(({ start, end }) => [start, end] as [number, number])
          expect(found).toEqual(spansAt(tree, PATHS[name], false))
          expect([...found, ...lost].sort((a, b) => a[0] - b[0])).toEqual(spansAt(tree, PATHS[name], true))
        }
      }),
      { numRuns: 800 },
    )
  })

  const cases: [string, string, string | null][] = [
    ['the key may be spelled with escapes', '{"\\u006d\\u006Fdel":"x"}', 'x'],
    ['a key of the same name deeper down is another one', '{"b":{"model":"y"},"model":"x","c":[{"model":"z"}]}', 'x'],
    ['of duplicates the last wins', '{"model":"y","model":"x"}', 'x'],
    ['an escaped duplicate wins too', '{"model":"y","mod\\u0065l":"x"}', 'x'],
    ['text that looks like a key is text', '{"a":"\\",\\"model\\":\\"y","model":"x"}', 'x'],
    ['a longer or shorter key is another one', '{"models":"y","mode":"z"}', null],
    ['white space and a byte order mark do not matter', '\ufeff\n{ "model"\t:\r\n "x" }', 'x'],
    ['an element of a top-level array has no path', '[{"model":"y"}]', null],
  ]
  for (const [title, text, model] of cases) {
    test(`${title} (REL-1)`, () => {
      const bytes = encode(text)
      const result = scan(bytes)
      const span = result.found.model.at(-1)
      expect([result.fault, span === undefined ? null : readString(bytes, span)]).toEqual([null, model])
    })
  }

  test('a later duplicate of the outer key makes void what was found under the earlier one (REL-1)', () => {
    const bytes = encode('{"a":{"model":"old"},"a":{"other":1}}')
    const result = scan(bytes)
    expect(result.found.inner).toEqual([])
    expect(result.superseded.inner).toEqual([{ start: 14, end: 19 }])
    expect(result.found.options).toEqual([{ start: 25, end: 36 }])
  })

  test('scans do not leak finds into each other', () => {
    expect(scan(encode('{"model":"x"}')).found.model).toHaveLength(1)
    expect(scan(encode('{}')).found.model).toHaveLength(0)
    expect(scan(encode('[[[')).fault).toBe('cut-off')
    expect(scan(encode('{"model":"x"}')).found.model).toEqual([{ start: 9, end: 12 }])
  })

  test('a body of 1 MB is read like a small one, the model first or last (REL-1)', () => {
    const message = JSON.stringify({ role: 'user', content: 'a "quoted" line of prose\n'.repeat(100) })
    const messages = `"messages":[${Array(400).fill(message).join(',')}]`
    for (const text of [`{"model":"x",${messages}}`, `{${messages},"model":"x"}`]) {
      const bytes = encode(text)
      const result = scan(bytes)
      expect(bytes.length).toBeGreaterThan(1_000_000)
      expect([result.fault, readString(bytes, result.found.model[0]!)]).toEqual([null, 'x'])
      expect(result.found.early).toHaveLength(2)
    }
  })
})
