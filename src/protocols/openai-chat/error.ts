/**
 * Denials and broken streams in OpenAI's shape (contract.md, "Errors to clients"): Chat, Completions, Embeddings, and bodies of Responses.
 *
 * Money is a 429 `insufficient_quota` here, because that is what OpenAI's clients know to stop on; which money it was stands in `reason`.
 */
import { DENIALS, type Denial } from '../../core/denial.ts'
import type { StreamCut } from '../protocol.ts'

export interface OpenaiError {
  message: string
  type: string
  param: null
  code: string
  /** Only with `insufficient_quota`. */
  reason?: string
}

/** Clients compare these codes: OpenAI has one for every key that is no key, and one for keys that were switched off. */
const PUBLIC_CODE: Readonly<Partial<Record<Denial['code'], string>>> = {
  missing_api_key: 'invalid_api_key',
  user_disabled: 'api_key_disabled',
}

export function openaiErrorBody(denial: Denial): { status: number; body: string } {
  const status = isMoney(denial) ? 429 : DENIALS[denial.code].status
  return { status, body: JSON.stringify({ error: openaiError(denial) }) }
}

function openaiError(denial: Denial): OpenaiError {
  const { type } = DENIALS[denial.code]
  const { message } = denial
  if (isMoney(denial)) return { message, type, param: null, code: type, reason: denial.code }
  return { message, type, param: null, code: PUBLIC_CODE[denial.code] ?? denial.code }
}

/** A chunk with `error`, which SDKs throw. No `[DONE]` after it: that would be a good end. */
export function chatErrorEvent(denial: Denial, _requestId: string, cut: StreamCut): string {
  return cut.framing === 'sse' ? `data: ${JSON.stringify({ error: openaiError(denial) })}\n\n` : ''
}

function isMoney(denial: Denial): boolean {
  return DENIALS[denial.code].type === 'insufficient_quota'
}
