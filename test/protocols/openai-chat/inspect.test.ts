import { describe, expect, test } from 'bun:test'
import { type Denial, isDenial } from '../../../src/core/denial.ts'
import { inspectOpenaiChat } from '../../../src/protocols/openai-chat/inspect.ts'
import type { Inspected, Operation } from '../../../src/protocols/protocol.ts'
import { cut, encode, operation } from '../../support/operations.ts'

const chat = operation('openai-chat')
const embeddings = operation('openai-chat', 'never')

function inspect(body: string, on: Operation = chat): Inspected | Denial {
  return inspectOpenaiChat(on, encode(body))
}
function accepted(body: string, on: Operation = chat): Inspected {
  const result = inspect(body, on)
  if (isDenial(result)) throw new Error(result.message)
  return result
}

describe('what is read', () => {
  test('model, stream, cap and the place of each model name are read off the bytes (REL-1)', () => {
    const body = '{"model":"gpt-5.1","stream":true,"max_tokens":7,"messages":[]}'
    const seen = accepted(body)
    expect(seen).toMatchObject({
      model: 'gpt-5.1',
      stream: true,
      framing: 'sse',
      maxOutputTokens: 7,
      insertAt: 1,
      empty: false,
    })
    expect(cut(body, seen.modelSpans)).toEqual(['"gpt-5.1"'])
  })

  test('every duplicate of the model is shown, the last one is the model (REL-1)', () => {
    const body = '{"model":"cheap","messages":[{"model":"no"}],"\\u006dodel":"dear\\u0021"}'
    const seen = accepted(body)
    expect(seen.model).toBe('dear!')
    expect(cut(body, seen.modelSpans)).toEqual(['"cheap"', '"dear\\u0021"'])
  })

  test('a model replaced by a duplicate is shown whatever its type (REL-1)', () => {
    const body = '{"model":{"a":1},"model":"x"}'
    expect(cut(body, accepted(body).modelSpans)).toEqual(['{"a":1}', '"x"'])
  })

  for (const [value, stream] of [
    ['true', true],
    ['false', false],
    ['null', false],
  ] as const) {
    test(`stream ${value} streams: ${stream} (REL-1)`, () => {
      expect(accepted(`{"model":"m","stream":${value}}`)).toMatchObject({ stream, framing: stream ? 'sse' : 'json' })
    })
  }

  test('an endpoint that never streams ignores the field (REL-1)', () => {
    expect(accepted('{"model":"m","stream":"yes"}', embeddings)).toMatchObject({
      stream: false,
      framing: 'json',
      usageOption: null,
    })
  })

  for (const [fields, cap] of [
    ['"max_tokens":1e3', 1000],
    ['"max_completion_tokens":50', 50],
    ['"max_tokens":60,"max_completion_tokens":50', 60],
    ['"max_tokens":-1', null],
    ['"max_tokens":0', null],
    ['"max_tokens":1.5', null],
    ['"max_tokens":1e99', null],
    ['"max_tokens":1e999', null],
    ['"max_tokens":"100"', null],
    ['"max_tokens":null', null],
    ['"max_tokens":[5]', null],
  ] as const) {
    test(`{${fields}} gives the cap ${cap}, never an error (REL-1)`, () => {
      expect(accepted(`{"model":"m",${fields}}`).maxOutputTokens).toBe(cap)
    })
  }
})

describe('whether usage must be asked for', () => {
  const option = (body: string) => accepted(body).usageOption
  test('a stream without stream_options does not ask (REL-8)', () => {
    expect(option('{"model":"m","stream":true}')).toEqual({ kind: 'absent' })
  })
  test('a request that does not stream has nothing to ask for (REL-8)', () => {
    expect(option('{"model":"m","stream_options":{}}')).toBeNull()
  })
  test('a stream that asks is left alone (REL-8)', () => {
    expect(option('{"model":"m","stream":true,"stream_options":{"include_usage":true}}')).toBeNull()
  })
  for (const [options, inner] of [
    ['{}', null],
    ['null', null],
    ['{"include_obfuscation":false}', null],
    ['{"include_usage":false}', 'false'],
    ['{"include_usage":null}', 'null'],
    ['{"include_usage":true,"include_usage":false}', 'false'],
  ] as const) {
    test(`stream_options ${options} is shown with what would have to change (REL-8)`, () => {
      const body = `{"stream_options":${options},"stream":true,"model":"m"}`
      const found = option(body)
      if (found?.kind !== 'object') throw new Error('expected an object')
      expect(cut(body, [found.span])).toEqual([options])
      expect(found.includeUsageSpan && cut(body, [found.includeUsageSpan])[0]).toBe(inner)
    })
  }
})

describe('what is refused', () => {
  for (const [body, code, word] of [
    ['', 'invalid_json', 'too early'],
    ['{"model":"m"', 'invalid_json', 'too early'],
    ['{"model":"m",}', 'invalid_json', 'at byte 13'],
    ['["m"]', 'invalid_json', 'object'],
    ['"m"', 'invalid_json', 'object'],
    [`{"model":"m","a":${'['.repeat(600)}${']'.repeat(600)}}`, 'invalid_json', 'deeper'],
    [`{${'"model":"m",'.repeat(5000)}"a":1}`, 'invalid_request', 'repeats'],
    ['{}', 'missing_model', 'model'],
    ['{"model":""}', 'missing_model', 'model'],
    ['{"model":" "}', 'missing_model', 'model'],
    ['{"model":5}', 'missing_model', 'model'],
    ['{"model":"m","model":null}', 'missing_model', 'model'],
    ['{"model":"m","stream":"true"}', 'invalid_request', 'stream'],
    ['{"model":"m","stream":1}', 'invalid_request', 'stream'],
    ['{"model":"m","stream":true,"stream_options":"all"}', 'invalid_request', 'stream_options'],
  ] as const) {
    test(`${body.slice(0, 60)} is ${code} with a sentence that says why (REL-1)`, () => {
      const result = inspect(body)
      if (!isDenial(result)) throw new Error('was accepted')
      expect([result.code, result.message.includes(word)]).toEqual([code, true])
    })
  }
})

describe('the session', () => {
  const hash = 'a'.repeat(64)
  const session = '0193c1d2-aaaa-7bbb-8ccc-1234567890ab'
  for (const [name, fields, hint] of [
    ['prompt_cache_key', '"prompt_cache_key":"k"', 'k'],
    ['prompt_cache_key before the others', '"conversation_id":"c","prompt_cache_key":"k"', 'k'],
    ['an empty one is none', '"prompt_cache_key":"","conversation_id":"c"', 'c'],
    [
      "the session in Claude Code's older user_id",
      `"metadata":{"user_id":"user_${hash}_account_x_session_${session}"}`,
      session,
    ],
    ['the same without an account', `"metadata":{"user_id":"user_${hash}_account__session_${session}"}`, session],
    [
      'the session in its JSON user_id',
      `"metadata":{"user_id":"{\\"device_id\\":\\"d\\",\\"session_id\\":\\"${session}\\"}"}`,
      session,
    ],
    [
      'user_id before conversation_id',
      `"conversation_id":"c","metadata":{"user_id":"{\\"session_id\\":\\"s\\"}"}`,
      's',
    ],
    ["an end user's id is no session", '"metadata":{"user_id":"alice"},"conversation_id":"c"', 'c'],
    ['a JSON user_id without a session is none', '"metadata":{"user_id":"{\\"device_id\\":\\"d\\"}"}', null],
    ['an empty session in it is none', '"metadata":{"user_id":"{\\"session_id\\":\\"\\"}"},"conversation_id":"c"', 'c'],
    ['a broken JSON user_id is none', '"metadata":{"user_id":"{oops"}', null],
    ['an enormous user_id is none', `"metadata":{"user_id":"{\\"session_id\\":\\"${'s'.repeat(5000)}\\"}"}`, null],
    ['a number is none', '"conversation_id":5', null],
    ['the same name deeper down is none', '"messages":[{"prompt_cache_key":"k"}]', null],
  ] as const) {
    test(`${name} (ACC-4)`, () => {
      expect(accepted(`{"model":"m",${fields}}`).sessionHint).toBe(hint)
    })
  }

  test('without a hint the prefix is tools, system prompt and first user message, nothing that comes later (ACC-4)', () => {
    const body =
      '{"tools":[{"t":1}],"model":"m","messages":[{"role":"system","content":"be brief"},{"content":"dev","role":"developer"},' +
      '{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":"data:"}}]},{"role":"user","content":"later"}]}'
    expect(cut(body, accepted(body).prefixSpans)).toEqual(['[{"t":1}]', '"be brief"', '"dev"', '"hello"'])
  })

  test('the prefix of the next turn is the same although the conversation has grown (ACC-4)', () => {
    const first = '{"role":"user","content":"hello"}'
    const turns = [first, `${first},{"role":"assistant","content":"hi"},{"role":"user","content":"more"}`]
    const prefixes = turns.map((messages) => {
      const body = `{"model":"m","messages":[${messages}],"functions":[]}`
      return cut(body, accepted(body).prefixSpans)
    })
    expect(prefixes).toEqual([
      ['[]', '"hello"'],
      ['[]', '"hello"'],
    ])
  })

  test('with a hint there is no prefix to look at (ACC-4)', () => {
    expect(
      accepted('{"model":"m","prompt_cache_key":"k","messages":[{"role":"user","content":"x"}]}').prefixSpans,
    ).toEqual([])
  })
})
