/**
 * The first frames of a Responses stream. `created`, `in_progress` and `queued` only repeat the request; an overloaded model fails right
 * behind them. Events of other families (`codex.rate_limits`, `keepalive`) say nothing about the answer.
 */
import { asObject, asText } from '../../lib/json-values.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Gate, UpstreamError } from '../protocol.ts'
import { createGate, type Verdict } from '../stream-gate.ts'
import { fromErrorObject, NO_ERROR_SAID } from '../upstream-error.ts'
import { eventError } from './meter.ts'

const PRELUDE = new Set(['response.created', 'response.in_progress', 'response.queued'])
const GOOD_END = new Set(['response.completed', 'response.incomplete'])
const PINGS = new Set(['ping', 'keepalive'])

export function openaiResponsesGate(framing: Framing): Gate {
  return createGate(framing, { judge, errorIn })
}

function judge(piece: Piece): Verdict {
  if (piece.kind === 'done') return 'neutral'
  const event = asObject(piece.json)
  if (!event) return 'malformed'
  const type = asText(event.type) ?? piece.event ?? ''
  if (PINGS.has(type)) return 'ping'
  if (PRELUDE.has(type) || !type.startsWith('response.')) return 'neutral'
  return GOOD_END.has(type) ? 'end' : 'content'
}

function errorIn(piece: Piece): UpstreamError | null {
  const event = asObject(piece.json)
  if (event?.type !== 'response.failed') return eventError(piece)
  const error = asObject(asObject(event.response)?.error)
  return error ? fromErrorObject(error) : NO_ERROR_SAID
}
