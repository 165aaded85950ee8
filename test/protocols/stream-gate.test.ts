import { describe, expect, test } from 'bun:test'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { bytesOf, gateEveryWay, named, type SseEvent, sse } from '../support/responses.ts'

const { chat_completions: chat, responses, messages, stream_generate_content: gemini, completions } = OPERATIONS
const streaming = [chat, responses, messages, gemini]

/** For each protocol: frames that say nothing, one with content, one that ends well, one that is an error. */
const dialects = {
  chat: {
    operation: chat,
    neutral: [
      ': OPENROUTER PROCESSING',
      { data: { choices: [], prompt_filter_results: [{}] } },
      {
        data: {
          choices: [{ delta: { role: 'assistant', content: '', refusal: null }, finish_reason: null }],
          usage: null,
        },
      },
      { data: { choices: [{ delta: {} }] } },
    ],
    content: { data: { choices: [{ delta: { content: 'Hi' } }] } },
    end: { data: { choices: [{ delta: {}, finish_reason: 'content_filter' }] } },
    error: { data: { error: { message: 'busy', type: 'overloaded_error' } } },
  },
  responses: {
    operation: responses,
    neutral: [
      named({ type: 'response.created', response: { id: 'r', status: 'in_progress' } }),
      named({ type: 'response.in_progress', response: { id: 'r' } }),
      named({ type: 'response.queued', response: { id: 'r' } }),
      named({ type: 'codex.rate_limits', limits: {} }),
    ],
    content: named({ type: 'response.output_item.added', item: { type: 'message' } }),
    end: named({ type: 'response.incomplete', response: { status: 'incomplete' } }),
    error: named({ type: 'error', error: { message: 'busy', code: 'server_is_overloaded' } }),
  },
  anthropic: {
    operation: messages,
    neutral: [named({ type: 'message_start', message: { id: 'm', usage: {} } }), named({ type: 'ping' })],
    content: named({ type: 'content_block_start', content_block: { type: 'text', text: '' } }),
    end: named({ type: 'message_delta', delta: { stop_reason: 'refusal' }, usage: {} }),
    error: named({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } }),
  },
  gemini: {
    operation: gemini,
    neutral: [
      { data: { usageMetadata: { promptTokenCount: 1 } } },
      { data: { candidates: [{ content: { parts: [{ text: '' }] } }] } },
    ],
    content: { data: { candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] } }] } },
    end: { data: { promptFeedback: { blockReason: 'SAFETY' } } },
    error: { data: { error: { code: 503, message: 'busy', status: 'UNAVAILABLE' } } },
  },
} satisfies Record<
  string,
  { operation: unknown; neutral: SseEvent[]; content: SseEvent; end: SseEvent; error: SseEvent }
>

for (const [name, { operation, neutral, content, end, error }] of Object.entries(dialects)) {
  describe(`gate of ${name} streams`, () => {
    test('frames that say nothing are held; a stream that is nothing else is a fault (REL-11)', () => {
      const quiet = sse(...neutral)
      expect(gateEveryWay(operation, quiet)).toMatchObject({ state: 'hold', frames: neutral.length })
      expect(gateEveryWay(operation, quiet, 'sse', true)).toMatchObject({ state: 'fault', error: null })
    })

    test('the first content commits, and so does a good end (REL-11)', () => {
      for (const decisive of [content, end]) {
        expect(gateEveryWay(operation, sse(...neutral, decisive))).toEqual({
          state: 'commit',
          error: null,
          firstData: true,
          frames: neutral.length + 1,
          openingLength: neutral.reduce((sum, frame) => sum + sse(frame).trimEnd().length, 0),
        })
      }
      expect(gateEveryWay(operation, sse(...neutral, content).replaceAll('\n', '\r\n')).state).toBe('commit')
    })

    test('an error before any content is a fault that says what went wrong; after it, none (REL-11)', () => {
      const fault = gateEveryWay(operation, sse(...neutral, error))
      expect(fault).toMatchObject({ state: 'fault', error: { message: 'busy' } })
      expect(fault.error?.status).toBeGreaterThanOrEqual(503)
      expect(gateEveryWay(operation, sse(content, error))).toMatchObject({ state: 'commit', error: null })
    })

    test('a frame counts when it is whole, at the end of the body also without a blank line (REL-11)', () => {
      const open = sse(content).trimEnd()
      expect(gateEveryWay(operation, open)).toMatchObject({ state: 'hold', frames: 0 })
      expect(gateEveryWay(operation, open, 'sse', true).state).toBe('commit')
      expect(gateEveryWay(operation, open.slice(0, -1), 'sse', true).state).toBe('fault')
    })
  })
}

describe('gates', () => {
  test('a page, text that is no stream and data that is no JSON are faults (REL-11)', () => {
    for (const operation of streaming) {
      expect(gateEveryWay(operation, '<!doctype html><html><body>502')).toMatchObject({ state: 'fault', error: null })
      expect(gateEveryWay(operation, 'upstream connect error\n\n').state).toBe('fault')
      expect(gateEveryWay(operation, 'upstream connect error', 'sse', true).state).toBe('fault')
      expect(gateEveryWay(operation, sse('data: {"half":')).state).toBe('fault')
      expect(gateEveryWay(operation, sse('data: 7')).state).toBe('fault')
      expect(gateEveryWay(operation, '', 'sse', true)).toMatchObject({ state: 'fault', frames: 0, firstData: false })
    }
  })

  test('a bare JSON error where a stream was promised is a fault with that error, whole or not yet ended (REL-11)', () => {
    const body = JSON.stringify({ error: { message: 'slow down', type: 'rate_limit_error' } }, null, 2)
    for (const operation of streaming) {
      const expected = { state: 'fault', error: { status: 429, message: 'slow down' } } as const
      expect(gateEveryWay(operation, body)).toMatchObject(expected)
      expect(gateEveryWay(operation, `\r\n${body}\n`, 'sse', true)).toMatchObject(expected)
      expect(gateEveryWay(operation, '{"id":"x","choices":[]}').state).toBe('fault')
    }
  })

  test('quirk 15: GPUStack’s `error:` field is an error (REL-11)', () => {
    const body = sse('error: {"detail":"x","error":{"message":"failed to decode"}}')
    expect(gateEveryWay(chat, body)).toMatchObject({ state: 'fault', error: { message: 'failed to decode' } })
  })

  test('`[DONE]` alone is an empty stream; after a role it is a good end (REL-11)', () => {
    expect(gateEveryWay(chat, sse('data: [DONE]'), 'sse', true).state).toBe('fault')
    expect(
      gateEveryWay(chat, sse({ data: { choices: [{ delta: { role: 'assistant' } }] } }, 'data: [DONE]')).state,
    ).toBe('commit')
  })

  test('whatever a vendor calls what its model made is content: reasoning, tool calls, refusals, audio, plain text (REL-11)', () => {
    const deltas = [
      { reasoning_content: 'hm' },
      { reasoning: 'hm' },
      { tool_calls: [{ index: 0 }] },
      { refusal: 'no' },
      { audio: { id: 'a' } },
      { content: [{ type: 'thinking' }] },
    ]
    for (const delta of deltas) expect(gateEveryWay(chat, sse({ data: { choices: [{ delta }] } })).state).toBe('commit')
    expect(gateEveryWay(completions, sse({ data: { choices: [{ text: 'x' }] } })).state).toBe('commit')
    expect(gateEveryWay(completions, sse({ data: { choices: [{ text: '' }] } })).state).toBe('hold')
  })

  test('response.failed is a fault with the response’s error, also behind an error event (REL-11)', () => {
    const failed = named({
      type: 'response.failed',
      response: { error: { code: 'rate_limit_exceeded', message: 'later' } },
    })
    expect(gateEveryWay(responses, sse(failed))).toMatchObject({
      state: 'fault',
      error: { status: 429, message: 'later' },
    })
    const without = named({ type: 'response.failed', response: {} })
    expect(gateEveryWay(responses, sse(without))).toMatchObject({ state: 'fault', error: { message: null } })
  })

  test('first data is no comment, no empty data, no ping and no `[DONE]` (REL-9)', () => {
    const nothing = [': hi', 'data:', 'event: ping', named({ type: 'ping' }), 'data: [DONE]', 'id: 4']
    expect(gateEveryWay(messages, sse(...nothing)).firstData).toBe(false)
    expect(gateEveryWay(messages, sse(...nothing, named({ type: 'message_start' })))).toMatchObject({
      state: 'hold',
      firstData: true,
    })
  })

  test('a first frame too large to wait for is judged by its beginning (REL-11)', () => {
    const created = named({ type: 'response.created', response: { instructions: 'i'.repeat(200_000) } })
    const delta = named({ type: 'response.output_text.delta', delta: 'x' })
    expect(gateEveryWay(responses, sse(created))).toMatchObject({ state: 'hold', firstData: true, frames: 1 })
    const openingLength = sse(created).trimEnd().length
    expect(gateEveryWay(responses, sse(created, delta))).toMatchObject({ state: 'commit', frames: 2, openingLength })
    const gate = PROTOCOLS['openai-responses'].gate(responses, 'sse')
    const large = bytesOf(sse(named({ type: 'response.output_text.delta', delta: 'x'.repeat(100_000) })))
    expect(gate.push(large.subarray(0, 60_000))).toBe('hold')
    expect(gate.push(large.subarray(60_000, 70_000))).toBe('commit')
  })

  test('a comment of a megabyte is no frame yet and decides nothing (REL-11)', () => {
    const gate = PROTOCOLS['openai-chat'].gate(chat, 'sse')
    for (let round = 0; round < 64; round++) expect(gate.push(bytesOf(`: ${'c'.repeat(16_384)}`))).toBe('hold')
    expect(gate.frames).toBe(0)
  })

  test('quirk 19: the elements of a JSON array are frames; an error in it or in its place is a fault (REL-11)', () => {
    const { neutral, content, error } = dialects.gemini
    const data = (...events: { data: object }[]) =>
      `[${events.map((event) => JSON.stringify(event.data, null, 2)).join('\n,\r\n')}`
    expect(gateEveryWay(gemini, data(...neutral), 'json-array')).toMatchObject({ state: 'hold', frames: 2 })
    expect(gateEveryWay(gemini, `${data(...neutral, content)},`, 'json-array')).toMatchObject({
      state: 'commit',
      frames: 3,
    })
    expect(gateEveryWay(gemini, `${data(error)}]`, 'json-array')).toMatchObject({
      state: 'fault',
      error: { status: 503 },
    })
    expect(gateEveryWay(gemini, JSON.stringify(error.data), 'json-array')).toMatchObject({
      state: 'fault',
      error: { status: 503 },
    })
    expect(gateEveryWay(gemini, '<html>', 'json-array').state).toBe('fault')
    expect(gateEveryWay(gemini, '[]', 'json-array', true).state).toBe('fault')
  })
})
