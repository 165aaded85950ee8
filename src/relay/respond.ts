/** Answers that turnpike makes itself, in the shape of the client's protocol (contract.md, "Errors to clients"). */
import type { Denial } from '../core/denial.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { Exchange } from './exchange.ts'

/** Ends a request of a known caller with a refusal. */
export function refusal({ call, id, recording }: Exchange, denial: Denial): Response {
  const response = denialResponse(call.protocol, denial, id)
  recording?.noteAnswer(response.headers, call.protocol.errorBody(denial, id).body)
  return response
}

/** A refusal as the client's dialect says it. `retry-after` only where waiting helps. */
export function denialResponse(protocol: Protocol, denial: Denial, requestId: string): Response {
  const { status, body } = protocol.errorBody(denial, requestId)
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-turnpike-request-id': requestId }
  if (denial.retryAfterSeconds !== undefined) headers['retry-after'] = String(denial.retryAfterSeconds)
  return new Response(body, { status, headers })
}
