import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { readEveryWay, type SseEvent, sse } from '../../support/responses.ts'

const { stream_generate_content: stream, generate_content: generate, gemini_count_tokens: countTokens } = OPERATIONS
const ERROR = { error: { code: 499, message: 'The operation was cancelled.', status: 'CANCELLED' } }

function chunk(text: string, usageMetadata?: object, finishReason?: string): { data: Record<string, unknown> } {
  const candidates = [
    { content: { parts: [{ text }], role: 'model' }, ...(finishReason && { finishReason }), index: 0 },
  ]
  return {
    data: { candidates, ...(usageMetadata && { usageMetadata }), modelVersion: 'gemini-3-pro', responseId: 'r1' },
  }
}

function tokens(prompt: number, candidates?: number, thoughts?: number): object {
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: candidates,
    thoughtsTokenCount: thoughts,
    serviceTier: 'standard',
  }
}

function array(...chunks: SseEvent[]): string {
  const elements = chunks.map((one) => JSON.stringify((one as { data: unknown }).data, null, 2))
  return `[${elements.join('\n,\r\n')}\n]\n`
}

describe('meter of Gemini streams', () => {
  test('quirk 19: CRLF streams are read from their last chunk (REL-8)', () => {
    const body = sse(chunk('a', tokens(9, 1)), chunk('b', tokens(9, 5, 70)), chunk('c', tokens(9, 12, 80), 'STOP'))
    const reading = readEveryWay(stream, body.replaceAll('\n', '\r\n'))
    expect(reading).toEqual({
      final: 'completed',
      usage: { ...NO_USAGE, input: 9, output: 92, reasoning: 80 },
      usageCertainty: 'final',
      iterations: null,
      uplifts: [],
      model: 'gemini-3-pro',
      serviceTier: 'standard',
      responseId: 'r1',
      finishReason: 'STOP',
      error: null,
    })
    expect(readEveryWay(stream, body)).toEqual(reading)
  })

  test('quirk 22: the last usage wins as it is; turns are neither added nor merged (BIL-1)', () => {
    const body = sse(
      chunk('a', tokens(9, 20, 419)),
      chunk('b', tokens(9, 3, 28)),
      chunk('c', tokens(9, 122, 447), 'STOP'),
    )
    expect(readEveryWay(stream, body).usage).toMatchObject({ input: 9, output: 569, reasoning: 447 })
    expect(readEveryWay(stream, sse(chunk('a', tokens(9, 36)), chunk('b', tokens(9), 'STOP'))).usage).toMatchObject({
      output: 0,
    })
  })

  test('quirk 22: only the last chunk may have usage (Vertex), or none (REL-8)', () => {
    expect(readEveryWay(stream, sse(chunk('a'), chunk('b', tokens(9, 2), 'STOP'))).usage).toMatchObject({ output: 2 })
    expect(readEveryWay(stream, sse(chunk('a'), chunk('b', undefined, 'STOP')))).toMatchObject({
      final: 'completed',
      usage: null,
      usageCertainty: 'none',
    })
  })

  test('quirk 20: a bare, pretty-printed JSON error after the last event is an error, whatever came before (REL-11)', () => {
    const body = `${sse(chunk('First', tokens(9), 'STOP'))}${JSON.stringify(ERROR, null, 2)}`
    for (const text of [
      body,
      `${body}\n`,
      body.replaceAll('\n', '\r\n'),
      `${sse(chunk('x', tokens(9)))}data: ${JSON.stringify(ERROR)}\n\n`,
    ]) {
      expect(readEveryWay(stream, text)).toMatchObject({
        final: 'error',
        usage: { input: 9 },
        error: { type: 'CANCELLED', code: null, status: 499, message: 'The operation was cancelled.' },
      })
    }
  })

  test('quirk 23: a blocked prompt is blocked, with usage or without (REL-8)', () => {
    const blocked = { promptFeedback: { blockReason: 'SAFETY' } }
    expect(readEveryWay(stream, sse({ data: blocked }))).toMatchObject({
      final: 'blocked',
      finishReason: 'SAFETY',
      usage: null,
    })
    expect(readEveryWay(stream, sse({ data: { ...blocked, usageMetadata: tokens(9) } }))).toMatchObject({
      final: 'blocked',
      usage: { input: 9 },
      usageCertainty: 'final',
    })
  })

  test('a stream without a finishReason was cut; its usage is provisional (REL-13, BIL-9)', () => {
    expect(readEveryWay(stream, sse(chunk('a', tokens(15)), chunk('b', tokens(15, 4))))).toMatchObject({
      final: 'truncated',
      usageCertainty: 'provisional',
      usage: { input: 15, output: 4 },
    })
  })

  test('an image of any size in the last chunk hides neither its end nor its usage (REL-7)', () => {
    const image = { inlineData: { mimeType: 'image/png', data: 'A'.repeat(150_000) } }
    const candidates = [{ content: { parts: [image] }, finishReason: 'STOP' }]
    const body = sse(chunk('a'), { data: { candidates, usageMetadata: tokens(9, 1290), modelVersion: 'm' } })
    expect(readEveryWay(stream, body)).toMatchObject({ final: 'completed', model: 'm', usage: { output: 1290 } })
  })

  test('arguments of a function call that look like usage are none (BIL-1)', () => {
    const call = {
      functionCall: { name: 'f', args: { usageMetadata: { promptTokenCount: 9999, totalTokenCount: 9999 } } },
    }
    const candidates = [{ content: { parts: [call] }, finishReason: 'STOP' }]
    expect(readEveryWay(stream, sse({ data: { candidates } })).usage).toBeNull()
    expect(readEveryWay(generate, JSON.stringify({ candidates, x: 'x'.repeat(9000) }), 'json').usage).toBeNull()
  })
})

describe('meter of Gemini arrays and bodies', () => {
  const chunks = [chunk('a', tokens(9, 1)), chunk('b', tokens(9, 5)), chunk('c', tokens(9, 12), 'STOP')]

  test('quirk 19: without alt=sse the stream is one JSON array, pretty-printed or not (REL-8)', () => {
    for (const body of [array(...chunks), JSON.stringify(chunks.map((one) => one.data))]) {
      expect(readEveryWay(stream, body, 'json-array')).toMatchObject({
        final: 'completed',
        usage: { input: 9, output: 12 },
      })
      expect(readEveryWay(generate, body, 'json')).toMatchObject({
        final: 'completed',
        usage: { input: 9, output: 12 },
      })
    }
  })

  test('quirk 19: errors come in an array, too, or in its place (REL-11)', () => {
    for (const body of [JSON.stringify([ERROR], null, 2), JSON.stringify(ERROR), array(chunks[0]!, { data: ERROR })]) {
      expect(readEveryWay(stream, body, 'json-array')).toMatchObject({ final: 'error', error: { status: 499 } })
    }
  })

  test('an array that broke off gives what its whole elements said (REL-13)', () => {
    const body = array(...chunks)
    const cuts = [
      body.lastIndexOf('STOP'),
      body.lastIndexOf('"candidatesTokenCount"'),
      body.lastIndexOf('\n,'),
      body.lastIndexOf('{\n  "candidates"'),
    ]
    for (const cut of cuts) {
      expect(readEveryWay(stream, body.slice(0, cut), 'json-array')).toMatchObject({
        final: 'truncated',
        usage: { input: 9, output: 5 },
        usageCertainty: 'provisional',
      })
    }
  })

  test('an array longer than all that is kept is read at its end, whole or broken off (REL-7)', () => {
    const long = Array.from({ length: 300 }, (_, at) => chunk('word '.repeat(60), tokens(9, at)))
    expect(readEveryWay(stream, array(...long, ...chunks), 'json-array')).toMatchObject({
      final: 'completed',
      usage: { output: 12 },
    })
    const cut = array(...long).slice(0, -60)
    expect(readEveryWay(stream, cut, 'json-array')).toMatchObject({ final: 'truncated', usage: { output: 298 } })
  })

  test('a body is complete with its usage, an error in a 200 is an error (REL-17, REL-11)', () => {
    const body = JSON.stringify(chunk('x'.repeat(20_000), tokens(9, 12), 'MAX_TOKENS').data)
    expect(readEveryWay(generate, body, 'json')).toMatchObject({
      final: 'completed',
      finishReason: 'MAX_TOKENS',
      usageCertainty: 'final',
      usage: { input: 9, output: 12 },
      model: 'gemini-3-pro',
    })
    expect(readEveryWay(generate, JSON.stringify(ERROR), 'json')).toMatchObject({
      final: 'error',
      error: { status: 499 },
    })
  })

  test('counting tokens costs none (BIL-1)', () => {
    expect(readEveryWay(countTokens, '{"totalTokens":8}', 'json')).toMatchObject({ final: 'completed', usage: null })
  })
})
