/**
 * The first frames of a Chat Completions stream. Neutral: a delta with a role and nothing else, empty deltas, chunks without choices
 * (Azure's `prompt_filter_results`, a usage chunk). Content: anything a model made, under whatever name a vendor gives it.
 */
import { asArray, asObject, asText } from '../../lib/json-values.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Gate } from '../protocol.ts'
import { createGate, type Verdict } from '../stream-gate.ts'
import { chunkError } from './meter.ts'

export function openaiChatGate(framing: Framing): Gate {
  return createGate(framing, { judge, errorIn: chunkError })
}

function judge(piece: Piece, started: boolean): Verdict {
  // A stream that is nothing but `[DONE]` is an empty one.
  if (piece.kind === 'done') return started ? 'end' : 'neutral'
  const chunk = asObject(piece.json)
  if (!chunk) return 'malformed'
  let ended = false
  for (const entry of asArray(chunk.choices)) {
    const choice = asObject(entry)
    if (!choice) continue
    if (asText(choice.text) !== null || hasContent(choice.delta) || hasContent(choice.message)) return 'content'
    ended ||= asText(choice.finish_reason) !== null
  }
  return ended ? 'end' : 'neutral'
}

function hasContent(value: unknown): boolean {
  const delta = asObject(value)
  return delta !== null && Object.entries(delta).some(([name, part]) => name !== 'role' && isSomething(part))
}

function isSomething(part: unknown): boolean {
  if (Array.isArray(part)) return part.length > 0
  if (typeof part === 'object' && part !== null) return Object.keys(part).length > 0
  return asText(part) !== null
}
