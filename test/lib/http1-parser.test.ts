import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { HeaderReader } from '../../src/lib/header-list.ts'
import { Http1Error } from '../../src/lib/http1-error.ts'
import { createHttp1Parser, HTTP1_LIMITS, type Http1Limits } from '../../src/lib/http1-parser.ts'
import { BAD, CHUNKED, GOOD, OK } from '../fixtures/http1-responses.ts'

interface Parsed {
  heads: {
    status: number
    framing: string
    reusable: boolean
    headers: [string, string][]
    keepAliveMs: number | null
  }[]
  body: string
  /** Bytes that belonged to the response. */
  used: number
  done: boolean
  endsHere: boolean
  error: string | null
}

/** Sorted by name, as the runtime's `Headers` lists them. */
function listed(headers: HeaderReader): [string, string][] {
  const fields: [string, string][] = []
  headers.forEach((value, name) => void fields.push([name, value]))
  return fields.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Feeds the pieces one after the other, until the response is done or refused. */
function parse(pieces: Uint8Array[], method = 'POST', limits: Http1Limits = HTTP1_LIMITS): Parsed {
  const out: Parsed = { heads: [], body: '', used: 0, done: false, endsHere: false, error: null }
  const parser = createHttp1Parser(
    {
      onHead: ({ status, framing, reusable, headers, keepAliveMs }) =>
        out.heads.push({ status, framing, reusable, headers: listed(headers), keepAliveMs }),
      onData(bytes) {
        expect(bytes.length).toBeGreaterThan(0)
        out.body += Buffer.from(bytes).toString('latin1')
      },
    },
    limits,
  )
  parser.expect(method)
  try {
    for (const piece of pieces) {
      out.used += parser.push(piece)
      if (parser.done) break
    }
  } catch (error) {
    expect(error).toBeInstanceOf(Http1Error)
    out.error = (error as Http1Error).message
  }
  out.done = parser.done
  out.endsHere = parser.endsHere()
  return out
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const whole = (text: string, method?: string, limits?: Http1Limits) => parse([bytesOf(text)], method, limits)
const byteByByte = (text: string, method?: string) =>
  parse(
    Array.from(text, (_, index) => bytesOf(text[index] as string)),
    method,
  )

/** Cuts a copy of the text at the given places, since the parser may write into what it is given. */
function cut(text: string, places: number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b)
  const pieces: Uint8Array[] = []
  let from = 0
  for (const to of [...at, text.length]) {
    if (to > from) pieces.push(bytesOf(text.slice(from, to)))
    from = to
  }
  return pieces
}

describe('a response is read the same wherever it is cut', () => {
  for (const { name, text, body, framing, reusable, method } of GOOD) {
    test(`${name}: whole and byte by byte`, () => {
      const parsed = whole(text, method)
      expect(parsed).toMatchObject({ body, done: true, endsHere: true, error: null, used: text.length })
      expect(parsed.heads).toHaveLength(1)
      expect(parsed.heads[0]).toMatchObject({ framing, reusable })
      expect(byteByByte(text, method)).toEqual(parsed)
    })
  }

  test('any chunks, extensions and trailers, cut anywhere', () => {
    const chunk = fc.record({
      data: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }),
      extension: fc.constantFrom('', ';a', ';a=b', ' ;q="x y"', '  '),
      upper: fc.boolean(),
    })
    const trailer = fc.constantFrom('', 'x-a: 1\r\n', 'x-a: 1\r\nx-b:\r\n')
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        trailer,
        fc.array(fc.nat(), { maxLength: 12 }),
        (chunks, end, places) => {
          const framed = chunks.map(({ data, extension, upper }) => {
            const size = data.length.toString(16)
            return `${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`
          })
          const text = `${CHUNKED}${framed.join('')}0\r\n${end}\r\n`
          const parsed = parse(cut(text, places))
          expect(parsed).toMatchObject({ done: true, error: null, body: chunks.map(({ data }) => data).join('') })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a body of known length, cut anywhere, ends where it says and leaves the rest', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.array(fc.nat(), { maxLength: 8 }), (body, places) => {
        const text = `${OK}content-length: ${body.length}\r\n\r\n${body}`
        const parsed = parse(cut(`${text}HTTP/1.1 500 smuggled\r\n\r\n`, places))
        expect(parsed).toMatchObject({ done: true, error: null, body, used: text.length })
        expect(parsed.heads).toHaveLength(1)
      }),
      { numRuns: 300 },
    )
  })
})

describe('what could be read in two ways is refused', () => {
  for (const { name, text, error, body } of BAD) {
    test(`${name}, after the good bytes before it`, () => {
      const parsed = whole(text)
      expect(parsed.error).toMatch(error)
      expect(parsed).toMatchObject({ done: false, endsHere: false, body: body ?? '' })
      const slow = byteByByte(text)
      expect({ error: slow.error, body: slow.body }).toEqual({ error: parsed.error, body: parsed.body })
    })
  }
})

describe('limits', () => {
  const limits: Http1Limits = { mostHeadBytes: 100, mostFields: 3, mostChunkLineBytes: 10, mostInterim: 1 }

  test('a head up to the limit passes, a byte more does not, whole or not yet whole', () => {
    const head = (size: number) => `${OK}x: ${'v'.repeat(size - OK.length - 7)}\r\n\r\n`
    expect(head(100)).toHaveLength(100)
    expect(whole(head(100), 'GET', limits).error).toBeNull()
    expect(whole(head(101), 'GET', limits).error).toMatch(/over 100 bytes/)
    expect(whole(head(500).slice(0, 200), 'GET', limits).error).toMatch(/over 100 bytes/)
    expect(whole(`H${'\n'.repeat(1)}${'a: b\n'.repeat(30)}`, 'GET', limits).error).toMatch(/over 100 bytes/)
  })

  test('fields, chunk size lines and trailers are bounded', () => {
    expect(whole(`${OK}${'a: b\r\n'.repeat(3)}\r\n`, 'HEAD', limits).error).toBeNull()
    expect(whole(`${OK}${'a: b\r\n'.repeat(4)}\r\n`, 'HEAD', limits).error).toMatch(/more than 3/)
    expect(whole(`${CHUNKED}1;${'e'.repeat(20)}\r\nx\r\n`, 'GET', limits).error).toMatch(/line too long/)
    expect(whole(`${CHUNKED}0\r\nx: ${'t'.repeat(120)}`, 'GET', limits).error).toMatch(/over 100 bytes/)
  })
})

describe('the end of the connection', () => {
  test('ends a body without a length, and no other', () => {
    expect(whole(`${OK}\r\nuntil the end`)).toMatchObject({ body: 'until the end', done: false, endsHere: true })
    for (const cut of [
      '',
      'HTTP/1.1 2',
      OK,
      `${OK}content-length: 5\r\n\r\nhell`,
      CHUNKED,
      `${CHUNKED}2\r\nhi\r\n0\r\n`,
    ]) {
      expect(whole(cut).endsHere).toBe(false)
    }
    expect(whole('HTTP/1.1 100 Continue\r\n\r\n').endsHere).toBe(false)
  })

  test('no prefix of a framed response passes for the whole', () => {
    for (const { text, method } of GOOD) {
      for (let length = 0; length < text.length; length++)
        expect(whole(text.slice(0, length), method).endsHere).toBe(false)
    }
  })
})

test('one buffer gives one delivery: the chunks in it are moved together, a single one is not copied', () => {
  const delivered: Uint8Array[] = []
  const parser = createHttp1Parser({ onHead: () => undefined, onData: (bytes) => delivered.push(bytes) })
  parser.expect('POST')
  parser.push(bytesOf(CHUNKED))
  const one = bytesOf('5\r\nhello\r\n')
  parser.push(one)
  expect(delivered[0]?.buffer).toBe(one.buffer)
  parser.push(bytesOf('2\r\nab\r\n3;x\r\ncde\r\n1\r\nf\r\n0\r\n\r\n'))
  expect(delivered.map((bytes) => Buffer.from(bytes).toString())).toEqual(['hello', 'abcdef'])
})

test('keep-alive: timeout is read, in any place and with any neighbours', () => {
  const read = (value: string) => whole(`${OK}keep-alive: ${value}\r\ncontent-length: 0\r\n\r\n`).heads[0]?.keepAliveMs
  expect(['timeout=5', 'max=3, timeout=5', 'Timeout = 5;max=1'].map(read)).toEqual([5000, 5000, 5000])
  expect(['max=3', '', 'xtimeout=5'].map(read)).toEqual([null, null, null])
})

describe('fuzz', () => {
  const fragments = fc.constantFrom(
    'HTTP/1.1 200 OK\r\n',
    'content-length: 5\r\n',
    'transfer-encoding: chunked\r\n',
    '\r\n',
    '5\r\nhello\r\n',
    '0\r\n',
    ';',
    '\n',
    '\r',
    ' ',
    ':',
    'x',
    '\x00',
    'HTTP/1.1 100 C\r\n\r\n',
  )
  const soup = fc.oneof(
    fc.array(fragments, { maxLength: 20 }).map((parts) => parts.join('')),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  )

  test('any bytes, cut anywhere, give the same result as whole, and never crash', () => {
    fc.assert(
      fc.property(soup, fc.array(fc.nat(), { maxLength: 6 }), (text, places) => {
        expect(parse(cut(text, places))).toMatchObject({ ...whole(text), used: expect.any(Number) })
      }),
      { numRuns: 1500 },
    )
  })

  test('a valid answer with one byte changed is read, waited for or refused, never beyond its bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), fc.nat(), fc.nat(255), ({ text, method }, place, byte) => {
        const at = place % text.length
        const mutated = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1)
        const parsed = whole(mutated, method)
        expect(parsed.used).toBeLessThanOrEqual(mutated.length)
        expect(parsed.done && parsed.error !== null).toBe(false)
        expect(byteByByte(mutated, method)).toMatchObject({ body: parsed.body, error: parsed.error, done: parsed.done })
      }),
      { numRuns: 1500 },
    )
  })
})
