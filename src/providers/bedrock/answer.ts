/**
 * What Bedrock answers for an Anthropic model, as Anthropic's own API would have said it: each `chunk` frame holds one event of the Messages
 * stream (base64 JSON beside random padding), exception frames are error events, and Bedrock's measurements stay here (quirk 24).
 *
 * The model's events pass as they are spelled. Only one that Bedrock has added to (the last one) is written anew without the additions, but
 * for the mark of a guardrail that stepped in: nothing else in such an answer tells it from the model's own words.
 */
import { createEventStreamReader, EventStreamError, type EventStreamMessage } from '../../lib/aws-event-stream.ts'
import { asCount, asObject, asText, type JsonObject, parseJson } from '../../lib/json-values.ts'
import { GUARDRAIL_KEY } from '../../protocols/anthropic/meter.ts'
import type { Unwrapping } from '../provider.ts'
import { errorEvent } from './errors.ts'
import { closingEvents, type MessagesEvent, type Progress, toMessagesEvents } from './other-models.ts'

const ADDITION = 'amazon-bedrock-'
const NOTHING = new Uint8Array()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `model`: named in an answer that a guardrail gave in the model's place. */
export function createMessagesStream(model: string): Unwrapping {
  const reader = createEventStreamReader()
  const state = newProgress(model)
  let damage: Error | null = null

  /** What came before the damage is sound, and may be the end. */
  function until(step: () => void): void {
    try {
      if (!damage) step()
    } catch (error) {
      damage = error as Error
    }
  }

  return {
    push(chunk) {
      const events: string[] = []
      until(() => reader.push(chunk, (message) => events.push(toEvents(message, state))))
      return events.length === 0 ? NOTHING : encoder.encode(events.join(''))
    },
    end() {
      until(reader.end)
      return damage ? NOTHING : encoder.encode(closingEvents(state).map(written).join(''))
    },
    get damage() {
      return damage
    },
  }
}

/** A body that is no stream. */
export function retellMessage(body: Uint8Array): Uint8Array {
  const text = decoder.decode(body)
  const bare = text.includes(`"${ADDITION}`) ? withoutAdditions(asObject(parseJson(text))) : null
  return bare === null ? body : encoder.encode(bare)
}

/** `{"inputTokens":11}` → `{"input_tokens":11}`; anything else stays what it is. */
export function retellCount(body: Uint8Array): Uint8Array {
  const count = asCount(asObject(parseJson(decoder.decode(body)))?.inputTokens)
  return count === null ? body : encoder.encode(JSON.stringify({ input_tokens: count }))
}

function newProgress(model: string): Progress {
  const nothingYet = { begun: false, over: false, blocked: false, openBlock: null, nextBlock: 0 }
  return { model, ...nothingYet, stopReason: null, usage: null }
}

function toEvents({ headers, payload }: EventStreamMessage, state: Progress): string {
  const kind = headers[':message-type']
  if (kind === 'error') return errorEvent(headers[':error-code'] ?? '', headers[':error-message'] ?? null)
  const said = asObject(parseJson(decoder.decode(payload)))
  if (kind === 'exception') return errorEvent(headers[':exception-type'] ?? '', asText(said?.message))
  const name = headers[':event-type'] ?? ''
  // Converse: the name of the event is in a header, its payload is the event.
  if (name !== 'chunk')
    return toMessagesEvents({ [name]: said }, state)
      .map(written)
      .join('')
  const base64 = asText(said?.bytes)
  if (base64 === null) throw new EventStreamError('a chunk holds no bytes')
  return toEvent(Buffer.from(base64, 'base64').toString(), state)
}

/** The type stands first in all that Anthropic's models say; parsing each delta to find it would double the work. */
const LEADING_TYPE = /^\{"type":"(\w+)"/

function toEvent(text: string, state: Progress): string {
  const added = text.includes(`"${ADDITION}`)
  let type = LEADING_TYPE.exec(text)?.[1] ?? null
  // Deltas, nearly all there is, are not parsed.
  const event = added || type === null || type === 'content_block_start' ? asObject(parseJson(text)) : null
  type ??= asText(event?.type)
  if (type === null) return event === null ? '' : toMessagesEvents(event, state).map(written).join('')
  follow(state, type, event)
  const data = (added ? withoutAdditions(event) : null) ?? text
  // Line ends in JSON are white space, and would cut an event in two.
  return `event: ${type}\ndata: ${data.replace(/[\r\n]+/g, ' ')}\n\n`
}

const written = (event: MessagesEvent) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** Anthropic's own events: how far they have come, in case a guardrail breaks them off. */
function follow(state: Progress, type: string, event: JsonObject | null): void {
  if (event?.[GUARDRAIL_KEY] === 'INTERVENED') state.blocked = true
  if (type === 'message_start') state.begun = true
  else if (type === 'content_block_start') {
    state.openBlock = asCount(event?.index)
    state.nextBlock = (state.openBlock ?? 0) + 1
  } else if (type === 'content_block_stop') state.openBlock = null
  else if (type === 'message_stop') state.over = true
}

/** Null: Bedrock has added nothing, at least not at the top. */
function withoutAdditions(event: JsonObject | null): string | null {
  const entries = Object.entries(event ?? {})
  const own = entries.filter(([key]) => !key.startsWith(ADDITION) || key === GUARDRAIL_KEY)
  return own.length === entries.length ? null : JSON.stringify(Object.fromEntries(own))
}
