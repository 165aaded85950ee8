import { expect, test } from 'bun:test'
import { isDenial } from '../../../src/core/denial.ts'
import { inspectOpenaiResponses } from '../../../src/protocols/openai-responses/inspect.ts'
import type { Inspected } from '../../../src/protocols/protocol.ts'
import { cut, encode, operation } from '../../support/operations.ts'

function accepted(body: string, streaming: 'body' | 'never' = 'body'): Inspected {
  const result = inspectOpenaiResponses(operation('openai-responses', streaming), encode(body))
  if (isDenial(result)) throw new Error(result.message)
  return result
}

test('a request as Codex sends it is read: model, stream, cap, store, session (REL-1, ACC-4)', () => {
  const body = `{"model":"gpt-5.1-codex","instructions":"","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]}],
    "tools":[],"store":false,"stream":true,"max_output_tokens":4096,"prompt_cache_key":"0193","client_metadata":{"session_id":"other"}}`
  const seen = accepted(body)
  expect(seen).toMatchObject({
    model: 'gpt-5.1-codex',
    stream: true,
    framing: 'sse',
    maxOutputTokens: 4096,
    sessionHint: '0193',
    usageOption: null,
  })
  expect(cut(body, [seen.storeSpan!])).toEqual(['false'])
  expect(cut(body, seen.modelSpans)).toEqual(['"gpt-5.1-codex"'])
})

test('an absent store is told from a present one (REL-3)', () => {
  expect(accepted('{"model":"m"}').storeSpan).toBeNull()
})

test('compaction does not stream, whatever the body says (REL-1)', () => {
  expect(accepted('{"model":"m","stream":true}', 'never')).toMatchObject({ stream: false, framing: 'json' })
})

for (const [field, hint] of [
  ['"conversation":"conv_1"', 'conv_1'],
  ['"conversation":{"id":"conv_2"}', 'conv_2'],
  ['"conversation":null', null],
  ['"conversation_id":"c","conversation":"conv_1"', 'c'],
] as const) {
  test(`${field} gives the session ${hint} (ACC-4)`, () => {
    expect(accepted(`{"model":"m",${field}}`).sessionHint).toBe(hint)
  })
}

for (const [name, input, prefix] of [
  ['a string', '"hello"', ['"hello"']],
  [
    'items',
    '[{"role":"user","content":[{"type":"input_text","text":"hello"}]},{"role":"user","content":"more"}]',
    ['"hello"'],
  ],
  [
    'developer items',
    '[{"role":"developer","content":"rules"},{"type":"reasoning"},{"role":"user","content":"hello"}]',
    ['"rules"', '"hello"'],
  ],
  [
    'an image alone',
    '[{"role":"user","content":[{"type":"input_image"}]}]',
    ['{"role":"user","content":[{"type":"input_image"}]}'],
  ],
  ['no user', '[{"type":"function_call_output","output":"x"}]', []],
] as const) {
  test(`the prefix ends with the first user input: ${name} (ACC-4)`, () => {
    const body = `{"model":"m","instructions":"I","tools":[1],"input":${input}}`
    expect(cut(body, accepted(body).prefixSpans)).toEqual(['[1]', '"I"', ...prefix])
  })
}

test('a model of a wrong type is refused (REL-1)', () => {
  const result = inspectOpenaiResponses(operation('openai-responses'), encode('{"model":["m"]}'))
  expect(result).toMatchObject({ code: 'missing_model' })
})
