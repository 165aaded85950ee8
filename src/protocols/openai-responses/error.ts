/**
 * The end of a broken Responses stream (REL-13): `response.failed`, because Codex ignores a bare `event: error` and says "stream closed
 * before response.completed" instead of the reason.
 *
 * Its response has every field that the SDK's type requires, and the id that the stream began with: openai 7 throws "Lifecycle response
 * identity changed" on another. `usage` is null: what was seen is settled by us, and the provider has closed no bill.
 */
import { DENIALS, type Denial } from '../../core/denial.ts'
import { timeOfId } from '../../lib/ids.ts'
import type { StreamCut } from '../protocol.ts'

/** The last number of the cut stream is not known; a client that drops what is older than it has must not drop this. */
const LAST_SEQUENCE_NUMBER = 2_147_483_647

export function responsesErrorEvent(denial: Denial, requestId: string, cut: StreamCut): string {
  if (cut.framing !== 'sse') return ''
  const event = {
    type: 'response.failed',
    sequence_number: LAST_SEQUENCE_NUMBER,
    response: failedResponse(denial, requestId, cut.responseId),
  }
  return `event: response.failed\ndata: ${JSON.stringify(event)}\n\n`
}

function failedResponse(denial: Denial, requestId: string, responseId: string | null) {
  return {
    id: responseId ?? `resp_${requestId.replaceAll('-', '')}`,
    object: 'response',
    created_at: Math.floor((timeOfId(requestId) ?? 0) / 1000),
    status: 'failed',
    error: { code: knownCode(denial), message: denial.message },
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: '',
    output: [],
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    usage: null,
  }
}

/** Codex decides by these codes whether to wait, to stop or to try again; any other it tries again. */
function knownCode(denial: Denial): string {
  const { type } = DENIALS[denial.code]
  if (type === 'insufficient_quota') return 'insufficient_quota'
  if (type === 'rate_limit_error') return 'rate_limit_exceeded'
  return type === 'overloaded_error' ? 'server_is_overloaded' : 'server_error'
}
