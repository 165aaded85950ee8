/**
 * The first frames of a Messages stream. `message_start` comes before the model has said a word, `ping` at any place: overload often
 * follows both, inside a 200.
 */
import { asObject, asText } from '../../lib/json-values.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Gate } from '../protocol.ts'
import { createGate, type Verdict } from '../stream-gate.ts'
import { eventError } from './meter.ts'

export function anthropicGate(framing: Framing): Gate {
  return createGate(framing, { judge, errorIn: eventError })
}

function judge(piece: Piece): Verdict {
  if (piece.kind === 'done') return 'neutral'
  const event = asObject(piece.json)
  if (!event) return 'malformed'
  const type = asText(event.type) ?? piece.event ?? ''
  if (type === 'ping') return 'ping'
  if (type.startsWith('content_block_')) return 'content'
  return type === 'message_delta' || type === 'message_stop' ? 'end' : 'neutral'
}
