/** Answers that turnpike gives in its own name (admin API, health, pages): every one carries its request id and is never cached. */
import { newId } from '../lib/ids.ts'

export const REQUEST_ID_HEADER = 'x-turnpike-request-id'

/** What goes wrong in the admin API, as contract.md shapes it: `{"error":{"code","message","field"?}}`. */
export interface Problem {
  status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 500 | 503
  code: string
  /** A sentence for the operator; holds no secret, nothing that was sent, no stack. */
  message: string
  field?: string | null
  retryAfterSeconds?: number
}

export function problem(status: Problem['status'], code: string, message: string, field?: string | null): Problem {
  return { status, code, message, field }
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'status' in value && 'code' in value && 'message' in value
}

export function problemAnswer(found: Problem, requestId = newId()): Response {
  const { status, code, message, field, retryAfterSeconds } = found
  const headers: Record<string, string> = {}
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  return jsonAnswer({ error: field ? { code, message, field } : { code, message } }, { status, requestId, headers })
}

export interface AnswerOptions {
  status?: number
  requestId?: string
  headers?: Record<string, string>
}

export function jsonAnswer(value: unknown, options: AnswerOptions = {}): Response {
  return textAnswer(JSON.stringify(value), 'application/json', options)
}

export function textAnswer(
  body: string | Blob | ReadableStream<Uint8Array> | null,
  contentType: string,
  options: AnswerOptions = {},
): Response {
  const { status = 200, requestId = newId(), headers = {} } = options
  return new Response(body, {
    status,
    headers: {
      ...(body === null ? {} : { 'content-type': contentType }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      [REQUEST_ID_HEADER]: requestId,
      ...headers,
    },
  })
}
