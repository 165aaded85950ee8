/**
 * Bedrock's errors as Anthropic's API would have said them, so that a client of the Messages protocol can read them (REL-12), and so that
 * the same judgement follows. `{"message":"…"}` with the kind in a header, or an exception frame within a stream.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html#API_runtime_InvokeModelWithResponseStream_Errors
 */
import { asObject, asText, parseJson } from '../../lib/json-values.ts'
import type { ErrorAnswer } from '../provider.ts'

interface Meaning {
  /** HTTP status that says what it means, where Bedrock's own does not. */
  status: number
  /** Anthropic's name: https://platform.claude.com/docs/en/api/errors */
  type: string
}

const badCredential: Meaning = { status: 401, type: 'authentication_error' }
const limited: Meaning = { status: 429, type: 'rate_limit_error' }
const failed: Meaning = { status: 500, type: 'api_error' }
const invalid: Meaning = { status: 400, type: 'invalid_request_error' }

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ThrottlingException: limited,
  // A 400 at Bedrock, but no fault of the request: the AWS account's quota is used up.
  ServiceQuotaExceededException: limited,
  ModelNotReadyException: { status: 503, type: 'overloaded_error' },
  ServiceUnavailableException: { status: 503, type: 'overloaded_error' },
  // 408 and 424 at Bedrock, which would read as the client's doing.
  ModelTimeoutException: { status: 504, type: 'timeout_error' },
  ModelErrorException: failed,
  ModelStreamErrorException: failed,
  InternalServerException: failed,
  ValidationException: invalid,
  ConflictException: invalid,
  ResourceNotFoundException: { status: 404, type: 'not_found_error' },
  AccessDeniedException: { status: 403, type: 'permission_error' },
  // 403 at AWS; nothing but other credentials helps.
  UnrecognizedClientException: badCredential,
  InvalidSignatureException: badCredential,
  IncompleteSignatureException: badCredential,
  MissingAuthenticationTokenException: badCredential,
  ExpiredTokenException: badCredential,
}

/** An answer that is no success, retold. */
export function retellError(input: ErrorAnswer): { status: number; body: Uint8Array } {
  const said = asObject(parseJson(new TextDecoder().decode(input.body)))
  const name = errorName(input.header('x-amzn-errortype') ?? asText(said?.__type))
  const { status, type } = MEANINGS[name] ?? { status: input.status, type: typeOfStatus(input.status) }
  const message = asText(said?.message) ?? asText(said?.Message) ?? `Upstream answered ${input.status}`
  const body = JSON.stringify(errorObject(type, message, input.header('x-amzn-requestid')))
  return { status, body: new TextEncoder().encode(body) }
}

/** From "ThrottlingException:http://internal.amazon.com/…" or "com.amazon.coral.service#ExpiredTokenException"; '': none. */
export function errorName(kind: string | null): string {
  return (kind ?? '').split(':')[0]?.split('#').at(-1) ?? ''
}

/** An exception frame as the event that ends an Anthropic stream. Frames spell the names with a small letter first. */
export function errorEvent(kind: string, message: string | null): string {
  const name = kind.charAt(0).toUpperCase() + kind.slice(1)
  const { type } = MEANINGS[name] ?? failed
  return `event: error\ndata: ${JSON.stringify(errorObject(type, message ?? name, null))}\n\n`
}

function errorObject(type: string, message: string, requestId: string | null) {
  return {
    type: 'error',
    error: { type, message: withoutArns(message) },
    ...(requestId === null ? {} : { request_id: requestId }),
  }
}

/** ARNs name the operator's AWS account and users: none of the client's business. */
function withoutArns(message: string): string {
  return message.replace(/\barn:aws[\w-]*:[^\s"',]+/g, 'arn:…')
}

function typeOfStatus(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 413) return 'request_too_large'
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'api_error'
}
