/**
 * The four protocols as a client and a provider speak them, in their shortest form: one request, one good stream, one good body, and how each
 * says that a stream has failed. Written by hand from the vendors' documentation.
 */
import type { Platform } from './scene.ts'

export interface Dialect {
  name: string
  platform: Platform
  path: string
  request: string
  /** Path and request of the same call without a stream. */
  wholePath: string
  wholeRequest: string
  /** Events before any content. */
  opening: string[]
  content: [string, string]
  /** Usage and terminal event. */
  closing: string[]
  body: string
  contentType: string
  /** What went wrong, if these bytes end in a way that the protocol's clients take for a failure. */
  failureIn(received: string): string | null
}

/** What each stream and each body says; Anthropic counts its cache beside the input, the others within. */
export const TOKENS = { input_tokens: 12, cache_read_tokens: 8, output_tokens: 7 }

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`
const event = (type: string, fields: object = {}) => `event: ${type}\n${data({ type, ...fields })}`

interface LastEvent {
  name: string | null
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON a stream ended with; a wrong shape fails the test
  data: any
}

function lastEvent(received: string): LastEvent | null {
  const block = received.split(/\r?\n\r?\n/).at(-2) ?? ''
  const json = /^data: (.*)$/m.exec(block)?.[1]
  return json === undefined ? null : { name: /^event: (.*)$/m.exec(block)?.[1] ?? null, data: JSON.parse(json) }
}

export const RESPONSES = responses()
export const CHAT = chat()
export const ANTHROPIC = anthropic()
export const GEMINI = gemini()
export const GEMINI_ARRAY = geminiArray()
export const DIALECTS: readonly Dialect[] = [RESPONSES, CHAT, ANTHROPIC, GEMINI, GEMINI_ARRAY]

export const streamOf = ({ opening, content, closing }: Dialect) => [...opening, ...content, ...closing]

function responses(): Dialect {
  const response = { id: 'resp_1', object: 'response', model: 'gpt-5-mini', status: 'in_progress' }
  const usage = { input_tokens: 20, input_tokens_details: { cached_tokens: 8 }, output_tokens: 7, total_tokens: 27 }
  const completed = { ...response, status: 'completed', output: [], usage }
  const delta = (text: string) => event('response.output_text.delta', { item_id: 'msg_1', delta: text })
  return {
    name: 'openai-responses',
    platform: 'openai',
    path: '/v1/responses',
    request: '{"model":"gpt-5-mini","input":"hello","stream":true}',
    wholePath: '/v1/responses',
    wholeRequest: '{"model":"gpt-5-mini","input":"hello"}',
    opening: [event('response.created', { response })],
    content: [delta('Hel'), delta('lo')],
    closing: [event('response.completed', { response: completed })],
    body: JSON.stringify(completed),
    contentType: 'text/event-stream',
    failureIn(received) {
      const last = lastEvent(received)
      return last?.name === 'response.failed' ? last.data.response.error.message : null
    },
  }
}

function chat(): Dialect {
  const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-mini' }
  const said = (delta: object, finish_reason: string | null = null) =>
    data({ ...chunk, choices: [{ index: 0, delta, finish_reason }] })
  const details = { prompt_tokens_details: { cached_tokens: 8 } }
  const usage = { prompt_tokens: 20, ...details, completion_tokens: 7, total_tokens: 27 }
  const message = { role: 'assistant', content: 'Hello' }
  return {
    name: 'openai-chat',
    platform: 'openai',
    path: '/v1/chat/completions',
    request: '{"model":"gpt-5-mini","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
    wholePath: '/v1/chat/completions',
    wholeRequest: '{"model":"gpt-5-mini","messages":[]}',
    opening: [said({ role: 'assistant', content: '' })],
    content: [said({ content: 'Hel' }), said({ content: 'lo' })],
    closing: [said({}, 'stop'), data({ ...chunk, choices: [], usage }), 'data: [DONE]\n\n'],
    body: JSON.stringify({ ...chunk, choices: [{ index: 0, message, finish_reason: 'stop' }], usage }),
    contentType: 'text/event-stream',
    failureIn: (received) => lastEvent(received)?.data.error?.message ?? null,
  }
}

function anthropic(): Dialect {
  const usage = { input_tokens: 12, cache_read_input_tokens: 8, cache_creation_input_tokens: 0, output_tokens: 1 }
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5', content: [], usage }
  const text = (text: string) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
  const content = [{ type: 'text', text: 'Hello' }]
  return {
    name: 'anthropic',
    platform: 'anthropic',
    path: '/v1/messages',
    request: '{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[],"stream":true}',
    wholePath: '/v1/messages',
    wholeRequest: '{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[]}',
    opening: [
      event('message_start', { message }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ],
    content: [text('Hel'), text('lo')],
    closing: [
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } }),
      event('message_stop'),
    ],
    body: JSON.stringify({ ...message, content, stop_reason: 'end_turn', usage: { ...usage, output_tokens: 7 } }),
    contentType: 'text/event-stream',
    failureIn(received) {
      const last = lastEvent(received)
      return last?.name === 'error' && last.data.type === 'error' ? last.data.error.message : null
    },
  }
}

function geminiChunks() {
  const usageMetadata = {
    promptTokenCount: 20,
    cachedContentTokenCount: 8,
    candidatesTokenCount: 7,
    totalTokenCount: 27,
  }
  const about = { modelVersion: 'gemini-2.5-flash', responseId: 'response-1' }
  const candidate = (text: string) => ({ content: { role: 'model', parts: [{ text }] }, index: 0 })
  const said = (text: string) => ({ candidates: [candidate(text)], ...about })
  const last = (text: string) => ({
    candidates: [{ ...candidate(text), finishReason: 'STOP' }],
    usageMetadata,
    ...about,
  })
  return { said, last }
}

function gemini(): Dialect {
  const { said, last } = geminiChunks()
  const line = (value: object) => `data: ${JSON.stringify(value)}\r\n\r\n`
  const request = '{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}'
  return {
    name: 'gemini',
    platform: 'gemini',
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    request,
    wholePath: '/v1beta/models/gemini-2.5-flash:generateContent',
    wholeRequest: request,
    opening: [],
    content: [line(said('Hel')), line(said('lo'))],
    closing: [line(last(''))],
    body: JSON.stringify(last('Hello')),
    contentType: 'text/event-stream',
    failureIn: (received) => lastEvent(received)?.data.error?.message ?? null,
  }
}

/** Gemini without `alt=sse`: one JSON array. */
function geminiArray(): Dialect {
  const { said, last } = geminiChunks()
  return {
    ...gemini(),
    name: 'gemini as an array',
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent',
    content: [`[${JSON.stringify(said('Hel'))}`, `,\r\n${JSON.stringify(said('lo'))}`],
    closing: [`,\r\n${JSON.stringify(last(''))}`, ']'],
    contentType: 'application/json',
    failureIn: (received) => JSON.parse(received).at(-1).error?.message ?? null,
  }
}
