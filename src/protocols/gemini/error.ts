/**
 * Denials and broken streams in Google's shape (contract.md, "Errors to clients"): `code` is the HTTP status as a number, `status` one of
 * https://cloud.google.com/apis/design/errors#handling_errors.
 */
import { DENIALS, type Denial } from '../../core/denial.ts'
import type { StreamCut } from '../protocol.ts'

interface GeminiError {
  code: number
  message: string
  status: string
  /** Which money it was. */
  reason?: string
}

const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  413: 'INVALID_ARGUMENT',
  426: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

export function geminiErrorBody(denial: Denial): { status: number; body: string } {
  return { status: DENIALS[denial.code].status, body: errorObject(denial) }
}

/**
 * An event with an error object, then the same object bare, as Google itself ends a broken stream (quirk 20): @google/genai 3 and the AI SDK
 * throw on the event; @google/genai 1.30 (Gemini CLI) takes the event for an empty chunk and the cut text for a success, but throws on the bare
 * object. In an array: its last element. Never a comment: Gemini CLI breaks on those.
 */
export function geminiErrorEvent(denial: Denial, _requestId: string, cut: StreamCut): string {
  if (cut.framing === 'json') return ''
  const error = errorObject(denial)
  return cut.framing === 'sse' ? `data: ${error}\r\n\r\n${error}` : `${error}]`
}

function errorObject(denial: Denial): string {
  const { status, type } = DENIALS[denial.code]
  const error: GeminiError = { code: status, message: denial.message, status: STATUS_NAMES[status] ?? 'UNKNOWN' }
  if (type === 'insufficient_quota') error.reason = denial.code
  return JSON.stringify({ error })
}
