/**
 * The first frames of a Gemini stream. Neutral: chunks with usage and no part yet, parts with an empty text. A blocked prompt is an
 * answer of its own and no reason to ask another account.
 */
import { asArray, asObject, asText } from '../../lib/json-values.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Gate } from '../protocol.ts'
import { createGate, type Verdict } from '../stream-gate.ts'
import { chunkError } from './meter.ts'

export function geminiGate(framing: Framing): Gate {
  return createGate(framing, { judge, errorIn: chunkError })
}

function judge(piece: Piece): Verdict {
  if (piece.kind === 'done') return 'neutral'
  const chunk = asObject(piece.json)
  if (!chunk) return 'malformed'
  let ended = asText(asObject(chunk.promptFeedback)?.blockReason) !== null
  for (const entry of asArray(chunk.candidates)) {
    const candidate = asObject(entry)
    if (asArray(asObject(candidate?.content)?.parts).some(isSomething)) return 'content'
    ended ||= Boolean(candidate?.finishReason)
  }
  return ended ? 'end' : 'neutral'
}

function isSomething(part: unknown): boolean {
  return Object.entries(asObject(part) ?? {}).some(
    ([name, value]) => name !== 'thought' && value !== '' && value !== null,
  )
}
