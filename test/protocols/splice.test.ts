import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isDenial } from '../../src/core/denial.ts'
import { inspectGemini } from '../../src/protocols/gemini/inspect.ts'
import { inspectOpenaiChat } from '../../src/protocols/openai-chat/inspect.ts'
import { inspectOpenaiResponses } from '../../src/protocols/openai-responses/inspect.ts'
import { type RequestChanges, requestEdits, splice } from '../../src/protocols/splice.ts'
import { decode, encode, operation } from '../support/operations.ts'

const NOTHING: RequestChanges = { upstreamModel: null, forceStoreFalse: false, askUsage: false }
const inspectors = { chat: inspectOpenaiChat, responses: inspectOpenaiResponses, gemini: inspectGemini }

/** The body as an upstream would get it; the very same bytes when nothing had to change. */
function shaped(dialect: keyof typeof inspectors, body: Uint8Array, changes: Partial<RequestChanges>): Uint8Array {
  const url = new URL('http://localhost/v1beta/models/gemini-pro:generateContent')
  const inspected = inspectors[dialect](operation('openai-chat'), body, url)
  if (isDenial(inspected)) throw new Error(inspected.message)
  return splice(body, requestEdits(body, inspected, { ...NOTHING, ...changes }))
}
const text = (dialect: keyof typeof inspectors, body: string, changes: Partial<RequestChanges>) =>
  decode(shaped(dialect, encode(body), changes))

describe('splice', () => {
  test('without edits the body is the same object (REL-2)', () => {
    const body = encode('{}')
    expect(splice(body, [])).toBe(body)
  })

  test('edits in any order change their ranges and nothing else (REL-2)', () => {
    const cuts = fc.uniqueArray(fc.nat({ max: 40 }), { maxLength: 8 }).map((all) => all.sort((a, b) => a - b))
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 40, maxLength: 60 }),
        cuts,
        fc.uint8Array({ maxLength: 5 }),
        (body, points, bytes) => {
          const edits = []
          let expected = [...body]
          for (let index = 0; index + 1 < points.length; index += 2) {
            edits.push({ start: points[index]!, end: points[index + 1]!, bytes })
          }
          for (const edit of edits.toReversed()) {
            expected = [...expected.slice(0, edit.start), ...edit.bytes, ...expected.slice(edit.end)]
          }
          const before = body.slice()
          expect([...splice(body, edits)]).toEqual(expected)
          expect([...splice(body, edits.toReversed())]).toEqual(expected)
          expect(body).toEqual(before)
        },
      ),
    )
  })

  test('overlapping edits are a programming error, not a damaged body (REL-2)', () => {
    const bytes = encode('x')
    expect(() =>
      splice(encode('abcdef'), [
        { start: 0, end: 3, bytes },
        { start: 2, end: 4, bytes },
      ]),
    ).toThrow('overlap')
  })
})

describe('the model', () => {
  test('a body that needs no change is forwarded as the same object (REL-2)', () => {
    const body = encode('{"model":"gpt-5.1","stream":true,"stream_options":{"include_usage":true}}')
    expect(shaped('chat', body, { askUsage: true })).toBe(body)
    expect(shaped('chat', body, { upstreamModel: 'gpt-5.1' })).toBe(body)
  })

  test('only the bytes of the name change; spacing, escapes, key order and number spelling stay (REL-2)', () => {
    expect(
      text('chat', '\ufeff{ "b" : 1.50e+1,\n"model"\t: "old" , "s":"\\u0041/\\/" }\n', { upstreamModel: 'né"w' }),
    ).toBe('\ufeff{ "b" : 1.50e+1,\n"model"\t: "né\\"w" , "s":"\\u0041/\\/" }\n')
  })

  test('every duplicate names the same model upstream, also without a mapping (REL-1)', () => {
    expect(text('chat', '{"model":"cheap","a":0,"\\u006dodel":"dear"}', {})).toBe(
      '{"model":"dear","a":0,"\\u006dodel":"dear"}',
    )
    expect(text('chat', '{"model":{"x":[]},"model":"dear"}', { upstreamModel: 'up' })).toBe(
      '{"model":"up","model":"up"}',
    )
  })

  test('a name that merely is spelled with escapes is left as it is (REL-2)', () => {
    const body = encode('{"model":"gpt\\u002d5"}')
    expect(shaped('chat', body, {})).toBe(body)
  })

  test("a Gemini body keeps its 'models/' and cannot name another model than the path (REL-1)", () => {
    const body = '{"model":"models/gemini-pro","requests":[{"model":"models/other"},{"model":"gemini-pro"}]}'
    expect(text('gemini', body, {})).toBe(
      '{"model":"models/gemini-pro","requests":[{"model":"models/gemini-pro"},{"model":"gemini-pro"}]}',
    )
    expect(text('gemini', body, { upstreamModel: 'up' })).toBe(
      '{"model":"models/up","requests":[{"model":"models/up"},{"model":"up"}]}',
    )
  })

  test("in other dialects 'models/' is part of the name (REL-10)", () => {
    const body = encode('{"model":"models/gemini-pro"}')
    expect(shaped('chat', body, {})).toBe(body)
    expect(decode(shaped('chat', body, { upstreamModel: 'up' }))).toBe('{"model":"up"}')
  })
})

describe('store and usage', () => {
  for (const [body, expected] of [
    ['{"model":"m"}', '{"store":false,"model":"m"}'],
    ['{"model":"m","store":true}', '{"model":"m","store":false}'],
    ['{"model":"m","store":null}', '{"model":"m","store":false}'],
    ['{"model":"m","store":false}', '{"model":"m","store":false}'],
    ['{"model":"m","store":"false"}', '{"model":"m","store":false}'],
  ] as const) {
    test(`${body} is not stored (REL-3)`, () => {
      expect(text('responses', body, { forceStoreFalse: true })).toBe(expected)
      expect(text('responses', body, {})).toBe(body)
    })
  }

  for (const [body, expected] of [
    ['{"model":"m","stream":true}', '{"stream_options":{"include_usage":true},"model":"m","stream":true}'],
    [
      '{"model":"m","stream":true,"stream_options":{}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"model":"m","stream":true,"stream_options":{ }}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true }}',
    ],
    [
      '{"model":"m","stream":true,"stream_options":null}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"stream_options":{"a":1},"model":"m","stream":true}',
      '{"stream_options":{"include_usage":true,"a":1},"model":"m","stream":true}',
    ],
    [
      '{"stream_options":{"include_usage":false},"model":"m","stream":true}',
      '{"stream_options":{"include_usage":true},"model":"m","stream":true}',
    ],
    ['{"model":"m","stream":false}', '{"model":"m","stream":false}'],
  ] as const) {
    test(`${body} asks for usage when it streams (REL-8)`, () => {
      expect(text('chat', body, { askUsage: true })).toBe(expected)
      expect(text('chat', body, {})).toBe(body)
    })
  }

  test('all changes at once give valid JSON (REL-2)', () => {
    const body = '{"model":"m","stream":true}'
    const result = text('chat', body, { upstreamModel: 'up', forceStoreFalse: true, askUsage: true })
    expect(result).toBe('{"store":false,"stream_options":{"include_usage":true},"model":"up","stream":true}')
  })
})
