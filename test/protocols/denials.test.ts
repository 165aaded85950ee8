/** What clients get when we turn them down, in each dialect (contract.md, "Errors to clients"). */
import { describe, expect, test } from 'bun:test'
import { DENIALS, type DenialCode, deny } from '../../src/core/denial.ts'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Reading } from '../../src/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { gateEveryWay, readEveryWay } from '../support/responses.ts'

const REQUEST_ID = '0198f0a0-1111-7222-8333-444455556666'
const codes = Object.keys(DENIALS) as DenialCode[]
const openaiLike = [PROTOCOLS['openai-chat'], PROTOCOLS['openai-responses']]
/** https://platform.claude.com/docs/en/api/errors: the names that its SDK lists. */
const ANTHROPIC_TYPES = [
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'rate_limit_error',
  'timeout_error',
  'api_error',
  'overloaded_error',
]

function bodyOf(protocol: keyof typeof PROTOCOLS, code: DenialCode) {
  const { status, body } = PROTOCOLS[protocol].errorBody(deny(code, 'Because.'), REQUEST_ID)
  return { status, body: JSON.parse(body) }
}

describe('denials in OpenAI’s shape', () => {
  test('every code has message, type, param and code, under its status', () => {
    for (const protocol of openaiLike) {
      for (const code of codes) {
        const { status, body } = protocol.errorBody(deny(code, 'Because.'), REQUEST_ID)
        const { error } = JSON.parse(body)
        expect(error).toMatchObject({ message: 'Because.', type: DENIALS[code].type, param: null })
        expect(error.code).toBeString()
        expect(status).toBe(error.type === 'insufficient_quota' ? 429 : DENIALS[code].status)
      }
    }
  })

  test('money is a 429 insufficient_quota; which money it was stands in reason', () => {
    expect(bodyOf('openai-chat', 'insufficient_key_balance')).toEqual({
      status: 429,
      body: {
        error: {
          message: 'Because.',
          type: 'insufficient_quota',
          param: null,
          code: 'insufficient_quota',
          reason: 'insufficient_key_balance',
        },
      },
    })
  })

  test('no key at all is an invalid one; a switched-off user is a switched-off key', () => {
    const codeOf = (code: DenialCode) => bodyOf('openai-responses', code).body.error.code
    expect([codeOf('missing_api_key'), codeOf('invalid_api_key')]).toEqual(['invalid_api_key', 'invalid_api_key'])
    expect([codeOf('api_key_disabled'), codeOf('user_disabled')]).toEqual(['api_key_disabled', 'api_key_disabled'])
    expect(codeOf('concurrency_limit_exceeded')).toBe('concurrency_limit_exceeded')
  })
})

describe('denials in Anthropic’s shape', () => {
  test('every code has a type that the SDK knows, a message and the request id', () => {
    for (const code of codes) {
      const { status, body } = bodyOf('anthropic', code)
      expect(status).toBe(DENIALS[code].status)
      expect(body).toMatchObject({ type: 'error', error: { message: 'Because.' }, request_id: REQUEST_ID })
      expect(ANTHROPIC_TYPES).toContain(body.error.type)
    }
  })

  test('money is a 403 that no client retries, an upstream’s fault an api_error, a time-out a timeout_error', () => {
    expect(bodyOf('anthropic', 'insufficient_user_quota')).toMatchObject({
      status: 403,
      body: { error: { type: 'billing_error', reason: 'insufficient_user_quota' } },
    })
    expect(bodyOf('anthropic', 'upstream_failed')).toMatchObject({
      status: 502,
      body: { error: { type: 'api_error' } },
    })
    expect(bodyOf('anthropic', 'upstream_timeout')).toMatchObject({
      status: 504,
      body: { error: { type: 'timeout_error' } },
    })
    expect(bodyOf('anthropic', 'no_available_account').body.error.type).toBe('overloaded_error')
  })
})

describe('denials in Google’s shape', () => {
  test('every code has the HTTP status as a number and a status name', () => {
    for (const code of codes) {
      const { status, body } = bodyOf('gemini', code)
      expect(body.error).toMatchObject({ code: status, message: 'Because.' })
      expect(body.error.status).toMatch(/^[A-Z_]+$/)
      expect(body.error.status).not.toBe('UNKNOWN')
    }
  })

  test('the names are Google’s', () => {
    const named: [DenialCode, string][] = [
      ['invalid_api_key', 'UNAUTHENTICATED'],
      ['model_not_allowed', 'PERMISSION_DENIED'],
      ['insufficient_user_quota', 'PERMISSION_DENIED'],
      ['rate_limit_exceeded', 'RESOURCE_EXHAUSTED'],
      ['invalid_json', 'INVALID_ARGUMENT'],
      ['unknown_endpoint', 'NOT_FOUND'],
      ['no_available_account', 'UNAVAILABLE'],
      ['upstream_timeout', 'DEADLINE_EXCEEDED'],
      ['internal_error', 'INTERNAL'],
    ]
    for (const [code, name] of named) expect(bodyOf('gemini', code).body.error.status).toBe(name)
    expect(bodyOf('gemini', 'subscription_limit_exceeded').body.error.reason).toBe('subscription_limit_exceeded')
  })
})

describe('the end of a broken stream', () => {
  const streaming = {
    'openai-chat': OPERATIONS.chat_completions,
    'openai-responses': OPERATIONS.responses,
    anthropic: OPERATIONS.messages,
    gemini: OPERATIONS.stream_generate_content,
  } as const

  function eventOf(protocol: keyof typeof streaming, code: DenialCode = 'upstream_stream_broken'): string {
    return PROTOCOLS[protocol].errorEvent(deny(code, 'Broke off.'), REQUEST_ID, {
      framing: 'sse',
      responseId: 'resp_7',
    })
  }

  test('is a failure to whoever reads the dialect, ours included (REL-13)', () => {
    for (const [id, operation] of Object.entries(streaming) as [
      keyof typeof streaming,
      (typeof streaming)['anthropic'],
    ][]) {
      const reading = readEveryWay(operation, eventOf(id))
      expect(reading.final).toBe(id === 'openai-responses' ? 'failed' : 'error')
      expect(reading.error?.message).toBe('Broke off.')
      expect(gateEveryWay(operation, eventOf(id)).state).toBe('fault')
    }
  })

  test('of a chat stream is an error chunk without `[DONE]`, of a Messages stream `event: error` (REL-13)', () => {
    expect(eventOf('openai-chat')).toMatch(/^data: \{"error":\{.*\}\}\n\n$/)
    expect(eventOf('anthropic')).toMatch(/^event: error\ndata: \{"type":"error",.*\}\n\n$/)
    expect(eventOf('gemini')).toMatch(/^data: (\{"error":\{.*\}\})\r\n\r\n\1$/)
  })

  test('follows an error that the upstream itself said where clients would miss it: Codex, Gemini CLI (REL-13)', () => {
    const needs = (id: keyof typeof PROTOCOLS, final: 'error' | 'failed', framing: 'sse' | 'json-array' = 'sse') =>
      PROTOCOLS[id].errorNeedsEvent({ final } as Reading, framing)
    expect([needs('openai-responses', 'error'), needs('openai-responses', 'failed')]).toEqual([true, false])
    // An array is closed by then: nothing can follow.
    expect([needs('gemini', 'error'), needs('gemini', 'error', 'json-array')]).toEqual([true, false])
    expect([needs('openai-chat', 'error'), needs('anthropic', 'error')]).toEqual([false, false])
  })

  test('of a Responses stream is response.failed with the id of the stream (REL-13)', () => {
    const [name, data] = eventOf('openai-responses').trimEnd().split('\n')
    expect(name).toBe('event: response.failed')
    const event = JSON.parse(data!.slice('data: '.length))
    expect(event).toMatchObject({
      type: 'response.failed',
      response: { id: 'resp_7', object: 'response', status: 'failed', output: [] },
    })
    expect(event.sequence_number).toBeInteger()
    expect(event.response.error).toEqual({ code: 'server_error', message: 'Broke off.' })
    expect(event.response.created_at).toBe(Math.floor(0x0198f0a01111 / 1000))
  })

  test('of a Responses stream that named no id has ours; its code is one that Codex acts on (REL-13)', () => {
    const failedBy = (code: DenialCode) => {
      const event = PROTOCOLS['openai-responses'].errorEvent(deny(code, 'x'), REQUEST_ID, {
        framing: 'sse',
        responseId: null,
      })
      return JSON.parse(event.split('data: ')[1]!).response
    }
    expect(failedBy('upstream_timeout').id).toBe('resp_0198f0a0111172228333444455556666')
    expect(failedBy('upstream_rate_limited').error.code).toBe('rate_limit_exceeded')
    expect(failedBy('upstream_overloaded').error.code).toBe('server_is_overloaded')
    expect(failedBy('insufficient_user_quota').error.code).toBe('insufficient_quota')
  })

  test('a JSON body that broke off is left as it is: no event can mend it (REL-13)', () => {
    for (const protocol of Object.values(PROTOCOLS)) {
      expect(protocol.errorEvent(deny('internal_error', 'x'), REQUEST_ID, { framing: 'json', responseId: null })).toBe(
        '',
      )
    }
  })
})
