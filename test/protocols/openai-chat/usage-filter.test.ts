import { describe, expect, test } from 'bun:test'
import { existsSync, globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { createUsageChunkFilter } from '../../../src/protocols/openai-chat/usage-filter.ts'
import { decode, encode } from '../../support/operations.ts'
import { feed, pieceLengths } from '../../support/split.ts'

const filter = (text: string, lengths: readonly number[]) =>
  decode(feed(createUsageChunkFilter(), encode(text), lengths))

const CONTENT = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"[] usage"}}],"usage":null}\n\n'
const USAGE = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
const AZURE = 'data: {"choices":[],"id":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'
const DONE = 'data: [DONE]\n\n'

/** The slow twin: whole texts, one event at a time, by JSON.parse. */
function slowFilter(text: string): string {
  const events = text.match(/(?:[^\n]*\n)*?\r?\n|[\s\S]+$/g) ?? []
  return events.map((event) => (isUsage(event) ? (event.match(/^:[^\n]*\n?/gm) ?? []).join('') : event)).join('')
}
function isUsage(event: string): boolean {
  const lines = event.split(/\r?\n|\r$/).filter((line) => line !== '' && !line.startsWith(':'))
  if (lines.some((line) => !/^(data:|event(:|$)|id(:|$)|retry(:|$))/.test(line))) return false
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5))
  try {
    const chunk = JSON.parse(data.join('\n'))
    return Array.isArray(chunk.choices) && chunk.choices.length === 0 && /^\{/.test(JSON.stringify(chunk.usage))
  } catch {
    return false
  }
}

const events = fc.constantFrom(
  ...[CONTENT, USAGE, USAGE, AZURE, DONE],
  'data:{"choices":[ ],"usage" : { } }\n\n',
  'event: message\nid: 1\nretry: 5\n: between\ndata: {"usage":{},"choices":[]}\n\n',
  'data: {"usage":{"a":[1]},\ndata: "choices":\ndata:[]}\n\n',
  'data: {"\\u0075sage":{},"choices":[]}\n\n',
  'data: {"choices":[{"x":1}],"usage":{"total_tokens":3}}\n\n',
  'data: {"choices":[[]],"usage":{}}\n\n',
  'data: {"choices":[],"usage":null}\n\n',
  'data: {"choices":[],"usage":[]}\n\n',
  'data: {"choices":{},"usage":{}}\n\n',
  'data: {"x":{"choices":[],"usage":{}}}\n\n',
  'data: [{"choices":[],"usage":{}}]\n\n',
  'data: {"choices":[],"usage":{}}}\n\n',
  'data: {"choices":[],"usage":{}\n\n',
  'data: {"choices":[],"usage":{}}\ndata: {}\n\n',
  'dataset: 1\ndata: {"choices":[],"usage":{}}\n\n',
  'data\ndata: {"choices":[],"usage":{}}\n\n',
  ': comment\n\n',
  ': comment\n',
  'data:\n\n',
  '\n',
  '{"choices":[],"usage":{}}\n\n',
)
const streams = fc
  .tuple(fc.array(events, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), fc.nat({ max: 3 }))
  .map(([parts, ending, cut]) => {
    const text = parts.join('').replaceAll('\n', ending)
    return text.slice(0, text.length - cut)
  })

test('however a stream is split, exactly the events with empty choices and a usage object are missing (REL-8)', () => {
  fc.assert(
    fc.property(streams, pieceLengths, (text, lengths) => {
      const expected = slowFilter(text)
      expect(filter(text, lengths)).toBe(expected)
      expect(filter(text, [100_000])).toBe(expected)
    }),
    { numRuns: 600 },
  )
})

test('arbitrary bytes make nothing throw, and without a usage object none is lost (REL-8)', () => {
  const noise = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom('data: {"choices":[', ']', '\n', '\r', ':').map(encode)),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(noise, pieceLengths, (parts, lengths) => {
      const bytes = Buffer.concat(parts)
      expect(feed(createUsageChunkFilter(), bytes, lengths).equals(bytes)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

describe('by example', () => {
  for (const [title, text, expected] of [
    ['the usage chunk before [DONE] goes', CONTENT + USAGE + DONE, CONTENT + DONE],
    [
      "Azure's first chunk and a usage beside a choice stay",
      AZURE + CONTENT.replace('null', '{"total_tokens":1}') + DONE,
      null,
    ],
    ['a usage chunk that ends the stream without an empty line goes', CONTENT + USAGE.trimEnd(), CONTENT],
    ['a comment within its event stays', `data: {"choices":[],\n: hi\ndata: "usage":{}}\n\n`, ': hi\n'],
    ['an event over 16 kB stays, whatever it says', USAGE.replace('"c"', `"${'c'.repeat(17_000)}"`), null],
  ] as const) {
    test(`${title} (REL-8)`, () => {
      for (const lengths of [text.length < 1000 ? [1] : [64], [700], [100_000]])
        expect(filter(text, lengths)).toBe(expected ?? text)
    })
  }
})

describe('what is held back', () => {
  const pushed = (...chunks: string[]) => {
    const under = createUsageChunkFilter()
    return chunks.map((chunk) => decode(under.push(encode(chunk))))
  }

  test('chunks without the event are passed as the same object (REL-7)', () => {
    const under = createUsageChunkFilter()
    for (const text of [CONTENT + CONTENT, ': hi\n', '\n', DONE]) {
      const chunk = encode(text)
      expect(under.push(chunk)).toBe(chunk)
    }
    expect(under.end()).toHaveLength(0)
  })

  for (const [title, beginning] of [
    ['a choice', 'data: {"id":"c","choices":[{'],
    ['choices that are no array', 'data: {"choices":n'],
    ['a usage that is no object', 'data: {"choices":[],"usage":n'],
    ['a closed object without usage', 'data: {"choices":[]}'],
    ['no JSON object', 'data: ['],
    ['broken JSON', 'data: {"choices":[,'],
    ['a foreign field', 'er'],
    ['a comment', ': half a com'],
    ['a line that only begins like data', 'dax'],
  ] as const) {
    test(`an unfinished event is let go at ${title} (REL-7)`, () => {
      expect(pushed(beginning)).toEqual([beginning])
      expect(pushed(beginning.slice(0, -1), beginning.slice(-1)).join('')).toBe(beginning)
      if (!beginning.startsWith(':')) expect(pushed(beginning.slice(0, -1))[0]).toBe('')
    })
  }

  test('one that can still be the usage chunk is held, and goes or comes whole (REL-8)', () => {
    expect(pushed(`${DONE}data: {"choices":[],"us`, 'age":{}}', '\n', `\n${DONE}`)).toEqual([DONE, '', '', DONE])
    expect(pushed('data: {"choices":[],"us', 'er":1}', '\n\n')).toEqual(['', 'data: {"choices":[],"user":1}', '\n\n'])
  })

  test('after an event that was let go the next one is looked at again (REL-8)', () => {
    expect(pushed('data: {"choices":[{}', '],"usage":{}}\n', `\n${USAGE}${DONE}`).join('')).toBe(
      `data: {"choices":[{}],"usage":{}}\n\n${DONE}`,
    )
  })

  test('no more than 16 kB is held (REL-8)', () => {
    const under = createUsageChunkFilter()
    const head = encode('data: {"id":"')
    expect(under.push(head)).toHaveLength(0)
    expect(under.push(encode('c'.repeat(16 * 1024 - head.length)))).toHaveLength(0)
    expect(under.push(encode('c'))).toHaveLength(16 * 1024 + 1)
  })
})

const fixtures = new URL('../../../../shared/fixtures/', import.meta.url).pathname
describe.skipIf(!existsSync(fixtures))('recorded chat streams', () => {
  test('lose their usage chunk and nothing else, whole and in pieces (REL-8)', () => {
    const files = existsSync(fixtures) ? globSync(`${fixtures}*/{chat,completions}/*.sse`) : []
    let changed = 0
    expect(files.length).toBeGreaterThan(30)
    for (const file of files) {
      const text = decode(readFileSync(file))
      const expected = slowFilter(text)
      if (expected !== text) changed++
      for (const lengths of [[1_000_000], [5, 1, 300], [37]]) expect(filter(text, lengths)).toBe(expected)
    }
    expect(changed).toBeGreaterThan(5)
  })
})
