import { describe, expect, test } from 'bun:test'
import { errorOf, NO_ERROR_SAID, readErrorBody } from '../../src/protocols/upstream-error.ts'
import { bytesOf } from '../support/responses.ts'

function read(httpStatus: number, body: unknown) {
  return readErrorBody(httpStatus, bytesOf(typeof body === 'string' ? body : JSON.stringify(body)))
}

describe('errors of upstreams', () => {
  test('OpenAI’s shape and Anthropic’s, which has no code (REL-12)', () => {
    const openai = { message: 'Incorrect key', type: 'invalid_request_error', param: null, code: 'invalid_api_key' }
    expect(read(401, { error: openai })).toEqual({
      type: 'invalid_request_error',
      code: 'invalid_api_key',
      status: null,
      message: 'Incorrect key',
    })
    const anthropic = { type: 'error', error: { type: 'not_found_error', message: 'model: x' }, request_id: 'r' }
    expect(read(404, anthropic)).toEqual({ type: 'not_found_error', code: null, status: null, message: 'model: x' })
  })

  test('quirk 6: a 529 with request_id, without, and with `details: null` is the same error (REL-12)', () => {
    const error = { type: 'overloaded_error', message: 'Overloaded' }
    const shapes = [{ error }, { error, request_id: 'req_1' }, { error: { ...error, details: null } }]
    for (const shape of shapes)
      expect(errorOf({ type: 'error', ...shape })).toEqual({ ...error, code: null, status: 529 })
  })

  test('Google’s shape, alone and in an array: the name is the type, the number the status (quirk 19, REL-12)', () => {
    const error = { code: 429, message: 'Resource exhausted', status: 'RESOURCE_EXHAUSTED', details: [] }
    const expected = { type: 'RESOURCE_EXHAUSTED', code: null, status: 429, message: 'Resource exhausted' }
    expect(read(429, { error })).toEqual(expected)
    expect(read(429, [{ error }])).toEqual(expected)
  })

  test('quirk 15: OpenRouter’s wrapping gives the status that it names and the provider’s own message (REL-12)', () => {
    const raw = JSON.stringify({ error: { message: 'glm is temporarily rate-limited', code: 'x' } })
    const wrapped = { message: 'Provider returned error', code: 429, metadata: { raw, provider_name: 'Z' } }
    expect(read(200, { error: wrapped })).toEqual({
      type: null,
      code: '429',
      status: 429,
      message: 'glm is temporarily rate-limited',
    })
    expect(errorOf({ error: { ...wrapped, metadata: { raw: 'plain words' } } })?.message).toBe('plain words')
    expect(errorOf({ error: { ...wrapped, metadata: { provider_name: null } } })?.message).toBe(
      'Provider returned error',
    )
  })

  test('errors without an `error` object: detail, message, xAI’s text beside a code, FastAPI’s list, vLLM’s flat object (REL-12)', () => {
    expect(read(401, { detail: 'Invalid API Key' }).message).toBe('Invalid API Key')
    expect(read(400, { message: 'The security token is invalid.' }).message).toBe('The security token is invalid.')
    expect(read(400, { code: 'invalid-argument', error: 'Incorrect API key' })).toMatchObject({
      code: 'invalid-argument',
      message: 'Incorrect API key',
    })
    expect(read(422, { detail: [{ loc: ['body'], msg: 'field required' }] }).message).toBe('field required')
    expect(read(400, { object: 'error', message: 'too long', type: 'BadRequestError', code: 400 })).toEqual({
      type: 'BadRequestError',
      code: '400',
      status: 400,
      message: 'too long',
    })
  })

  test('a status as text is a status; one that words imply counts only where the answer claimed success (REL-12)', () => {
    expect(read(401, { error: { code: '401', message: 'denied' } })).toMatchObject({ code: '401', status: 401 })
    const deepseek = { error: { message: 'no', type: 'authentication_error', code: 'invalid_request_error' } }
    expect(read(401, deepseek).status).toBeNull()
    expect(read(200, { error: { message: 'no', type: 'rate_limit_error' } }).status).toBe(429)
    expect(read(200, { error: { message: 'no', type: 'tokens', code: 'rate_limit_exceeded' } }).status).toBe(429)
  })

  test('a page, nothing, half a JSON and JSON that is no error give nulls, and nothing throws (REL-12)', () => {
    for (const body of [
      '',
      '<html>502 Bad Gateway</html>',
      '{"error":{"mess',
      '[]',
      'null',
      '7',
      '"x"',
      '{}',
      '{"error":null}',
    ]) {
      expect(read(502, body)).toEqual(NO_ERROR_SAID)
    }
    expect(readErrorBody(500, new Uint8Array([0xff, 0xfe, 0x00]))).toEqual(NO_ERROR_SAID)
  })
})
