/**
 * What an upstream says went wrong, in all the shapes seen: OpenAI's and its imitators', Anthropic's, Google's (also in an array),
 * FastAPI's `detail`, plain `message`, xAI's text beside a code, OpenRouter's wrapping of its provider's error.
 */
import { asArray, asCount, asObject, asText, type JsonObject, parseJson } from '../lib/json-values.ts'
import type { UpstreamError } from './protocol.ts'

export const NO_ERROR_SAID: Readonly<UpstreamError> = Object.freeze({
  type: null,
  code: null,
  status: null,
  message: null,
})

/** Words that mean an HTTP status wherever they stand (the vendors' own tables), for errors that come inside a 200. */
const STATUS_OF_WORD: Readonly<Record<string, number>> = {
  authentication_error: 401,
  invalid_api_key: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  model_not_found: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  usage_limit_reached: 429,
  invalid_request_error: 400,
  context_length_exceeded: 400,
  api_error: 500,
  server_error: 500,
  server_is_overloaded: 503,
  slow_down: 503,
  timeout_error: 504,
  overloaded_error: 529,
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
}

const decoder = new TextDecoder()

/**
 * The body of a non-2xx answer. HTML, nothing or no JSON gives nulls. `status` in the result is one that the body itself names;
 * what its words imply is only used when the answer claimed success (the real status knows better: DeepSeek's 401 says `invalid_request_error`).
 */
export function readErrorBody(httpStatus: number, body: Uint8Array): UpstreamError {
  const value = parseJson(decoder.decode(body).trim())
  const error = value === undefined ? null : errorOf(value)
  if (error === null) return NO_ERROR_SAID
  return httpStatus >= 300 && !namesStatus(value) ? { ...error, status: null } : error
}

/** The error in a parsed event or body, or null when it holds none. */
export function errorOf(value: unknown): UpstreamError | null {
  if (Array.isArray(value)) {
    for (const element of value) {
      const error = errorOf(element)
      if (error !== null) return error
    }
    return null
  }
  const said = asObject(value)
  if (!said) return null
  const inner = asObject(said.error)
  if (inner) return fromErrorObject(inner)
  const text = asText(said.error)
  if (text !== null) return fromErrorObject({ message: text, code: said.code, type: said.type })
  return fromBareObject(said)
}

/** Objects that are an error without an `error` key: `{"detail":"Invalid API Key"}`, `{"message":"…"}`, `{"object":"error",…}`. */
function fromBareObject(said: JsonObject): UpstreamError | null {
  const message = asText(said.detail) ?? asText(said.message) ?? firstDetail(said.detail)
  return message === null ? null : fromErrorObject({ ...said, message })
}

export function fromErrorObject(error: JsonObject): UpstreamError {
  const name = asText(error.status)
  const type = asText(error.type) ?? name
  const code = asText(error.code) ?? (name === null && typeof error.code === 'number' ? String(error.code) : null)
  const implied = STATUS_OF_WORD[code ?? ''] ?? STATUS_OF_WORD[type ?? ''] ?? null
  return { type, code, status: namedStatus(error) ?? implied, message: wrappedMessage(error) ?? asText(error.message) }
}

function namedStatus(error: JsonObject): number | null {
  return asStatus(error.status) ?? asStatus(error.status_code) ?? asStatus(error.code)
}

function namesStatus(value: unknown): boolean {
  const said = asObject(Array.isArray(value) ? value[0] : value)
  const inner = asObject(said?.error) ?? said
  return inner !== null && namedStatus(inner) !== null
}

function asStatus(value: unknown): number | null {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : asCount(value)
  return status !== null && status >= 400 && status <= 599 ? status : null
}

/** OpenRouter: `{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":…}}"}}` */
function wrappedMessage(error: JsonObject): string | null {
  const raw = asText(asObject(error.metadata)?.raw)
  if (raw === null) return null
  const inner = parseJson(raw)
  return inner === undefined ? raw : (errorOf(inner)?.message ?? null)
}

/** FastAPI: `{"detail":[{"loc":[…],"msg":"field required"}]}` */
function firstDetail(detail: unknown): string | null {
  const first = asObject(asArray(detail)[0])
  return asText(first?.msg) ?? asText(asObject(detail)?.message)
}
