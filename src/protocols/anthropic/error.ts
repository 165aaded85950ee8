/**
 * Denials and broken streams in Anthropic's shape (contract.md, "Errors to clients"), with the type names that its SDK knows:
 * https://platform.claude.com/docs/en/api/errors
 */
import { DENIALS, type Denial } from '../../core/denial.ts'
import type { StreamCut } from '../protocol.ts'

interface AnthropicError {
  type: 'error'
  error: { type: string; message: string; reason?: string }
  request_id: string
}

/** Our types → Anthropic's, where they differ. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  insufficient_quota: 'billing_error',
  upstream_error: 'api_error',
}

export function anthropicErrorBody(denial: Denial, requestId: string): { status: number; body: string } {
  return { status: DENIALS[denial.code].status, body: JSON.stringify(anthropicError(denial, requestId)) }
}

/** The SDKs skip events without an `event:` line. */
export function anthropicErrorEvent(denial: Denial, requestId: string, cut: StreamCut): string {
  return cut.framing === 'sse' ? `event: error\ndata: ${JSON.stringify(anthropicError(denial, requestId))}\n\n` : ''
}

function anthropicError(denial: Denial, requestId: string): AnthropicError {
  const { type, status } = DENIALS[denial.code]
  const name = status === 504 ? 'timeout_error' : (TYPE_NAMES[type] ?? type)
  const error = { type: name, message: denial.message }
  return {
    type: 'error',
    error: type === 'insufficient_quota' ? { ...error, reason: denial.code } : error,
    request_id: requestId,
  }
}
