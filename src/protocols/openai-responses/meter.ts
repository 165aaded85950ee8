/**
 * What a Responses answer said. Usage, status, tier and error stand in the terminal event only (`response.completed`, `.incomplete`,
 * `.failed`), whose `response` repeats instructions, tools and output and so may be of any size.
 *
 * An `event: error` is followed by `response.failed` with the same error: one failure. Alone it is one, too.
 */
import type { Kept } from '../../lib/event-tail.ts'
import { asObject, asText, type JsonObject } from '../../lib/json-values.ts'
import { bodyValue, type Selection, ssePieces } from '../kept-pieces.ts'
import type { Piece } from '../piece.ts'
import type { FinalStatus, Framing, Meter, Operation, Reading, UpstreamError } from '../protocol.ts'
import { createDialects, createMeter, NOTHING_READ } from '../stream-meter.ts'
import { errorOf, fromErrorObject, NO_ERROR_SAID } from '../upstream-error.ts'
import { fromResponsesUsage } from './usage.ts'

/** `response.created`, for id and model of a stream that is cut; with long instructions only the id is in it. */
const HEAD_BYTES = 2048

const FINAL_OF_STATUS: Readonly<Record<string, FinalStatus>> = {
  completed: 'completed',
  incomplete: 'incomplete',
  failed: 'failed',
  cancelled: 'failed',
  queued: 'queued',
  in_progress: 'queued',
}
const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed'])
const FIRST_TYPE = /response\.[a-z_.]+/
const PROGRESS = new Set(['response.created', 'response.in_progress', 'response.queued'])
/** An event's type starts within its first bytes (`event: …`, `data: {"type":"…`). Elsewhere the word may stand in a text. */
const TYPE_WITHIN = 40
const ALL = Number.POSITIVE_INFINITY
const SELECTION: Selection = { skips: saysNothing, first: ALL, last: ALL }

const dialectOf = createDialects({
  headBytes: HEAD_BYTES,
  worthKeeping: mayBeTerminal,
  stream: (kept) => readStream(ssePieces(kept, SELECTION)),
  body: readBody,
})

export function openaiResponsesMeter(operation: Operation, framing: Framing): Meter {
  return createMeter(operation, framing, dialectOf(framing))
}

/** Images, tool results and `response.created` with Codex's 30 kB of instructions pass by; what names no type is kept. */
function mayBeTerminal(opening: string): boolean {
  const type = typeOf(opening)
  return type === null || TERMINAL.has(type)
}

function saysNothing(block: string): boolean {
  const type = typeOf(block)
  return type !== null && !TERMINAL.has(type) && !PROGRESS.has(type)
}

function typeOf(text: string): string | null {
  const match = FIRST_TYPE.exec(text.slice(0, TYPE_WITHIN + 40))
  return match !== null && match.index < TYPE_WITHIN ? match[0] : null
}

function readStream(pieces: readonly Piece[]): Reading {
  const reading: Reading = { ...NOTHING_READ }
  for (const piece of pieces) {
    const event = asObject(piece.json)
    const error = eventError(piece)
    if (error !== null) {
      reading.error = error
      if (reading.final === 'truncated') reading.final = 'error'
    }
    const response = asObject(event?.response)
    if (!event || !response) continue
    identify(response, reading)
    const type = asText(event.type) ?? piece.event ?? ''
    if (TERMINAL.has(type)) conclude(response, FINAL_OF_STATUS[type.slice('response.'.length)]!, reading)
    else if (type === 'response.queued') reading.final = 'queued'
    else if (reading.final === 'queued') reading.final = 'truncated'
  }
  return reading
}

/** `{"type":"error","error":{…}}` and the flat `{"type":"error","code":…,"message":…}`. */
export function eventError(piece: Piece): UpstreamError | null {
  if (piece.kind === 'error-field') return errorOf(piece.json) ?? { ...NO_ERROR_SAID, message: piece.text }
  const event = asObject(piece.json)
  if (event?.type === 'error' || piece.event === 'error') {
    if (event === null) return { ...NO_ERROR_SAID, message: piece.text }
    return asObject(event.error) ? errorOf(event) : fromErrorObject(event)
  }
  return event !== null && asText(event.type) === null ? errorOf(event) : null
}

function identify(response: JsonObject, reading: Reading): void {
  reading.responseId ??= asText(response.id)
  reading.model = asText(response.model) ?? reading.model
}

function conclude(response: JsonObject, final: FinalStatus, reading: Reading): void {
  reading.final = final
  reading.serviceTier = asText(response.service_tier)
  reading.finishReason = asText(asObject(response.incomplete_details)?.reason)
  const usage = fromResponsesUsage(response.usage)?.usage ?? null
  if (usage !== null) {
    reading.usage = usage
    reading.usageCertainty = 'final'
  }
  const error = asObject(response.error)
  if (error) reading.error = fromErrorObject(error)
}

/** A glance must show all that decides the bill: vendors' key orders differ, status and tier may stand before 20 kB of tools. */
function glanceSuffices(value: unknown): boolean {
  const body = asObject(value)
  if (!body || asObject(body.usage) === null) return false
  return body.object === 'response.compaction' || ('status' in body && 'service_tier' in body)
}

function readBody(kept: Kept): Reading {
  const body = asObject(bodyValue(kept, glanceSuffices))
  const reading: Reading = { ...NOTHING_READ }
  if (!body) return reading
  identify(body, reading)
  const status = asText(body.status)
  if (status === null && body.error) return { ...reading, final: 'error', error: errorOf(body) }
  conclude(body, FINAL_OF_STATUS[status ?? 'completed'] ?? 'completed', reading)
  return reading
}
