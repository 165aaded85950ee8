import { describe, expect, test } from 'bun:test'
import { type Denial, isDenial } from '../../../src/core/denial.ts'
import { inspectGemini } from '../../../src/protocols/gemini/inspect.ts'
import type { Inspected } from '../../../src/protocols/protocol.ts'
import { cut, encode, operation } from '../../support/operations.ts'

function inspect(path: string, body = '{}'): Inspected | Denial {
  return inspectGemini(operation('gemini', 'path'), encode(body), new URL(path, 'http://localhost'))
}
function accepted(path: string, body = '{}'): Inspected {
  const result = inspect(path, body)
  if (isDenial(result)) throw new Error(result.message)
  return result
}
const GENERATE = '/v1beta/models/gemini-2.5-pro:generateContent'

describe('the path', () => {
  for (const [path, model, stream, framing] of [
    [GENERATE, 'gemini-2.5-pro', false, 'json'],
    ['/v1/models/gemini-2.5-pro:generateContent', 'gemini-2.5-pro', false, 'json'],
    ['/v1beta/models/g:streamGenerateContent?alt=sse', 'g', true, 'sse'],
    ['/v1beta/models/g:streamGenerateContent', 'g', true, 'json-array'],
    ['/v1beta/models/g:streamGenerateContent?key=k&alt=json', 'g', true, 'json-array'],
    ['/v1beta/models/g%3AstreamGenerateContent?alt=sse', 'g', true, 'sse'],
    ['/v1beta/models/ft%2Fa%3Ab:countTokens', 'ft/a:b', false, 'json'],
    ['/v1beta/models/models%2Fg:embedContent', 'g', false, 'json'],
  ] as const) {
    test(`${path} names the model, streams and frames as it says (REL-1)`, () => {
      expect(accepted(path)).toMatchObject({ model, stream, framing })
    })
  }

  for (const [path, code] of [
    ['/v1beta/models/:generateContent', 'missing_model'],
    ['/v1beta/models/%20:generateContent', 'missing_model'],
    ['/v1beta/models/gemini-2.5-pro', 'missing_model'],
    ['/v1beta/models/%ff:generateContent', 'invalid_request'],
  ] as const) {
    test(`${path} is ${code} (REL-1)`, () => {
      expect(inspect(path)).toMatchObject({ code })
    })
  }
})

describe('the body', () => {
  test('an invalid one is refused (REL-1)', () => {
    expect(inspect(GENERATE, '{')).toMatchObject({ code: 'invalid_json' })
    expect(inspect(GENERATE, '[]')).toMatchObject({ code: 'invalid_json' })
  })

  test('every model that a body names is shown, also in a batch and in a counted request (REL-1)', () => {
    const body =
      '{"model":"models/a","requests":[{"model":"models/b","content":{"model":"no"}},{"model":"models/c"}],"generateContentRequest":{"model":"models/d"},"generate_content_request":{"model":"e"}}'
    expect(cut(body, accepted(GENERATE, body).modelSpans)).toEqual([
      '"models/a"',
      '"models/b"',
      '"models/c"',
      '"models/d"',
      '"e"',
    ])
  })

  test('a body without a model shows none, and whether it is empty (REL-1)', () => {
    expect(accepted(GENERATE, ' { } ')).toMatchObject({ modelSpans: [], insertAt: 2, empty: true })
  })

  for (const [fields, cap] of [
    ['"generationConfig":{"maxOutputTokens":100}', 100],
    ['"generation_config":{"max_output_tokens":100}', 100],
    ['"generationConfig":{"max_output_tokens":100}', 100],
    ['"generationConfig":{"maxOutputTokens":100},"generationConfig":{}', null],
    ['"maxOutputTokens":100', null],
  ] as const) {
    test(`{${fields}} caps at ${cap} (REL-1)`, () => {
      expect(accepted(GENERATE, `{${fields}}`).maxOutputTokens).toBe(cap)
    })
  }

  test('the prefix is tools, system instruction and the texts of the first user content (ACC-4)', () => {
    const body =
      '{"contents":[{"role":"model","parts":[{"text":"m"}]},{"parts":[{"text":"hello"},{"inlineData":{}}]},{"role":"user","parts":[{"text":"x"}]}],"systemInstruction":{"parts":[]},"tools":[]}'
    expect(cut(body, accepted(GENERATE, body).prefixSpans)).toEqual(['[]', '{"parts":[]}', '"hello"'])
  })

  test.each([
    ['"generationConfig":{"candidateCount":4}', 4],
    ['"generation_config":{"candidate_count":2}', 2],
    ['"generationConfig":{}', 1],
    ['"candidateCount":4', 1],
  ])('%s asks for %d answers: each is billed, so each is held (BIL-7)', (fields, choices) => {
    expect(accepted(GENERATE, `{${fields}}`).choices).toBe(choices)
  })
})
