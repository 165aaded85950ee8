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
import { usageInAnswer } from './usage.ts'

const ADDITION = 'amazon-bedrock-'
const NOTHING = new Uint8Array()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `model`: named in an answer that a guardrail gave in the model's place. */
export function createMessagesStream(model: string): Unwrapping {
  const reader = createEventStreamReader()
  const state: Progress = { model, begun: false, over: false, openBlock: null, blocked: null }
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
      return damage ? NOTHING : encoder.encode(closing(state))
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

/** How far the client's stream has come. */
interface Progress {
  model: string
  begun: boolean
  over: boolean
  openBlock: number | null
  /** The event that told of a guardrail's intervention. */
  blocked: JsonObject | null
}

function toEvents({ headers, payload }: EventStreamMessage, state: Progress): string {
  const kind = headers[':message-type']
  if (kind === 'error') return errorEvent(headers[':error-code'] ?? '', headers[':error-message'] ?? null)
  const said = asObject(parseJson(decoder.decode(payload)))
  if (kind === 'exception') return errorEvent(headers[':exception-type'] ?? '', asText(said?.message))
  if (headers[':event-type'] !== 'chunk') return ''
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
  follow(state, type, event)
  // A guardrail's words in another model's shape: told in `closing`.
  if (type === null && state.blocked !== null) return ''
  const data = (added ? withoutAdditions(event) : null) ?? text
  // Line ends in JSON are white space, and would cut an event in two.
  return `${type === null ? '' : `event: ${type}\n`}data: ${data.replace(/[\r\n]+/g, ' ')}\n\n`
}

function follow(state: Progress, type: string | null, event: JsonObject | null): void {
  if (event?.[GUARDRAIL_KEY] === 'INTERVENED') state.blocked = event
  if (type === 'message_start') state.begun = true
  else if (type === 'content_block_start') state.openBlock = asCount(event?.index)
  else if (type === 'content_block_stop') state.openBlock = null
  else if (type === 'message_stop') state.over = true
}

/** Null: Bedrock has added nothing, at least not at the top. */
function withoutAdditions(event: JsonObject | null): string | null {
  const entries = Object.entries(event ?? {})
  const own = entries.filter(([key]) => !key.startsWith(ADDITION) || key === GUARDRAIL_KEY)
  return own.length === entries.length ? null : JSON.stringify(Object.fromEntries(own))
}

/** A guardrail may end a stream by one chunk, without the events that clients wait for: they are written here. */
function closing(state: Progress): string {
  const { blocked } = state
  if (blocked === null || state.over) return ''
  const usage = usageInAnswer(blocked)
  const events: object[] = []
  if (!state.begun) events.push(...blockedMessage(state.model, blocked, usage?.input ?? 0))
  else if (state.openBlock !== null) events.push({ type: 'content_block_stop', index: state.openBlock })
  const delta = { stop_reason: 'refusal', stop_sequence: null }
  events.push({ type: 'message_delta', delta, ...(usage ? { usage: { output_tokens: usage.output } } : {}) })
  events.push({ type: 'message_stop', [GUARDRAIL_KEY]: 'INTERVENED' })
  return events
    .map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('')
}

function blockedMessage(model: string, blocked: JsonObject, inputTokens: number): object[] {
  const text = asText(blocked.outputText) ?? asText(blocked.completion) ?? asText(blocked.generation)
  const usage = { input_tokens: inputTokens, output_tokens: 0 }
  const message = { id: 'msg_bdrk_blocked', type: 'message', role: 'assistant', model, content: [] }
  const start = { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } }
  if (text === null) return [start]
  return [
    start,
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
    { type: 'content_block_stop', index: 0 },
  ]
}
