import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { readEveryWay, type SseEvent, sse } from '../../support/responses.ts'

const { chat_completions: chat, completions, embeddings } = OPERATIONS
const usage = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 }
const DONE: SseEvent = 'data: [DONE]'

function chunk(delta: object, finish: string | null = null, extra: object = {}): SseEvent {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  return { data: { id: 'chatcmpl-1', object: 'chat.completion.chunk', model: 'gpt-5', choices, ...extra } }
}

function closing(extra: object): SseEvent {
  return { data: { id: 'chatcmpl-1', model: 'gpt-5', choices: [], ...extra } }
}

describe('meter of chat streams', () => {
  test('the usage chunk with empty choices is the bill (quirk 13, REL-8)', () => {
    const stream = sse(
      chunk({ role: 'assistant' }),
      chunk({ content: 'Hi' }),
      chunk({}, 'stop'),
      closing({ usage }),
      DONE,
    )
    expect(readEveryWay(chat, stream)).toEqual({
      final: 'completed',
      usage: { ...NO_USAGE, input: 10, output: 20 },
      usageCertainty: 'final',
      iterations: null,
      uplifts: [],
      model: 'gpt-5',
      serviceTier: null,
      responseId: 'chatcmpl-1',
      finishReason: 'stop',
      error: null,
    })
  })

  test('quirk 13: usage on the chunk with the finish_reason, on one after it that has a choice, with `usage: null` around (REL-8)', () => {
    const streams = [
      sse(chunk({ content: 'x' }, null, { usage: null }), chunk({}, 'stop', { usage }), DONE),
      sse(chunk({}, 'stop', { usage: null }), chunk({ content: '' }, null, { usage }), DONE),
      sse(chunk({}, 'stop', { usage }), closing({ usage: null }), DONE),
    ]
    for (const stream of streams) expect(readEveryWay(chat, stream).usage).toMatchObject({ input: 10, output: 20 })
  })

  test('quirk 13: of cumulative usage in every chunk the last wins, nothing is added (REL-8)', () => {
    const growing = [1, 2, 3].map((count) =>
      chunk({ content: 'x' }, null, { usage: { ...usage, completion_tokens: count } }),
    )
    const reading = readEveryWay(chat, sse(...growing, chunk({}, 'stop', { usage }), DONE))
    expect(reading.usage).toMatchObject({ input: 10, output: 20 })
  })

  test('quirk 13: an empty usage object after the bill does not undo it (REL-8)', () => {
    expect(readEveryWay(chat, sse(chunk({}, 'stop', { usage }), closing({ usage: {} }), DONE)).usage).toMatchObject({
      output: 20,
    })
  })

  test('quirk 13: `x_groq.usage` counts where no other is, a choice’s usage too (REL-8)', () => {
    expect(readEveryWay(chat, sse(chunk({}, 'stop', { x_groq: { id: 'r', usage } }), DONE)).usage).toMatchObject({
      output: 20,
    })
    const moonshot: SseEvent = { data: { choices: [{ delta: {}, finish_reason: 'stop', usage }] } }
    expect(readEveryWay(chat, sse(moonshot, DONE)).usage).toMatchObject({ output: 20 })
  })

  test('quirk 14: a stream is complete with a finish_reason or `[DONE]`, else it was cut (REL-13)', () => {
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }), chunk({}, 'length'))).final).toBe('completed')
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }), DONE)).final).toBe('completed')
    expect(readEveryWay(chat, sse(chunk({ role: 'assistant' }), chunk({ content: 'x' }))).final).toBe('truncated')
    expect(readEveryWay(chat, '').final).toBe('truncated')
  })

  test('usage seen in a stream that was cut is provisional, unless it was the closing chunk (BIL-9)', () => {
    const cut = readEveryWay(chat, sse(chunk({ content: 'x' }, null, { usage })))
    expect(cut).toMatchObject({ final: 'truncated', usageCertainty: 'provisional', usage: { output: 20 } })
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }), closing({ usage }))).usageCertainty).toBe('final')
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }))).usageCertainty).toBe('none')
  })

  test('quirk 15: an error in a chunk is an error, with the status that it names (REL-11)', () => {
    const error = { message: 'bad call', type: 'invalid_request_error', code: 'tool_use_failed', status_code: 400 }
    const reading = readEveryWay(chat, sse(chunk({ content: 'x' }), { event: 'error', data: { error } }, DONE))
    expect(reading.final).toBe('error')
    expect(reading.error).toEqual({
      type: 'invalid_request_error',
      code: 'tool_use_failed',
      status: 400,
      message: 'bad call',
    })
  })

  test('quirk 15: the SSE field `error:` is an error, JSON or not (REL-11)', () => {
    const reading = readEveryWay(chat, sse(chunk({ content: 'x' }), 'error: {"error":{"message":"failed to decode"}}'))
    expect(reading).toMatchObject({ final: 'error', error: { message: 'failed to decode' } })
    expect(readEveryWay(chat, 'event: error\ndata: {"error":{"mess').final).toBe('truncated')
    expect(readEveryWay(chat, sse('error: out of memory'))).toMatchObject({
      final: 'error',
      error: { message: 'out of memory' },
    })
  })

  test('an error after a finish_reason does not undo a complete answer; `finish_reason: error` is none (REL-13)', () => {
    const late = {
      data: {
        error: { code: 400, message: 'Token limit reached' },
        choices: [{ delta: {}, finish_reason: null }],
        usage,
      },
    }
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }, 'length'), late, DONE))).toMatchObject({
      final: 'completed',
      error: null,
    })
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }), chunk({}, 'error'), DONE)).final).toBe('error')
  })

  test('bare JSON with an error where a stream was promised is an error (REL-11)', () => {
    const reading = readEveryWay(chat, '{\n  "error": {"message": "busy", "type": "overloaded_error"}\n}')
    expect(reading).toMatchObject({ final: 'error', error: { status: 529, message: 'busy' } })
  })

  test('quirk 16: Azure’s first chunk is no usage chunk; of changing ids the first counts (REL-8)', () => {
    const filter: SseEvent = { data: { choices: [], id: '', model: '', prompt_filter_results: [{}] } }
    const stub: SseEvent = { data: { id: 'stub', model: 'gpt-5', choices: [], x_groq: { usage } } }
    const reading = readEveryWay(chat, sse(filter, chunk({ content: 'x' }), chunk({}, 'stop'), stub, DONE))
    expect(reading).toMatchObject({ model: 'gpt-5', responseId: 'chatcmpl-1', usage: { input: 10 } })
  })

  test('quirk 17: comments, CRLF, no space after `data:`, a byte order mark and no last blank line change nothing (REL-8)', () => {
    const plain = sse(': OPENROUTER PROCESSING', chunk({ content: 'x' }), ': ping', chunk({}, 'stop', { usage }), DONE)
    const expected = readEveryWay(chat, plain)
    expect(expected.usage).toMatchObject({ output: 20 })
    expect(readEveryWay(chat, plain.replaceAll('\n', '\r\n'))).toEqual(expected)
    expect(readEveryWay(chat, plain.replaceAll('data: ', 'data:'))).toEqual(expected)
    expect(readEveryWay(chat, `\uFEFF${plain}`)).toEqual(expected)
    expect(readEveryWay(chat, sse(chunk({ content: 'x' }), chunk({}, 'stop', { usage })).trimEnd()).usage).toEqual(
      expected.usage,
    )
  })

  test('the last usage counts however long the stream was and however large its events are (REL-7, REL-8)', () => {
    const text = Array.from({ length: 100 }, () => chunk({ content: 'Straße 🚲 '.repeat(20) }))
    const results = 'r'.repeat(9000)
    const perplexity: SseEvent = {
      data: {
        id: 'p',
        model: 'sonar',
        usage,
        search_results: results,
        choices: [{ finish_reason: 'stop', message: results, delta: {} }],
      },
    }
    const reading = readEveryWay(chat, sse(...text, perplexity))
    expect(reading).toMatchObject({
      final: 'completed',
      finishReason: 'stop',
      model: 'sonar',
      usage: { input: 10, output: 20 },
    })
  })

  test('an event larger than all that is kept gives what stands at its beginning and at its end (REL-7)', () => {
    const image = 'A'.repeat(200_000)
    const reading = readEveryWay(
      chat,
      sse(
        {
          data: {
            id: 'c',
            model: 'm',
            usage,
            choices: [{ delta: { images: [{ url: image }] }, finish_reason: 'stop' }],
          },
        },
        DONE,
      ),
    )
    expect(reading).toMatchObject({
      final: 'completed',
      finishReason: 'stop',
      model: 'm',
      responseId: 'c',
      usage: { output: 20 },
    })
  })

  test('text in an answer that looks like usage is none (BIL-1)', () => {
    const trap = '"usage":{"prompt_tokens":9999,"completion_tokens":9999}'
    const reading = readEveryWay(
      chat,
      sse(chunk({ content: trap }), chunk({}, 'stop', { usage }), chunk({ content: trap }), DONE),
    )
    expect(reading.usage).toMatchObject({ input: 10, output: 20 })
  })

  test('the tier is the one that the answer names (BIL-4)', () => {
    const reading = readEveryWay(chat, sse(chunk({ content: 'x' }, 'stop', { service_tier: 'priority', usage }), DONE))
    expect(reading.serviceTier).toBe('priority')
  })
})

describe('meter of chat bodies', () => {
  const answer = {
    id: 'chatcmpl-2',
    model: 'gpt-5',
    choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
    usage,
  }

  test('a body is complete, with its usage, in any key order and layout (REL-17)', () => {
    const backwards = Object.fromEntries(Object.entries(answer).reverse())
    for (const body of [JSON.stringify(answer), JSON.stringify(answer, null, 2), `${JSON.stringify(backwards)}\n`]) {
      expect(readEveryWay(chat, body, 'json')).toMatchObject({
        final: 'completed',
        finishReason: 'stop',
        model: 'gpt-5',
        responseId: 'chatcmpl-2',
        usageCertainty: 'final',
        usage: { input: 10, output: 20 },
      })
    }
  })

  test('of a long body the usage is found at either end, and in the middle of one up to 64 kB (REL-17)', () => {
    const filler = 'f'.repeat(20_000)
    for (const body of [
      { x: filler, ...answer },
      { ...answer, x: filler },
      { x: filler, ...answer, y: filler },
    ]) {
      expect(readEveryWay(chat, JSON.stringify(body), 'json').usage).toMatchObject({ input: 10, output: 20 })
    }
  })

  test('the fast reading of a body is the same as parsing it (REL-17)', () => {
    const long = { ...answer, choices: [{ message: { content: 'x"usage":{'.repeat(3000) }, finish_reason: 'length' }] }
    const body = JSON.stringify(long)
    const parsed = readEveryWay(chat, JSON.stringify({ ...long, choices: [{ finish_reason: 'length' }] }), 'json')
    expect(readEveryWay(chat, body, 'json')).toEqual(parsed)
  })

  test('a body is not parsed where its two ends suffice: what is between them may be anything (REL-17)', () => {
    const [before, after] = JSON.stringify({ ...answer, choices: ['#'] }).split('"#"')
    const body = `${before}"${'x'.repeat(3000)}", this is no JSON, "${'x'.repeat(3000)}"${after}`
    expect(() => JSON.parse(body)).toThrow()
    expect(readEveryWay(chat, body, 'json')).toMatchObject({ final: 'completed', model: 'gpt-5', usage: { input: 10 } })
  })

  test('of embeddings longer than all that is kept the usage is found (REL-17)', () => {
    const vector = Array.from({ length: 10_000 }, (_, at) => at / 7)
    const body = JSON.stringify({
      object: 'list',
      data: [{ embedding: vector }],
      model: 'e-3',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    })
    expect(readEveryWay(embeddings, body, 'json')).toMatchObject({
      final: 'completed',
      model: 'e-3',
      usage: { ...NO_USAGE, input: 8 },
    })
  })

  test('quirk 15: an error as a whole 200 body is an error (REL-11)', () => {
    const body = JSON.stringify({ error: { message: 'filtered', type: null, code: 'content_filter', status: 400 } })
    expect(readEveryWay(completions, body, 'json')).toMatchObject({
      final: 'error',
      usage: null,
      error: { type: null, code: 'content_filter', status: 400, message: 'filtered' },
    })
  })

  test('a body that broke off, a page and nothing are not complete (REL-13)', () => {
    for (const body of [JSON.stringify(answer).slice(0, -20), '<html>busy</html>', '']) {
      expect(readEveryWay(chat, body, 'json')).toMatchObject({ final: 'truncated', usage: null })
    }
  })
})
