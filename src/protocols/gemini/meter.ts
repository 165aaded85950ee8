/**
 * What a Gemini or Vertex answer said. Chunks repeat a cumulative `usageMetadata` whose keys come and go, and with built-in tools each
 * internal turn counts from zero again: only the last chunk holds the sum. So the last one wins as it is, never merged, never a maximum.
 *
 * Errors in mid-stream are a bare JSON object after the last event, or an element of the array. Older models set `finishReason` in every
 * chunk, so an error counts whatever was said before it.
 */
import type { Kept } from '../../lib/event-tail.ts'
import { asArray, asObject, asText, type JsonObject } from '../../lib/json-values.ts'
import { bodyValue, isComment, type Selection, ssePieces } from '../kept-pieces.ts'
import type { Piece } from '../piece.ts'
import type { Framing, Meter, Operation, Reading, UpstreamError } from '../protocol.ts'
import { always, createDialects, createMeter, NOTHING_READ } from '../stream-meter.ts'
import { errorOf, NO_ERROR_SAID } from '../upstream-error.ts'
import { arrayPieces } from './array-pieces.ts'
import { fromGeminiUsage } from './usage.ts'

const SELECTION: Selection = { skips: isComment, first: 0, last: 8 }

const dialectOf = createDialects({
  headBytes: 0,
  worthKeeping: always,
  stream: (kept) => readStream(ssePieces(kept, SELECTION)),
  array: (kept) => readStream(arrayPieces(kept)),
  body: readBody,
})

export function geminiMeter(operation: Operation, framing: Framing): Meter {
  return createMeter(operation, framing, dialectOf(framing))
}

function readStream(pieces: readonly Piece[]): Reading {
  const reading: Reading = { ...NOTHING_READ }
  let finished = false
  for (const piece of pieces) {
    reading.error = chunkError(piece) ?? reading.error
    const chunk = asObject(piece.json)
    if (chunk) finished = describe(chunk, reading) || finished
  }
  if (reading.error !== null) reading.final = 'error'
  else if (finished) reading.final = 'completed'
  if (reading.usage !== null) reading.usageCertainty = reading.final === 'truncated' ? 'provisional' : 'final'
  return reading
}

/** Takes over what a chunk or body says; true when it ends the answer. A blocked prompt has its own status. */
function describe(chunk: JsonObject, reading: Reading): boolean {
  reading.model = asText(chunk.modelVersion) ?? reading.model
  reading.responseId = asText(chunk.responseId) ?? reading.responseId
  const report = fromGeminiUsage(chunk.usageMetadata)
  if (report !== null) {
    reading.usage = report.usage
    reading.serviceTier = report.serviceTier ?? reading.serviceTier
  }
  let finished = false
  for (const candidate of asArray(chunk.candidates)) {
    const reason = asObject(candidate)?.finishReason
    if (reason === undefined || reason === null || reason === '') continue
    reading.finishReason = String(reason)
    finished = true
  }
  const blocked = asText(asObject(chunk.promptFeedback)?.blockReason)
  if (blocked !== null && !finished) {
    reading.finishReason = blocked
    reading.final = 'blocked'
  }
  return finished
}

export function chunkError(piece: Piece): UpstreamError | null {
  if (piece.kind === 'error-field' || piece.event === 'error') {
    return errorOf(piece.json) ?? { ...NO_ERROR_SAID, message: piece.text }
  }
  const chunk = asObject(Array.isArray(piece.json) ? piece.json[0] : piece.json)
  return chunk?.error ? errorOf(chunk) : null
}

function readBody(kept: Kept): Reading {
  const value = bodyValue(kept, (body) => asObject(asObject(body)?.usageMetadata) !== null)
  // An answer to a stream call that was asked for in one piece is an array all the same.
  if (Array.isArray(value)) return readStream(value.map((json) => ({ kind: 'json', event: null, json, text: null })))
  const body = asObject(value)
  const reading: Reading = { ...NOTHING_READ }
  if (!body) return reading
  reading.final = 'completed'
  describe(body, reading)
  if (body.error) {
    reading.error = errorOf(body)
    reading.final = 'error'
  }
  if (reading.usage !== null) reading.usageCertainty = 'final'
  return reading
}
