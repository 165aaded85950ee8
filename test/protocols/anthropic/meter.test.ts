import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { named, readEveryWay, type SseEvent, sse } from '../../support/responses.ts'

const { messages, count_tokens: countTokens } = OPERATIONS
const STOP = named({ type: 'message_stop' })
const PING = named({ type: 'ping' })

function start(
  usage: object = { input_tokens: 25, output_tokens: 1 },
  model = 'claude-sonnet-4-6',
  id = 'msg_1',
): SseEvent {
  return named({ type: 'message_start', message: { id, type: 'message', model, content: [], usage } })
}

function text(words: string): SseEvent {
  return named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: words } })
}

function delta(usage: object | null, stop: string | null = 'end_turn'): SseEvent {
  return named({ type: 'message_delta', delta: { stop_reason: stop }, ...(usage && { usage }) })
}

describe('meter of Messages streams', () => {
  test('a stream is read from its first and its last events (REL-8)', () => {
    const stream = sse(
      start(),
      PING,
      ...Array.from({ length: 200 }, () => text('Hello '.repeat(10))),
      delta({ output_tokens: 40 }),
      STOP,
    )
    expect(readEveryWay(messages, stream)).toEqual({
      final: 'completed',
      usage: { ...NO_USAGE, input: 25, output: 40 },
      usageCertainty: 'final',
      iterations: null,
      uplifts: [],
      model: 'claude-sonnet-4-6',
      serviceTier: null,
      responseId: 'msg_1',
      finishReason: 'end_turn',
      error: null,
    })
  })

  test('quirk 1: every non-null key of message_delta overrides the first guess, input and cache included (REL-8)', () => {
    const first = { input_tokens: 1051, output_tokens: 3, cache_read_input_tokens: 10, cache_creation_input_tokens: 77 }
    const last = {
      input_tokens: 4727,
      output_tokens: 88,
      cache_read_input_tokens: 600,
      cache_creation_input_tokens: null,
    }
    const { usage } = readEveryWay(messages, sse(start(first), text('x'), delta(last), STOP))
    expect(usage).toEqual({ ...NO_USAGE, input: 4727, output: 88, cacheRead: 600, cacheWrite5m: 77 })
  })

  test('quirk 2: the split of the beginning holds for the total of the end (BIL-1)', () => {
    const first = {
      input_tokens: 5,
      cache_creation_input_tokens: 3068,
      cache_creation: { ephemeral_5m_input_tokens: 2068, ephemeral_1h_input_tokens: 1000 },
    }
    const last = { output_tokens: 9, cache_creation_input_tokens: 3337 }
    const { usage } = readEveryWay(messages, sse(start(first), delta(last), STOP))
    expect(usage).toEqual({ ...NO_USAGE, input: 5, output: 9, cacheWrite5m: 2337, cacheWrite1h: 1000 })
  })

  test('quirk 3: a compaction in iterations is billed beside the answer (BIL-1)', () => {
    const iterations = [
      { type: 'compaction', input_tokens: 60_385, output_tokens: 592 },
      { type: 'message', input_tokens: 682, output_tokens: 1320 },
    ]
    const reading = readEveryWay(
      messages,
      sse(start(), delta({ input_tokens: 682, output_tokens: 1320, iterations }), STOP),
    )
    expect(reading.usage).toMatchObject({ input: 682, output: 1320 })
    expect(reading.iterations?.map((call) => call.usage.input)).toEqual([60_385, 682])
  })

  test('quirk 3: after a fallback the tokens are those of the model that answered (BIL-1)', () => {
    const block = { type: 'fallback', from: { model: 'claude-opus-4-7' }, to: { model: 'claude-sonnet-4-5' } }
    const fallback = named({ type: 'content_block_start', index: 0, content_block: block })
    const stream = sse(start(undefined, 'claude-opus-4-7'), fallback, text('x'), delta({ output_tokens: 8 }), STOP)
    const reading = readEveryWay(messages, stream)
    expect(reading.model).toBe('claude-opus-4-7')
    expect(reading.iterations).toEqual([{ model: 'claude-sonnet-4-5', usage: { ...NO_USAGE, input: 25, output: 8 } }])
  })

  test('place and speed of the beginning hold to the end, and the end may correct them (BIL-4)', () => {
    const first = { input_tokens: 5, inference_geo: 'us', speed: 'fast' }
    const last = (said: object) => readEveryWay(messages, sse(start(first), delta({ output_tokens: 9, ...said }), STOP))
    expect(last({}).uplifts).toEqual(['us', 'fast'])
    expect(last({ speed: 'standard' }).uplifts).toEqual(['us'])
  })

  test('quirk 4: old streams have no input in the delta, new ones have all and thinking tokens (BIL-1)', () => {
    expect(readEveryWay(messages, sse(start(), delta({ output_tokens: 8 }), STOP)).usage).toMatchObject({
      input: 25,
      output: 8,
    })
    const all = { input_tokens: 25, output_tokens: 90, output_tokens_details: { thinking_tokens: 47 } }
    expect(readEveryWay(messages, sse(start(), delta(all), STOP)).usage).toMatchObject({ output: 90, reasoning: 47 })
  })

  test('quirk 5: padding blanks, pings anywhere and missing `event:` lines change nothing (REL-8)', () => {
    const plain = sse(start(), text('x'), delta({ output_tokens: 8 }), STOP)
    const expected = readEveryWay(messages, plain)
    expect(expected.final).toBe('completed')
    expect(readEveryWay(messages, plain.replaceAll('}\n\n', '}     \n\n'))).toEqual(expected)
    expect(readEveryWay(messages, plain.replaceAll(/event: .*\n/g, ''))).toEqual(expected)
    expect(
      readEveryWay(messages, sse(PING, start(), PING, text('x'), PING, delta({ output_tokens: 8 }), PING, STOP, PING)),
    ).toEqual(expected)
    expect(readEveryWay(messages, `: ok\n\n${plain.replaceAll('\n', '\r\n')}`)).toEqual(expected)
  })

  test('quirk 5: message_start twice, also with another id, is one response, counted once (REL-8)', () => {
    const again = start({ input_tokens: 25, output_tokens: 1 }, 'relayed-model', 'msg_2')
    const reading = readEveryWay(messages, sse(start(), again, text('x'), delta({ output_tokens: 8 }), STOP))
    expect(reading).toMatchObject({ responseId: 'msg_1', model: 'claude-sonnet-4-6', usage: { input: 25, output: 8 } })
  })

  test('a stream that is cut has measured its input: its usage is provisional (BIL-9)', () => {
    const open = sse(start({ input_tokens: 721, output_tokens: 4 }), text('x'), text('y'))
    for (const body of [open, open.slice(0, -30)]) {
      expect(readEveryWay(messages, body)).toMatchObject({
        final: 'truncated',
        usageCertainty: 'provisional',
        usage: { input: 721, output: 4 },
      })
    }
  })

  test('without message_stop a stream was cut, though its bill is closed (REL-13)', () => {
    const reading = readEveryWay(messages, sse(start(), text('x'), delta({ output_tokens: 8 })))
    expect(reading).toMatchObject({ final: 'truncated', usageCertainty: 'final', finishReason: 'end_turn' })
  })

  test('an error event is an error, with or without its `event:` line (REL-11)', () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    for (const last of [named(error), { data: error }]) {
      expect(readEveryWay(messages, sse(start(), text('x'), last))).toMatchObject({
        final: 'error',
        error: { type: 'overloaded_error', code: null, status: 529, message: 'Overloaded' },
        usage: { input: 25 },
        usageCertainty: 'provisional',
      })
    }
  })

  test('search results of 100 kB in one event neither hide the end nor are kept (REL-7)', () => {
    const results = named({
      type: 'content_block_start',
      content_block: { type: 'web_search_tool_result', content: 'r'.repeat(100_000) },
    })
    const last = delta({ output_tokens: 8, server_tool_use: { web_search_requests: 3 } })
    expect(readEveryWay(messages, sse(start(), results, text('x'), last, STOP)).usage).toMatchObject({
      input: 25,
      webSearches: 3,
    })
    expect(readEveryWay(messages, sse(start(), results)).usage).toMatchObject({ input: 25 })
  })
})

describe('meter of Messages bodies', () => {
  const answer = {
    id: 'msg_1',
    type: 'message',
    model: 'claude-sonnet-4-6',
    content: [{ type: 'tool_use', input: { usage: { input_tokens: 9999, output_tokens: 9999 } } }],
    stop_reason: 'tool_use',
    usage: { input_tokens: 12, output_tokens: 30, service_tier: 'standard' },
  }

  test('a tool call that looks like usage is none, in a short body and in a long one (BIL-1)', () => {
    for (const more of [0, 30_000]) {
      const { usage: billed, ...rest } = answer
      const body = { ...rest, content: [{ text: 'x'.repeat(more) }, ...answer.content], usage: billed }
      expect(readEveryWay(messages, JSON.stringify(body), 'json')).toMatchObject({
        final: 'completed',
        usage: { input: 12, output: 30 },
        usageCertainty: 'final',
        serviceTier: 'standard',
        finishReason: 'tool_use',
        responseId: 'msg_1',
      })
    }
  })

  test('an error body inside a 200 is an error (REL-11)', () => {
    const body = JSON.stringify({ type: 'error', error: { type: 'api_error', message: 'no' }, request_id: 'r' })
    expect(readEveryWay(messages, body, 'json')).toMatchObject({
      final: 'error',
      error: { status: 500, message: 'no' },
    })
  })

  test('counting tokens costs none: its numbers are no usage (BIL-1)', () => {
    expect(readEveryWay(countTokens, '{"input_tokens":1114}', 'json')).toMatchObject({
      final: 'completed',
      usage: null,
    })
  })
})
