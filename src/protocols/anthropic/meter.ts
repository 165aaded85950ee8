/**
 * What a Messages answer said. A stream's usage starts as a guess in `message_start`; every non-null key of each `message_delta` overrides
 * it (web search, MCP and code execution raise input and cache numbers at the end, not only the output).
 *
 * Relays send `message_start` twice, or a second one with another id: the first names the response, its usage is overridden anyway.
 */
import type { Kept } from '../../lib/event-tail.ts'
import { asObject, asText, type JsonObject } from '../../lib/json-values.ts'
import { bodyValue, type Selection, ssePieces } from '../kept-pieces.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Meter, Operation, Reading, UpstreamError } from '../protocol.ts'
import { createDialects, createMeter, NOTHING_READ } from '../stream-meter.ts'
import { errorOf, NO_ERROR_SAID } from '../upstream-error.ts'
import { fromAnthropicUsage } from './usage.ts'

/** `message_start` (about 500 bytes) and what may come before it: pings, comments; and behind it: a fallback block. */
const HEAD_BYTES = 2048
const ALL = Number.POSITIVE_INFINITY
/** In an answer that a guardrail of Amazon Bedrock gave in the model's place; its `stop_reason` stays an ordinary one. */
export const GUARDRAIL_KEY = 'amazon-bedrock-guardrailAction'
/** Quotes in a text are escaped, so only the event's own type can stand there so. */
const SELECTION: Selection = { skips: (block) => block.includes('"content_block_delta"'), first: ALL, last: ALL }

const dialectOf = createDialects({
  headBytes: HEAD_BYTES,
  worthKeeping: isNoContent,
  stream: (kept) => readStream(ssePieces(kept, SELECTION)),
  body: readBody,
})

export function anthropicMeter(operation: Operation, framing: Framing): Meter {
  return createMeter(operation, framing, dialectOf(framing))
}

/** Search results and code of 20 kB in one event say nothing that is metered. */
function isNoContent(opening: string): boolean {
  return !opening.includes('content_block_')
}

function readStream(pieces: readonly Piece[]): Reading {
  const reading: Reading = { ...NOTHING_READ }
  let usage: JsonObject = {}
  let closed = false
  let fallbackModel: string | null = null
  let blocked = false
  for (const piece of pieces) {
    const event = asObject(piece.json)
    const error = eventError(piece)
    if (error !== null && reading.final !== 'completed') {
      reading.error = error
      reading.final = 'error'
    }
    if (!event) continue
    blocked ||= isBlocked(event)
    if (event.type === 'message_start') {
      const message = asObject(event.message)
      reading.model ??= asText(message?.model)
      reading.responseId ??= asText(message?.id)
      usage = override(usage, asObject(message?.usage))
    } else if (event.type === 'content_block_start') {
      fallbackModel = fallbackTarget(event) ?? fallbackModel
    } else if (event.type === 'message_delta') {
      const reported = asObject(event.usage)
      usage = override(usage, reported)
      closed ||= reported !== null
      reading.finishReason = asText(asObject(event.delta)?.stop_reason) ?? reading.finishReason
    } else if (event.type === 'message_stop' && reading.final === 'truncated') reading.final = 'completed'
  }
  if (blocked && reading.final === 'completed') reading.final = 'blocked'
  settle(usage, closed, reading)
  return billedAs(fallbackModel, reading)
}

function isBlocked(said: JsonObject): boolean {
  return said[GUARDRAIL_KEY] === 'INTERVENED'
}

function override(usage: JsonObject, later: JsonObject | null): JsonObject {
  if (later === null) return usage
  const merged: Record<string, unknown> = { ...usage }
  for (const [key, value] of Object.entries(later)) if (value !== null) merged[key] = value
  return merged
}

function settle(usage: JsonObject, closed: boolean, reading: Reading): void {
  const report = fromAnthropicUsage(usage)
  if (report === null) return
  reading.usage = report.usage
  reading.iterations = report.iterations
  reading.serviceTier = report.serviceTier
  reading.uplifts = report.uplifts
  reading.usageCertainty = closed ? 'final' : 'provisional'
}

function fallbackTarget(event: JsonObject): string | null {
  const block = asObject(event.content_block)
  return block?.type === 'fallback' ? asText(asObject(block.to)?.model) : null
}

/** After a fallback the numbers are those of the model that answered, while `message_start` names the one that refused. */
function billedAs(model: string | null, reading: Reading): Reading {
  if (model === null || reading.usage === null || reading.iterations !== null) return reading
  return { ...reading, iterations: [{ model, usage: reading.usage }] }
}

/** `{"type":"error","error":{…}}`, with or without its `event:` line. */
export function eventError(piece: Piece): UpstreamError | null {
  const event = asObject(piece.json)
  if (piece.kind === 'error-field' || piece.event === 'error' || event?.type === 'error') {
    return errorOf(piece.json) ?? { ...NO_ERROR_SAID, message: piece.text }
  }
  return event !== null && asText(event.type) === null ? errorOf(event) : null
}

function readBody(kept: Kept): Reading {
  const body = asObject(bodyValue(kept, (value) => asObject(asObject(value)?.usage) !== null))
  const reading: Reading = { ...NOTHING_READ }
  if (!body) return reading
  const error = body.type === 'error' || body.error ? errorOf(body) : null
  if (error !== null) return { ...reading, final: 'error', error }
  reading.final = isBlocked(body) ? 'blocked' : 'completed'
  reading.model = asText(body.model)
  reading.responseId = asText(body.id)
  reading.finishReason = asText(body.stop_reason)
  settle(asObject(body.usage) ?? {}, true, reading)
  return reading
}
