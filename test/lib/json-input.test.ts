import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createJsonInput, type JsonInput, JsonInputError, type Step } from '../../src/lib/json-input.ts'

/** Everything there is, read with each of the steps. */
function* readAny(input: JsonInput, path: string, isPlain: (path: string) => boolean): Step<unknown> {
  if (isPlain(path)) return yield* input.value()
  if (yield* input.openObject()) {
    const found: [string, unknown][] = []
    for (let key = yield* input.nextKey(true); key !== null; key = yield* input.nextKey(false))
      found.push([key, yield* readAny(input, `${path}.${key}`, isPlain)])
    return Object.fromEntries(found)
  }
  if (yield* input.openArray()) {
    const found: unknown[] = []
    for (let some = yield* input.elements(true); some !== null; some = yield* input.elements(false)) found.push(...some)
    return found
  }
  return yield* input.value()
}

function read(text: string, cuts: readonly number[], isPlain: (path: string) => boolean = () => false): unknown {
  const bytes = new TextEncoder().encode(text)
  const input = createJsonInput()
  function* whole(): Step<unknown> {
    const value = yield* readAny(input, '', isPlain)
    yield* input.finish()
    return value
  }
  const steps = whole()
  let step = steps.next()
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    if (cut <= at || cut > bytes.length) continue
    input.give(bytes.subarray(at, cut))
    at = cut
    step = steps.next()
  }
  input.end()
  while (!step.done) step = steps.next()
  return step.value
}

describe('a JSON document that arrives in pieces', () => {
  test('reads as JSON.parse reads it, whole, byte by byte and at any splits', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 5 }),
        fc.array(fc.integer({ min: 0, max: 400 })),
        fc.boolean(),
        fc.constantFrom(undefined, 1, 2),
        (text, cuts, plain, indent) => {
          const value = JSON.parse(text)
          const spaced = JSON.stringify(value, null, indent)
          const length = new TextEncoder().encode(spaced).length
          const everyByte = Array.from({ length }, (_, index) => index)
          for (const split of [[], everyByte, cuts.toSorted((a, b) => a - b)]) {
            expect(read(spaced, split, (path) => plain && path.length > 2)).toEqual(value)
          }
        },
      ),
    )
  })

  test('that is cut off or broken is refused wherever that is, as JSON.parse refuses it', () => {
    const text = '{"a":[{"b":"c\\"}"},[1,-2.5e3,true],null],"d":{"e":"\\u00e9"}}'
    for (let cut = 0; cut < text.length; cut++) {
      expect(() => read(text.slice(0, cut), [])).toThrow(JsonInputError)
      for (const wrong of ['!', ',', '}', ']', '"', ' x']) {
        const broken = text.slice(0, cut) + wrong + text.slice(cut)
        let expected: unknown = 'refused'
        try {
          expected = JSON.parse(broken)
        } catch {}
        let found: unknown = 'refused'
        try {
          found = read(broken, [cut])
        } catch (error) {
          expect(error).toBeInstanceOf(JsonInputError)
        }
        expect([broken, found]).toEqual([broken, expected])
      }
    }
  })

  test('says at which byte it is broken', () => {
    expect(() => read('{"a":[1,2,x]}', [3])).toThrow('it is not valid JSON at byte 10')
    expect(() => read('{"a":1} {', [])).toThrow('something follows its end at byte 8')
    expect(() => read('{"a" 1}', [])).toThrow('":" is missing at byte 5')
  })
})
