/**
 * Two more streams of each protocol, beside the short one of ./dialects.ts, for tests that cut streams: one that thinks and calls a tool in a
 * script of several bytes a character, and one whose usage is told early, often, or in another place than usual.
 *
 * Their bytes per token are those of real streams (core/estimate), and their input costs at least what their request's size lets one guess.
 */
import { streamOf } from './dialects.ts'
import { WIRES, type Wire } from './wires.ts'

export interface CutCase {
  name: string
  wire: Wire
  stream: string
  request: string
}

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`
const event = (type: string, fields: object = {}) => `event: ${type}\n${data({ type, ...fields })}`

function anthropic(): string[] {
  const message = { id: 'msg_2', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5', content: [] }
  const cache = { cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 } }
  const first = { input_tokens: 40, cache_creation_input_tokens: 30, cache_read_input_tokens: 5, ...cache }
  const block = (index: number, content_block: object) => event('content_block_start', { index, content_block })
  const delta = (index: number, delta: object) => event('content_block_delta', { index, delta })
  const thinking = [
    event('message_start', { message: { ...message, usage: { ...first, output_tokens: 2 } } }),
    block(0, { type: 'thinking', thinking: '' }),
    event('ping'),
    delta(0, { type: 'thinking_delta', thinking: '考えています…' }),
    event('content_block_stop', { index: 0 }),
    block(1, { type: 'tool_use', id: 'toolu_1', name: 'look_up', input: {} }),
    delta(1, { type: 'input_json_delta', partial_json: '{"wo":"東京"}' }),
    event('content_block_stop', { index: 1 }),
    event('message_delta', { delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 40 } }),
    event('message_stop'),
  ].join('')
  // A web search raises the input at the end; two reports, the last of which counts.
  const raised = { input_tokens: 400, cache_read_input_tokens: 5, server_tool_use: { web_search_requests: 1 } }
  const searching = [
    event('message_start', { message: { ...message, usage: { ...first, output_tokens: 1 } } }),
    block(0, { type: 'text', text: '' }),
    delta(0, { type: 'text_delta', text: 'Es regnet in Zürich.' }),
    event('content_block_stop', { index: 0 }),
    event('message_delta', { delta: { stop_reason: null }, usage: { output_tokens: 30 } }),
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { ...raised, output_tokens: 35 } }),
    event('message_stop'),
  ].join('')
  return [thinking, searching]
}

function chat(): string[] {
  const chunk = { id: 'chatcmpl-2', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-mini' }
  const said = (delta: object, over: object = {}) =>
    data({ ...chunk, choices: [{ index: 0, delta, finish_reason: null }], ...over })
  const usage = {
    prompt_tokens: 60,
    prompt_tokens_details: { cached_tokens: 10 },
    completion_tokens: 30,
    completion_tokens_details: { reasoning_tokens: 20 },
    total_tokens: 90,
  }
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'look_up', arguments: '' } }
  const tools = [
    said({ role: 'assistant', content: null, tool_calls: [call] }),
    said({ tool_calls: [{ index: 0, function: { arguments: '{"wo":"東京"}' } }] }),
    data({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }),
    data({ ...chunk, choices: [], usage }),
    'data: [DONE]\n\n',
  ].join('')
  // Usage on every chunk, growing; CRLF, comments, and no `[DONE]`.
  const counted = (text: string, completion_tokens: number, finish_reason: string | null = null) =>
    data({
      ...chunk,
      choices: [{ index: 0, delta: { content: text }, finish_reason }],
      usage: { prompt_tokens: 60, completion_tokens, total_tokens: 60 + completion_tokens },
    })
  const growing = [': ping\n\n', counted('Es ', 10), counted('schneit', 14), counted('.', 18, 'stop')].join('')
  return [tools, growing.replaceAll('\n', '\r\n')]
}

function responses(): string[] {
  const response = { id: 'resp_2', object: 'response', model: 'gpt-5-mini', status: 'in_progress' }
  const usage = {
    input_tokens: 60,
    input_tokens_details: { cached_tokens: 10 },
    output_tokens: 30,
    output_tokens_details: { reasoning_tokens: 20 },
    total_tokens: 90,
  }
  const opening = event('response.created', { response }) + event('response.in_progress', { response })
  const item = { type: 'function_call', id: 'fc_1', name: 'look_up', arguments: '' }
  const tools = [
    opening,
    event('response.output_item.added', { output_index: 0, item }),
    event('response.function_call_arguments.delta', { item_id: 'fc_1', delta: '{"wo":"東京"}' }),
    event('response.completed', { response: { ...response, status: 'completed', output: [item], usage } }),
  ].join('')
  const incomplete_details = { reason: 'max_output_tokens' }
  const cut = [
    opening,
    event('response.output_text.delta', { item_id: 'msg_1', delta: 'Zu lang' }),
    event('response.incomplete', { response: { ...response, status: 'incomplete', incomplete_details, usage } }),
  ].join('')
  return [tools, cut]
}

function gemini(): string[] {
  const line = (value: object) => `data: ${JSON.stringify(value)}\r\n\r\n`
  const about = { modelVersion: 'gemini-2.5-flash', responseId: 'response-2' }
  const said = (part: object, usageMetadata: object | null, finishReason?: string) => {
    const candidates = [{ content: { role: 'model', parts: [part] }, index: 0, ...(finishReason && { finishReason }) }]
    return line({ candidates, ...(usageMetadata && { usageMetadata }), ...about })
  }
  const counts = (candidatesTokenCount: number, thoughtsTokenCount: number) => ({
    promptTokenCount: 60,
    candidatesTokenCount,
    thoughtsTokenCount,
    totalTokenCount: 60 + candidatesTokenCount + thoughtsTokenCount,
  })
  const cumulative = [
    said({ text: '考えています', thought: true }, counts(0, 30)),
    said({ text: 'Es regnet' }, counts(20, 30)),
    said({ text: '.' }, counts(40, 40), 'STOP'),
  ].join('')
  const call = { functionCall: { name: 'look_up', args: { wo: '東京' } } }
  const tools = [said(call, null), said({ text: '' }, counts(30, 10), 'STOP')].join('')
  return [cumulative, tools]
}

const MORE = { anthropic, 'openai-chat': chat, 'openai-responses': responses, gemini }

/** The short one, with as many tokens as its bytes let one guess. */
function longerThought(stream: string): string {
  return stream
    .replaceAll(/"(output_tokens|completion_tokens|candidatesTokenCount)":7/g, '"$1":40')
    .replaceAll(/"(total_tokens|totalTokenCount)":27/g, '"$1":60')
}

/** Three streams of each protocol. */
export const CUT_CASES: readonly CutCase[] = WIRES.flatMap((wire) => {
  const { dialect } = wire
  const streams = [longerThought(streamOf(dialect).join('')), ...MORE[dialect.name as keyof typeof MORE]()]
  return streams.map((stream, index) => ({
    name: `${dialect.name} ${index + 1}`,
    wire,
    stream,
    request: dialect.request,
  }))
})
