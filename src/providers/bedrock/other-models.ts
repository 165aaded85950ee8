/**
 * Streams of Bedrock that are not Anthropic's own, as events of the Messages protocol: Converse (and Nova, which speaks it within `invoke`),
 * Titan, Llama, and what a guardrail says in a model's place. No request of a client leads to Converse, but a mapping or a guardrail
 * may bring any of them as an answer, and a client that waits for Messages must be able to read it.
 *
 * Blocks are numbered anew: Converse begins a block of text without saying so, and leaves numbers out.
 */
import type { Usage } from '../../core/usage.ts'
import { asObject, asText, type JsonObject } from '../../lib/json-values.ts'
import { GUARDRAIL_KEY } from '../../protocols/anthropic/meter.ts'
import { usageInAnswer } from './usage.ts'

/** How far the client's stream has come, whoever wrote it. */
export interface Progress {
  /** The client's name of the model, for a message that has to be begun here. */
  model: string
  begun: boolean
  over: boolean
  openBlock: number | null
  nextBlock: number
  stopReason: string | null
  blocked: boolean
  usage: Usage | null
}

export type MessagesEvent = { type: string; [field: string]: unknown }

const STOP_REASONS: Readonly<Record<string, string>> = {
  end_turn: 'end_turn',
  tool_use: 'tool_use',
  max_tokens: 'max_tokens',
  stop_sequence: 'stop_sequence',
  model_context_window_exceeded: 'model_context_window_exceeded',
  guardrail_intervened: 'refusal',
  content_filtered: 'refusal',
  // Titan
  FINISH: 'end_turn',
  LENGTH: 'max_tokens',
  STOP_CRITERIA_MET: 'stop_sequence',
  CONTENT_FILTERED: 'refusal',
  // Llama
  stop: 'end_turn',
  length: 'max_tokens',
}

/** `event`: one of Converse with its name around it, or a chunk of `invoke`. */
export function toMessagesEvents(event: JsonObject, state: Progress): MessagesEvent[] {
  state.usage = usageInAnswer(event) ?? state.usage
  const intervened = event[GUARDRAIL_KEY] === 'INTERVENED'
  // A guardrail's words are not the end of the model's sentence.
  const events: MessagesEvent[] = intervened ? close(state) : []
  if (asObject(event.messageStart)) events.push(...begin(state))
  const start = asObject(asObject(asObject(event.contentBlockStart)?.start)?.toolUse)
  if (start) events.push(...open(state, { type: 'tool_use', id: start.toolUseId, name: start.name, input: {} }))
  events.push(...deltas(asObject(asObject(event.contentBlockDelta)?.delta), state))
  if (asObject(event.contentBlockStop)) events.push(...close(state))
  const text = asText(event.outputText) ?? asText(event.generation) ?? asText(event.completion)
  if (text !== null) events.push(...grow(state, { type: 'text', text: '' }, { type: 'text_delta', text }))
  const reason = asText(asObject(event.messageStop)?.stopReason) ?? asText(event.completionReason)
  const said = reason ?? asText(event.stop_reason)
  if (said !== null) state.stopReason = STOP_REASONS[said] ?? 'end_turn'
  state.blocked ||= intervened || said === 'guardrail_intervened'
  return events
}

/** The stream has ended: what clients wait for, when the model has stopped, or a guardrail stopped it. */
export function closingEvents(state: Progress): MessagesEvent[] {
  if (state.over || (state.stopReason === null && !state.blocked)) return []
  const { usage } = state
  const reason = state.blocked ? 'refusal' : state.stopReason
  const delta = { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null } }
  return [
    ...begin(state),
    ...close(state),
    usage === null ? delta : { ...delta, usage: toWire(usage) },
    { type: 'message_stop', ...(state.blocked ? { [GUARDRAIL_KEY]: 'INTERVENED' } : {}) },
  ]
}

function begin(state: Progress): MessagesEvent[] {
  if (state.begun) return []
  state.begun = true
  const usage = { input_tokens: state.usage?.input ?? 0, output_tokens: 0 }
  const message = { id: 'msg_bdrk', type: 'message', role: 'assistant', model: state.model, content: [] }
  return [{ type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } }]
}

function open(state: Progress, block: object): MessagesEvent[] {
  const before = [...begin(state), ...close(state)]
  state.openBlock = state.nextBlock++
  return [...before, { type: 'content_block_start', index: state.openBlock, content_block: block }]
}

function close(state: Progress): MessagesEvent[] {
  if (state.openBlock === null) return []
  const index = state.openBlock
  state.openBlock = null
  return [{ type: 'content_block_stop', index }]
}

/** A delta into the open block; without one, into a new one. */
function grow(state: Progress, block: object, delta: object): MessagesEvent[] {
  const before = state.openBlock === null ? open(state, block) : []
  return [...before, { type: 'content_block_delta', index: state.openBlock, delta }]
}

function deltas(delta: JsonObject | null, state: Progress): MessagesEvent[] {
  if (!delta) return []
  const thinking = asObject(delta.reasoningContent)
  if (typeof thinking?.redactedContent === 'string') {
    return open(state, { type: 'redacted_thinking', data: thinking.redactedContent })
  }
  const block = { type: 'thinking', thinking: '', signature: '' }
  if (typeof thinking?.text === 'string') return grow(state, block, { type: 'thinking_delta', thinking: thinking.text })
  if (typeof thinking?.signature === 'string') {
    return grow(state, block, { type: 'signature_delta', signature: thinking.signature })
  }
  const input = asObject(delta.toolUse)?.input
  if (typeof input === 'string' && state.openBlock !== null) {
    const json = { type: 'input_json_delta', partial_json: input }
    return [{ type: 'content_block_delta', index: state.openBlock, delta: json }]
  }
  if (typeof delta.text !== 'string') return []
  return grow(state, { type: 'text', text: '' }, { type: 'text_delta', text: delta.text })
}

/** Back into Anthropic's own words, whose input excludes the cache like ours. */
function toWire(usage: Usage) {
  return {
    input_tokens: usage.input,
    output_tokens: usage.output,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5m, ephemeral_1h_input_tokens: usage.cacheWrite1h },
  }
}
