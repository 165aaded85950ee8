import { describe, expect, test } from 'bun:test'
import { causeOfStatus } from '../../../src/core/failure.ts'
import { PROTOCOLS } from '../../../src/protocols/table.ts'
import { retellError } from '../../../src/providers/bedrock/errors.ts'

function retold(status: number, body: string, headers: Record<string, string> = {}) {
  const header = (name: string) => headers[name] ?? null
  const told = retellError({ status, header, body: new TextEncoder().encode(body) })
  return { ...told, json: JSON.parse(new TextDecoder().decode(told.body)) }
}

describe('Bedrock’s errors for a client of Messages', () => {
  test.each([
    [429, 'ThrottlingException:http://internal.amazon.com/coral/', 429, 'rate_limit_error', 'rate_limited'],
    [400, 'ServiceQuotaExceededException', 429, 'rate_limit_error', 'rate_limited'],
    [400, 'ValidationException', 400, 'invalid_request_error', 'client_error'],
    [404, 'ResourceNotFoundException', 404, 'not_found_error', 'client_error'],
    [403, 'AccessDeniedException', 403, 'permission_error', 'forbidden'],
    [403, 'UnrecognizedClientException', 401, 'authentication_error', 'unauthorized'],
    [403, 'ExpiredTokenException', 401, 'authentication_error', 'unauthorized'],
    [408, 'ModelTimeoutException', 504, 'timeout_error', 'server_error'],
    [424, 'ModelErrorException', 500, 'api_error', 'server_error'],
    [429, 'ModelNotReadyException', 503, 'overloaded_error', 'server_error'],
    [503, 'ServiceUnavailableException', 503, 'overloaded_error', 'server_error'],
    [500, 'InternalServerException', 500, 'api_error', 'server_error'],
    [418, 'TeapotException', 418, 'invalid_request_error', 'unexpected_status'],
  ])('%i %s means %i %s: %s (REL-12, ACC-5)', (status, kind, meant, type, cause) => {
    const told = retold(status, '{"message":"why"}', { 'x-amzn-errortype': kind, 'x-amzn-requestid': 'req-1' })
    expect(told.status).toBe(meant)
    expect(told.json).toEqual({ type: 'error', error: { type, message: 'why' }, request_id: 'req-1' })
    expect(causeOfStatus(told.status)).toBe(cause as ReturnType<typeof causeOfStatus>)
    expect(PROTOCOLS.anthropic.readError(told.status, told.body)).toMatchObject({ type, message: 'why' })
  })

  test('the kind may stand in the body, the message in capitals; a page of HTML is not repeated (REL-12)', () => {
    const coral = retold(
      400,
      '{"__type":"com.amazon.coral.service#ExpiredTokenException","Message":"The token is old"}',
    )
    expect([coral.status, coral.json.error]).toEqual([
      401,
      { type: 'authentication_error', message: 'The token is old' },
    ])
    const page = retold(502, '<html>bad gateway</html>')
    expect([page.status, page.json.error]).toEqual([502, { type: 'api_error', message: 'Upstream answered 502' }])
  })

  test('ARNs, with the operator’s AWS account in them, do not leak (REL-12)', () => {
    const message = 'Model arn:aws:bedrock:us-east-1:123456789012:inference-profile/x, not found'
    const told = retold(404, JSON.stringify({ message }), { 'x-amzn-errortype': 'ResourceNotFoundException' })
    expect(told.json.error.message).toBe('Model arn:…, not found')
  })
})
