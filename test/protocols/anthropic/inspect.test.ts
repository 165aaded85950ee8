import { expect, test } from 'bun:test'
import { isDenial } from '../../../src/core/denial.ts'
import { inspectAnthropic } from '../../../src/protocols/anthropic/inspect.ts'
import type { Inspected } from '../../../src/protocols/protocol.ts'
import { cut, encode, operation } from '../../support/operations.ts'

function accepted(body: string, streaming: 'body' | 'never' = 'body'): Inspected {
  const result = inspectAnthropic(operation('anthropic', streaming), encode(body))
  if (isDenial(result)) throw new Error(result.message)
  return result
}

test('a request as Claude Code sends it is read: model, stream, cap, session (REL-1, ACC-4)', () => {
  const body = `{"model":"claude-opus-4-5","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}],
    "system":[{"type":"text","text":"s"}],"tools":[],"metadata":{"user_id":"{\\"device_id\\":\\"d\\",\\"account_uuid\\":\\"\\",\\"session_id\\":\\"5e55\\"}"},
    "max_tokens":32000,"stream":true}`
  const seen = accepted(body)
  expect(seen).toMatchObject({
    model: 'claude-opus-4-5',
    stream: true,
    framing: 'sse',
    maxOutputTokens: 32000,
    sessionHint: '5e55',
  })
  expect([seen.storeSpan, seen.usageOption]).toEqual([null, null])
  expect(cut(body, seen.modelSpans)).toEqual(['"claude-opus-4-5"'])
})

test('counting tokens does not stream (REL-1)', () => {
  expect(accepted('{"model":"m","messages":[],"stream":true}', 'never')).toMatchObject({
    stream: false,
    framing: 'json',
  })
})

test('the prefix is tools, system and the first user message; system reminders among the messages are none of it (ACC-4)', () => {
  const body =
    '{"model":"m","tools":[{}],"system":"S","messages":[{"role":"system","content":"reminder"},{"role":"user","content":"hello"},{"role":"user","content":"x"}]}'
  expect(cut(body, accepted(body).prefixSpans)).toEqual(['[{}]', '"S"', '"hello"'])
})

test('the prefix stays the same when a cache mark moves on to a later message (ACC-4)', () => {
  const mark = ',"cache_control":{"type":"ephemeral"}'
  const prefixes = [mark, ''].map((first) => {
    const body = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"${first}}]},{"role":"assistant","content":"c"}]}`
    return cut(body, accepted(body).prefixSpans)
  })
  expect(prefixes).toEqual([
    ['"a"', '"b"'],
    ['"a"', '"b"'],
  ])
})

test('a stream flag of a wrong type is refused by name (REL-1)', () => {
  const result = inspectAnthropic(operation('anthropic'), encode('{"model":"m","stream":"on"}'))
  expect(isDenial(result) && [result.code, result.message]).toEqual([
    'invalid_request',
    "'stream' must be true or false.",
  ])
})
