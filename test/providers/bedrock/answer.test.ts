import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { PROTOCOLS } from '../../../src/protocols/table.ts'
import { createMessagesStream, retellCount, retellMessage } from '../../../src/providers/bedrock/answer.ts'
import { chunk, exception, message } from '../../support/event-stream.ts'
import { readEveryWay } from '../../support/responses.ts'
import { feed, pieceLengths } from '../../support/split.ts'
import { readMessages } from '../../support/strict-messages.ts'

const START =
  '{"type":"message_start","message":{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-x",' +
  '"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":1}}}'
const BLOCK = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
const delta = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
const CLOSE = '{"type":"content_block_stop","index":0}'
const END =
  '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":130}}'
const METRICS = { inputTokenCount: 12, outputTokenCount: 98, invocationLatency: 3042, firstByteLatency: 791 }
const STOP = { type: 'message_stop', 'amazon-bedrock-invocationMetrics': METRICS }
const GOOD = Buffer.concat([START, BLOCK, delta('Grüße, 🐇'), CLOSE, END, STOP].map(chunk))

const told = (bytes: Uint8Array, lengths: readonly number[] = [bytes.length]) =>
  feed(createMessagesStream('claude-x'), bytes, lengths).toString()
const readingOf = (sse: string) => readEveryWay(OPERATIONS.messages, sse)

describe('a stream of Bedrock’s for a client of Messages', () => {
  test('each chunk is one named event, as the model spelled it; Bedrock’s measurements stay here (ACC-16, quirk 24)', () => {
    expect(told(GOOD)).toBe(
      [
        `event: message_start\ndata: ${START}`,
        `event: content_block_start\ndata: ${BLOCK}`,
        `event: content_block_delta\ndata: ${JSON.stringify(delta('Grüße, 🐇'))}`,
        `event: content_block_stop\ndata: ${CLOSE}`,
        `event: message_delta\ndata: ${END}`,
        'event: message_stop\ndata: {"type":"message_stop"}',
        '',
      ].join('\n\n'),
    )
  })

  test('the same comes out however the bytes are split, and an SDK can read it (ACC-16, REL-7)', () => {
    const whole = told(GOOD)
    expect(readMessages(whole).message.content[0]?.text).toBe('Grüße, 🐇')
    fc.assert(
      fc.property(pieceLengths, (lengths) => expect(told(GOOD, lengths)).toBe(whole)),
      { numRuns: 50 },
    )
  })

  test('the model’s own usage counts, not the measurements that disagree (BIL-1, quirk 24)', () => {
    const { usage, final, usageCertainty } = readingOf(told(GOOD))
    expect([usage?.input, usage?.output, final, usageCertainty]).toEqual([12, 130, 'completed', 'final'])
  })

  test('a frame that is whole leaves at once (REL-7)', () => {
    const stream = createMessagesStream('m')
    const frame = chunk(BLOCK)
    expect(stream.push(frame.subarray(0, -1))).toHaveLength(0)
    expect(Buffer.from(stream.push(frame.subarray(-1))).toString()).toBe(
      `event: content_block_start\ndata: ${BLOCK}\n\n`,
    )
  })

  test('words about Bedrock in a text are text, and line ends between members do not cut an event (REL-7)', () => {
    const about = JSON.stringify(delta('"amazon-bedrock-invocationMetrics": a key'))
    expect(told(chunk(about))).toBe(`event: content_block_delta\ndata: ${about}\n\n`)
    expect(told(chunk('{\n"type":"ping"\r\n}'))).toBe('event: ping\ndata: { "type":"ping" }\n\n')
  })

  test.each([
    ['throttlingException', 'rate_limit_error', 429],
    ['serviceUnavailableException', 'overloaded_error', 529],
    ['modelStreamErrorException', 'api_error', 500],
    ['modelTimeoutException', 'timeout_error', 504],
    ['internalServerException', 'api_error', 500],
    ['validationException', 'invalid_request_error', 400],
  ])('%s within a stream ends it as Anthropic’s %s (REL-12, REL-13)', (kind, type, status) => {
    const sse = told(Buffer.concat([chunk(START), exception(kind, 'arn:aws:iam::123456789012:user/x has no luck')]))
    expect(readMessages(sse).error).toEqual({ type, message: 'arn:… has no luck' })
    const reading = readingOf(sse)
    expect([reading.final, reading.error?.status]).toEqual(['error', status])
  })

  test('an unmodelled error frame is an error too; frames of other kinds say nothing (ACC-16)', () => {
    const bytes = message({ ':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'oh' })
    expect(readMessages(told(bytes)).error).toEqual({ type: 'api_error', message: 'oh' })
    expect(told(message({ ':message-type': 'event', ':event-type': 'initial-response' }, '{}'))).toBe('')
  })

  test('damage ends it, what was sound before it is given out; so does an end within a frame (REL-13)', () => {
    const stream = createMessagesStream('m')
    const bad = Buffer.from(chunk(BLOCK))
    bad[20]! ^= 1
    expect(Buffer.from(stream.push(Buffer.concat([chunk(START), bad]))).toString()).toBe(
      `event: message_start\ndata: ${START}\n\n`,
    )
    expect(stream.damage?.message).toMatch(/checksum/)
    expect([stream.push(chunk(CLOSE)), stream.end()].map((bytes) => bytes.length)).toEqual([0, 0])
    expect(damageOf(GOOD)).toBeNull()
    expect(damageOf(GOOD.subarray(0, -3))).toMatch(/within a message/)
    expect(damageOf(message({ ':message-type': 'event', ':event-type': 'chunk' }, '{}'))).toMatch(/no bytes/)
  })
})

function damageOf(bytes: Uint8Array): string | null {
  const stream = createMessagesStream('m')
  feed(stream, bytes, [50])
  return stream.damage?.message ?? null
}

describe('a guardrail that steps in', () => {
  test('the model’s events with its mark on them are blocked, and nothing but the mark is added (quirk 24)', () => {
    const marked = { ...STOP, 'amazon-bedrock-guardrailAction': 'INTERVENED', 'amazon-bedrock-trace': { secret: 1 } }
    const sse = told(Buffer.concat([START, BLOCK, delta('Sorry.'), CLOSE, END, marked].map(chunk)))
    expect(sse).toEndWith('data: {"type":"message_stop","amazon-bedrock-guardrailAction":"INTERVENED"}\n\n')
    expect(readMessages(sse).message.stop_reason).toBe('end_turn')
    expect(readingOf(sse)).toMatchObject({ final: 'blocked', usageCertainty: 'final', usage: { output: 130 } })
  })

  test('one that steps in without a verdict leaves the answer completed (quirk 24)', () => {
    const passed = { ...STOP, 'amazon-bedrock-guardrailAction': 'NONE' }
    expect(readingOf(told(Buffer.concat([START, BLOCK, CLOSE, END, passed].map(chunk)))).final).toBe('completed')
  })

  const BLOCKED = {
    outputText: 'Not allowed here.',
    inputTextTokenCount: 9,
    totalOutputTextTokenCount: 4,
    'amazon-bedrock-guardrailAction': 'INTERVENED',
  }
  test('its one chunk without a stop event becomes a whole answer with its own counts (quirk 24)', () => {
    const sse = told(chunk(BLOCKED))
    const { message } = readMessages(sse)
    expect(message).toMatchObject({
      model: 'claude-x',
      stop_reason: 'refusal',
      content: [{ text: 'Not allowed here.' }],
    })
    expect(readingOf(sse)).toMatchObject({ final: 'blocked', usage: { input: 9, output: 4 }, usageCertainty: 'final' })
  })

  test('in the middle of a block it closes what is open (quirk 24)', () => {
    const sse = told(Buffer.concat([START, BLOCK, delta('So'), BLOCKED].map(chunk)))
    const content = [{ text: 'So' }, { text: 'Not allowed here.' }]
    expect(readMessages(sse).message).toMatchObject({ stop_reason: 'refusal', content })
    expect(readingOf(sse)).toMatchObject({ final: 'blocked', usage: { input: 9, output: 4 } })
  })
})

describe('a stream of another maker’s model', () => {
  const frame = (name: string, payload: object) =>
    message({ ':message-type': 'event', ':event-type': name }, JSON.stringify(payload))
  const usage = { inputTokens: 9, outputTokens: 5, cacheReadInputTokens: 3, cacheWriteInputTokens: 2 }
  const delta = (contentBlockIndex: number, body: object) =>
    frame('contentBlockDelta', { contentBlockIndex, delta: body })
  const stop = (contentBlockIndex: number) => frame('contentBlockStop', { contentBlockIndex })

  test('Converse: thinking, words and tools in their blocks, the usage of its metadata (ACC-16, BIL-1)', () => {
    const toolUse = { toolUseId: 'tool_1', name: 'weather' }
    const frames = [
      frame('messageStart', { role: 'assistant', p: 'abc' }),
      delta(0, { reasoningContent: { text: 'Hm.' } }),
      delta(0, { reasoningContent: { signature: 'c2ln' } }),
      stop(0),
      delta(1, { reasoningContent: { redactedContent: 'cmVk' } }),
      stop(1),
      delta(2, { text: 'Hel' }),
      delta(2, { text: 'lo' }),
      stop(2),
      frame('contentBlockStart', { contentBlockIndex: 5, start: { toolUse } }),
      delta(5, { toolUse: { input: '{"a":' } }),
      delta(5, { toolUse: { input: '1}' } }),
      stop(5),
      frame('messageStop', { stopReason: 'tool_use' }),
      frame('metadata', { usage, metrics: { latencyMs: 1 } }),
    ]
    const sse = told(Buffer.concat(frames))
    expect(readMessages(sse).message).toMatchObject({
      model: 'claude-x',
      stop_reason: 'tool_use',
      content: [
        { type: 'thinking' },
        { type: 'redacted_thinking', data: 'cmVk' },
        { type: 'text', text: 'Hello' },
        { type: 'tool_use', id: 'tool_1', name: 'weather', json: '{"a":1}' },
      ],
    })
    expect(sse).toContain('{"type":"thinking_delta","thinking":"Hm."}')
    expect(sse).toContain('{"type":"signature_delta","signature":"c2ln"}')
    const counted = { input: 9, output: 5, cacheRead: 3, cacheWrite5m: 2 }
    expect(readingOf(sse)).toMatchObject({ final: 'completed', usage: counted, usageCertainty: 'final' })
  })

  test('Converse stopped by a guardrail is blocked (quirk 24)', () => {
    const frames = [frame('messageStart', {}), frame('messageStop', { stopReason: 'guardrail_intervened' })]
    const sse = told(Buffer.concat([...frames, frame('metadata', { usage })]))
    expect(readMessages(sse).message.stop_reason).toBe('refusal')
    expect(readingOf(sse)).toMatchObject({ final: 'blocked', usage: { input: 9, output: 5 } })
  })

  test.each([
    [
      { outputText: 'Hi', completionReason: 'LENGTH', inputTextTokenCount: 5, totalOutputTextTokenCount: 10 },
      'max_tokens',
    ],
    [{ generation: 'Hi', stop_reason: 'stop', prompt_token_count: 5, generation_token_count: 10 }, 'end_turn'],
  ])('%j: text, reason and counts (ACC-16, BIL-1)', (event, reason) => {
    const sse = told(chunk(event))
    expect(readMessages(sse).message).toMatchObject({ stop_reason: reason, content: [{ text: 'Hi' }] })
    expect(readingOf(sse)).toMatchObject({ final: 'completed', usage: { input: 5, output: 10 } })
  })

  test('one that breaks off before it has stopped is not closed for it (REL-13)', () => {
    const sse = told(Buffer.concat([frame('messageStart', {}), delta(0, { text: 'Hel' })]))
    expect(readingOf(sse).final).toBe('truncated')
  })
})

describe('answers that are no stream', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  test('a message passes untouched, but for what Bedrock added (REL-17, quirk 24)', () => {
    const plain = bytes('{"type":"message", "content":[], "usage":{"input_tokens":1,"output_tokens":2}}')
    expect(retellMessage(plain)).toBe(plain)
    const blocked =
      '{"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":2},' +
      '"amazon-bedrock-guardrailAction":"INTERVENED","amazon-bedrock-trace":{}}'
    const body = Buffer.from(retellMessage(bytes(blocked))).toString()
    expect(Object.keys(JSON.parse(body))).toEqual(['type', 'content', 'usage', 'amazon-bedrock-guardrailAction'])
    const meter = PROTOCOLS.anthropic.meter(OPERATIONS.messages, 'json')
    meter.push(bytes(body))
    expect(meter.read()).toMatchObject({ final: 'blocked', usage: { input: 1, output: 2 } })
  })

  test('a count is told in Anthropic’s words (ACC-16)', () => {
    expect(Buffer.from(retellCount(bytes('{"inputTokens":11}'))).toString()).toBe('{"input_tokens":11}')
    expect(Buffer.from(retellCount(bytes('{"other":1}'))).toString()).toBe('{"other":1}')
  })
})
