import { describe, expect, test } from 'bun:test'
import { existsSync, globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { createModelRewriter } from '../../src/protocols/model-rewriter.ts'
import type { Framing } from '../../src/protocols/protocol.ts'
import { jsonText } from '../support/json-arbitrary.ts'
import { decode, encode } from '../support/operations.ts'
import { slowRewrite } from '../support/slow-rewriter.ts'
import { feed, pieceLengths } from '../support/split.ts'

const PATHS = [['model'], ['response', 'model'], ['message', 'model'], ['modelVersion']]
const FROM = 'up/strëam'
const TO = 'cli"ent'
const SPELLINGS = [
  '"up/strëam"',
  '"up\\/strëam"',
  '"\\u0075p/str\\u00eBam"',
  '"up/strëam2"',
  '"up/str"',
  '"Up/strëam"',
  '5',
]

const rewriter = (framing: Framing, from = FROM, to = TO) => createModelRewriter({ framing, paths: PATHS, from, to })
const rename = (text: string, framing: Framing, lengths: readonly number[] = [1]) =>
  decode(feed(rewriter(framing), encode(text), lengths))

/** Documents in which the name stands where it counts, where it does not, and in odd spellings. */
const names = fc.constantFrom(...SPELLINGS)
const loose = jsonText(['"model"', '"\\u006dodel"', '"response"', '"message"', '"modelVersion"', '"models"'])
const member = fc
  .tuple(fc.constantFrom('"model"', '"mod\\u0065l"', '"modelVersion"', '"name"', '"model "'), names)
  .map(([key, name]) => `${key} :${name}`)
const inner = fc
  .array(
    fc.oneof(
      member,
      loose.map((value) => `"x":${value}`),
    ),
    { maxLength: 4 },
  )
  .map((all) => `{${all.join(' ,')}}`)
const outer = fc
  .tuple(fc.constantFrom('"response"', '"message"', '"choices"'), inner)
  .map(([key, value]) => `${key}:${value}`)
const documents = fc.array(fc.oneof(member, outer), { maxLength: 5 }).map((all) => `{ ${all.join(',')}}`)

/** One line, as JSON in a stream must be. */
const oneLine = documents.map((text) => text.replace(/[\n\r]/g, ' '))
/** Cut where JSON allows white space: the lines of an event are joined by a line feed. */
const inSeveralLines = (text: string) =>
  `data: ${text.replace(/("(?:\\.|[^"\\])*")|[,:]/g, (token, string) => string ?? `${token}\ndata:${token === ',' ? '' : ' '}`)}`
const faulty = fc
  .constantFrom(
    ...[
      '{"x" "y","model":N}',
      '{"a":"\\x","model":N}',
      '{"a":"\\u00g0","model":N}',
      '{"a":"\\u000g","model":N}',
      '{"a":{"b":1,},"model":N}',
      '}{"model":N}',
      '{"a":1],"model":N}',
      '{,"model":N}',
      '{"a":[1}],"model":N}',
      'x{"model":N}',
    ],
  )
  .map((text) => text.replace('N', '"up/strëam"'))
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('data:', 'data: '), oneLine).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('data:', 'data: '), faulty).map((parts) => parts.join('')) },
  {
    weight: 1,
    arbitrary: oneLine.map(inSeveralLines),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'data: [DONE]',
      'data:',
      'data',
      ': {"model":"up/strëam"}',
      'event: {"model":"up/strëam"}',
      'dat: {"model":"up/strëam"}',
      '{"model":"up/strëam"}',
      'datax',
    ),
  },
)
const streams = fc
  .tuple(
    fc.constantFrom('\n', '\r\n'),
    fc.constantFrom('', '\ufeff'),
    fc.array(fc.tuple(fc.constantFrom('', 'event: message\n', ': hi\n'), line), { maxLength: 6 }),
    fc.boolean(),
  )
  .map(([ending, mark, events, finished]) => {
    const text = events.map(([before, content]) => `${before}${content}\n\n`).join('')
    return mark + (finished ? text : text.slice(0, -2)).replaceAll('\n', ending)
  })

describe('equal to its slow twin', () => {
  test('in streams, however they are split, the same names change and nothing else (REL-10)', () => {
    fc.assert(
      fc.property(streams, pieceLengths, (text, lengths) => {
        const expected = slowRewrite(text, { framing: 'sse', paths: PATHS, from: FROM, to: TO })
        expect(rename(text, 'sse', lengths)).toBe(expected)
        expect(rename(text, 'sse', [100_000])).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('in JSON bodies and JSON arrays, however they are split, the same names change and nothing else (REL-10)', () => {
    const arrays = fc.array(documents, { maxLength: 4 }).map((all) => `[${all.join('\r\n,')}]\n`)
    const cases = fc.oneof(
      fc.tuple(fc.constant<Framing>('json'), fc.oneof(documents, arrays)),
      fc.tuple(fc.constant<Framing>('json-array'), fc.oneof(documents, arrays)),
    )
    fc.assert(
      fc.property(cases, pieceLengths, fc.constantFrom('', '\ufeff'), ([framing, document], lengths, mark) => {
        const text = mark + document
        const expected = slowRewrite(text, { framing, paths: PATHS, from: FROM, to: TO })
        expect(rename(text, framing, lengths)).toBe(expected)
        expect(rename(text, framing, [100_000])).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })

  test('arbitrary bytes pass untouched and make nothing throw (REL-10)', () => {
    const noise = fc.array(
      fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.constantFrom('data:', '{"model":"up', '\n', '\\', '"').map(encode)),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(
        noise,
        fc.constantFrom<Framing>('sse', 'json', 'json-array'),
        pieceLengths,
        (parts, framing, lengths) => {
          const bytes = Buffer.concat(parts)
          const same = createModelRewriter({ framing, paths: PATHS, from: FROM, to: FROM })
          expect(feed(same, bytes, lengths).equals(bytes)).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('by example', () => {
  const DATA = 'data: {"model":"up/strëam","x":1}\n\n'
  const RENAMED = 'data: {"model":"cli\\"ent","x":1}\n\n'
  for (const [title, text, expected] of [
    ['a data line', DATA, RENAMED],
    ['a data line without the space', DATA.replace(': ', ':'), RENAMED.replace(': ', ':')],
    ['each of several events', DATA + DATA, RENAMED + RENAMED],
    ['events that a sloppy relay does not part', DATA.slice(0, -1) + DATA, RENAMED.slice(0, -1) + RENAMED],
    ['CRLF', DATA.replaceAll('\n', '\r\n'), RENAMED.replaceAll('\n', '\r\n')],
    [
      'a document in several data lines',
      'data: {"model":\ndata: "up/strëam",\ndata:"x":1}\n\n',
      'data: {"model":\ndata: "cli\\"ent",\ndata:"x":1}\n\n',
    ],
    ['an unfinished last line', 'data: {"model":"up/strëam"', 'data: {"model":"cli\\"ent"'],
    ['the event after a broken one', `data: {"a":oops oops\n\n${DATA}`, `data: {"a":oops oops\n\n${RENAMED}`],
    ['the name in content', 'data: {"choices":[{"model":"up/strëam","text":"\\"model\\":\\"up/strëam\\""}]}\n\n', null],
    ['another name', 'data: {"model":"up/strëam-2"}\n\n', null],
    ['a name deeper than the path', 'data: {"response":{"x":{"model":"up/strëam"}}}\n\n', null],
    ['comments and other fields', ': {"model":"up/strëam"}\nevent: {"model":"up/strëam"}\n\n', null],
    ['a bare error object in a stream', '{"model":"up/strëam"}\n', null],
    ['a stream cut within the name', 'data: {"model":"up/str', null],
    ['a stream cut within an escape', 'data: {"model":"up/str\\u00', null],
  ] as const) {
    test(`${title} ${expected === null ? 'passes untouched' : 'is renamed'}, whole and byte by byte (REL-10)`, () => {
      expect(rename(text, 'sse', [1000])).toBe(expected ?? text)
      expect(rename(text, 'sse', [1])).toBe(expected ?? text)
    })
  }

  test('a key and a value of any length may be split anywhere (REL-10)', () => {
    const text = `{"${'k'.repeat(5000)}":"${'v'.repeat(5000)}","\\u006d${'o'}del":"up/strëam"}`
    for (const lengths of [[1], [7], [1500], [100_000]]) {
      expect(rename(text, 'json', lengths)).toBe(text.replace('up/strëam', 'cli\\"ent'))
    }
  })

  test('a name of characters that must be escaped is found in each of its spellings (REL-10)', () => {
    for (const spelled of ['"a\\"b\\\\\\n"', '"a\\u0022b\\u005c\\u000A"', '"\\u0061\\"b\\\\\\n"']) {
      const under = createModelRewriter({ framing: 'sse', paths: PATHS, from: 'a"b\\\n', to: 'plain' })
      expect(decode(feed(under, encode(`data: {"model":${spelled}}\n\n`), [1]))).toBe('data: {"model":"plain"}\n\n')
    }
  })

  test('an array stream is renamed in each element, an error in its place too (REL-10)', () => {
    expect(rename('[{"modelVersion":"up/strëam"},\r\n{"modelVersion":"up/strëam"}]', 'json-array')).toBe(
      '[{"modelVersion":"cli\\"ent"},\r\n{"modelVersion":"cli\\"ent"}]',
    )
    expect(rename('{"model":"up/strëam"}', 'json-array')).toBe('{"model":"cli\\"ent"}')
    expect(rename('[{"model":"up/strëam"}]', 'json')).toBe('[{"model":"up/strëam"}]')
  })
})

describe('what is held back', () => {
  const pushed = (framing: Framing, ...chunks: string[]) => {
    const under = rewriter(framing)
    return chunks.map((chunk) => decode(under.push(encode(chunk))))
  }
  test('a chunk in which nothing changes is passed as the same object (REL-7, REL-10)', () => {
    const under = rewriter('sse')
    for (const text of [
      'data: {"model":"ot',
      'her"}\n\nda',
      'ta: {"model":"other"}\r\n\r\n: c\n\n',
      'data: [DONE]\n\n',
    ]) {
      const chunk = encode(text)
      expect(under.push(chunk)).toBe(chunk)
    }
    expect(under.end()).toHaveLength(0)
  })
  test('a value that may still become the name is held, everything before it is not (REL-10)', () => {
    expect(pushed('json', '{"a":1,"model":"up/st', 'rë', 'am"', ',"b":2}')).toEqual([
      '{"a":1,"model":',
      '',
      '"cli\\"ent"',
      ',"b":2}',
    ])
  })
  test('a value is let go as soon as it cannot become the name (REL-10)', () => {
    expect(pushed('json', '{"model":"up/st', 'o', 'u', 't"}')).toEqual(['{"model":', '"up/sto', 'u', 't"}'])
    expect(pushed('json', '{"model":"p/st', 'rëam"}')).toEqual(['{"model":"p/st', 'rëam"}'])
    expect(pushed('json', '{"model":"up/strëam', '2', '"}')).toEqual(['{"model":', '"up/strëam2', '"}'])
    expect(pushed('json', '{"model":"\\u0075', 'q', '"}')).toEqual(['{"model":', '"\\u0075q', '"}'])
    expect(pushed('json', `{"model":"${'up'.repeat(1000)}`, '"}')[0]).toHaveLength(2010)
  })
  test('an escape or a character cut in two is held with its value (REL-10)', () => {
    const bytes = encode('{"model":"up/strë')
    const under = rewriter('json')
    expect(decode(under.push(bytes.subarray(0, -1)))).toBe('{"model":')
    expect(under.push(bytes.subarray(-1))).toHaveLength(0)
    expect(decode(under.push(encode('am"}')))).toBe('"cli\\"ent"}')
    expect(pushed('json', '{"model":"\\', 'u00', '75p/strëam"}')).toEqual(['{"model":', '', '"cli\\"ent"}'])
  })
  test('the end lets go what was held (REL-10)', () => {
    const under = rewriter('json')
    under.push(encode('{"model":"up'))
    expect([decode(under.end()), under.end().length]).toEqual(['"up', 0])
  })
  test('no more than a spelling of the name is ever held (REL-10)', () => {
    fc.assert(
      fc.property(streams, (text) => {
        const under = rewriter('sse', FROM, FROM)
        const bytes = encode(text)
        let out = 0
        for (let pos = 0; pos < bytes.length; pos++) {
          out += under.push(bytes.slice(pos, pos + 1)).length
          expect(pos + 1 - out).toBeLessThanOrEqual(FROM.length * 6 + 2)
        }
      }),
      { numRuns: 50 },
    )
  })
})

const fixtures = new URL('../../../shared/fixtures/', import.meta.url).pathname
describe.skipIf(!existsSync(fixtures))('recorded streams', () => {
  const files = existsSync(fixtures) ? globSync(`${fixtures}**/*.sse`) : []
  const lengths = [[1_000_000], [3, 1, 11, 64], [1000]]

  test('a name that does not occur leaves every byte as it is (REL-10)', () => {
    expect(files.length).toBeGreaterThan(100)
    for (const file of files) {
      const bytes = readFileSync(file)
      expect(rewriter('sse', 'absent', 'never').push(bytes)).toBe(bytes)
      for (const pieces of lengths)
        expect(feed(rewriter('sse', 'absent', 'never'), bytes, pieces).equals(bytes)).toBe(true)
    }
  })

  test("the stream's own model changes where it is named, and nothing else does (REL-10)", () => {
    let changed = 0
    for (const file of files) {
      const bytes = readFileSync(file)
      const from = /"(?:model|modelVersion)" ?: ?"([^"]+)"/.exec(decode(bytes))?.[1]
      if (from === undefined) continue
      const expected = slowRewrite(decode(bytes), { framing: 'sse', paths: PATHS, from, to: TO })
      if (expected !== decode(bytes)) changed++
      for (const pieces of lengths) expect(decode(feed(rewriter('sse', from), bytes, pieces))).toBe(expected)
    }
    expect(changed).toBeGreaterThan(100)
  })
})
