/** Two readers of strings, one in WebAssembly and one in JavaScript, that must say the same. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { stringEnd, textIn } from '../../src/lib/json-bytes.ts'
import { JSON_TEXT_WASM } from '../../src/lib/json-text.gen.ts'
import { WINDOW_BYTES, withText } from '../../src/lib/json-text.ts'
import { compileWat } from '../support/wat.ts'

const encoder = new TextEncoder()
/** What decides, at every alignment: ends, escapes whole, cut and wrong, controls, bytes beyond ASCII. */
const piece = fc.oneof(
  fc.constantFrom(
    '"',
    '\\',
    '\\"',
    '\\\\',
    '\\n',
    '\\x',
    '\\u00e9',
    '\\u12',
    '\\u12G4',
    '\u0000',
    '\u001f',
    ' ',
    '\u007f',
    'é€😀',
  ),
  fc.integer({ min: 0, max: 40 }).map((length) => 'x'.repeat(length)),
)
const texts = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

const inScript = (bytes: Uint8Array, from: number) => stringEnd(bytes, textIn(bytes), from)
const inWindow = (bytes: Uint8Array, from: number) => withText(bytes, null, (_, text) => stringEnd(bytes, text, from))

describe('strings read in a window', () => {
  test('this processor reads them there', () => {
    expect(WebAssembly.validate(Buffer.from(JSON_TEXT_WASM, 'base64'))).toBe(true)
    expect(withText(encoder.encode('x'), null, (_, text) => text.constructor.name)).not.toBe(
      textIn(encoder.encode('x')).constructor.name,
    )
  })

  test('the module is what its source says; if not: bun .ci/build-wasm.ts', async () => {
    expect(JSON_TEXT_WASM).toBe(await compileWat(join(import.meta.dir, '../../src/lib/json-text.wat')))
  })

  test('end, or are at fault, where strings read byte by byte do (REL-1)', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 40 }), (text, skipped) => {
        const bytes = encoder.encode(text)
        const from = Math.min(skipped, bytes.length)
        expect(inWindow(bytes, from)).toBe(inScript(bytes, from))
      }),
      { numRuns: 3000 },
    )
  })

  test('also where the window ends within them, or within an escape (REL-1)', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: -60, max: 60 }), fc.integer({ min: 1, max: 2 }), (text, near, windows) => {
        const before = 'x'.repeat(windows * WINDOW_BYTES + near)
        const bytes = encoder.encode(`${before}${text}${before}"`)
        for (const from of [0, 7]) expect(inWindow(bytes, from)).toBe(inScript(bytes, from))
      }),
      { numRuns: 300 },
    )
  })

  test('one after the other in a document larger than the window, each where JSON.parse ends it (REL-1)', () => {
    const values = Array.from({ length: 4000 }, (_, index) => `${'y'.repeat(index % 61)}\\"${index}é\n`)
    const bytes = encoder.encode(JSON.stringify(values))
    const read: string[] = []
    withText(bytes, null, (_, text) => {
      for (let pos = 1; bytes[pos] === 0x22; pos++) {
        const end = stringEnd(bytes, text, pos + 1)
        read.push(JSON.parse(new TextDecoder().decode(bytes.subarray(pos, end))))
        pos = end
      }
    })
    expect(read).toEqual(values)
  })

  test('nothing of a document is seen in the next, nor when reading it has failed', () => {
    const long = encoder.encode('x'.repeat(1000))
    expect(() =>
      withText(long, null, (_, text) => {
        text.end(0)
        throw new Error('gave up')
      }),
    ).toThrow('gave up')
    expect(inWindow(encoder.encode('ab"'), 0)).toBe(3)
    expect(inWindow(encoder.encode('ab'), 0)).toBe(~2)
    expect(inWindow(new Uint8Array(0), 0)).toBe(~0)
    // A view into larger bytes ends where it ends.
    const view = encoder.encode('x"abcdefghijklmnopqrstuvw"x"').subarray(2, 12)
    expect(inWindow(view, 0)).toBe(~10)
  })
})
