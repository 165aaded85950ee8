/** All recorded responses of the vendors that speak our four protocols: usage, end and model at any split; errors in our terms. */
import { describe, expect, test } from 'bun:test'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import type { Framing, Operation } from '../../src/protocols/protocol.ts'
import { PROTOCOLS, USAGE_READERS } from '../../src/protocols/table.ts'
import { RECORDED, type Recorded, recorded } from '../support/recorded.ts'
import { gateEveryWay, readEveryWay } from '../support/responses.ts'

const OPERATION_OF: Record<string, Operation> = {
  'openai:chat': OPERATIONS.chat_completions,
  'openai:completions': OPERATIONS.completions,
  'openai:embeddings': OPERATIONS.embeddings,
  'openai:responses': OPERATIONS.responses,
  'openai:responses_compact': OPERATIONS.responses_compact,
  'anthropic:messages': OPERATIONS.messages,
  'anthropic:count_tokens': OPERATIONS.count_tokens,
  'gemini:generateContent': OPERATIONS.generate_content,
  'gemini:streamGenerateContent': OPERATIONS.stream_generate_content,
  'gemini:countTokens': OPERATIONS.gemini_count_tokens,
  'gemini:batchEmbedContents': OPERATIONS.batch_embed_contents,
}

/** Thoughts that only the total shows (quirk 10): the recorded numbers leave them out, we bill them. */
const HIDDEN_THOUGHTS = 'gemini-openai/chat/compatible-api-with-tool-calls-without-id-2'
/** `message_start` names the model that refused; we add the one that answered as the only iteration (quirk 3). */
const FALLBACK_BLOCK = 'anthropic/messages/fallback-response'
/** Copilot gives each event another response id; ours is the first, the recorded one is the last. */
const ROTATING_ID = 'github-copilot/responses/github-copilot-id-rotation-1'

const known = recorded().filter((entry) => entry.family in OPERATION_OF)
const answers = known.filter((entry) => entry.httpStatus < 300)
const failures = known.filter((entry) => entry.httpStatus >= 300)

function framingOf(entry: Recorded): Framing {
  if (entry.stream) return 'sse'
  return entry.body[0] === 91 ? 'json-array' : 'json'
}

/** Vendors put "" and, in protobuf's JSON, numbers where we say null or text. */
function text(value: string | number | null): string | null {
  return value === null || value === '' ? null : String(value)
}

describe.skipIf(!RECORDED)('recorded answers', () => {
  test('there are recordings of every family (REL-8)', () => {
    expect(new Set(known.map((entry) => entry.family))).toEqual(new Set(Object.keys(OPERATION_OF)))
    expect(answers.length).toBeGreaterThan(250)
  })

  for (const entry of answers) {
    const operation = OPERATION_OF[entry.family]!
    test(`${entry.name}: the same reading at any split, as recorded (REL-8, REL-17, BIL-1)`, () => {
      const reading = readEveryWay(operation, entry.body, framingOf(entry))
      const { expected } = entry
      expect(reading.final).toBe(expected.final_status as typeof reading.final)
      expect(reading.model).toBe(text(expected.model))
      if (entry.name !== ROTATING_ID) expect(reading.responseId).toBe(text(expected.response_id))
      if (typeof expected.service_tier !== 'number') expect(reading.serviceTier).toBe(text(expected.service_tier))
      expect(reading.finishReason).toBe(text(expected.finish_reason)?.replace('promptFeedback:', '') ?? null)
      expect(reading.error?.message).toBe(expected.error?.message)
      if (operation.metered) expectUsage(entry, reading)
      else expect(reading.usage).toBeNull()
    })
  }
})

function expectUsage(entry: Recorded, reading: ReturnType<typeof readEveryWay>): void {
  const { normalized, name } = entry
  const { usage, iterations } = reading
  if (normalized === null || usage === null) {
    expect(usage).toBe(normalized as null)
    return
  }
  const { total_tokens: total, input_tokens: input, output_tokens: output } = entry.expected
  const hidden = name === HIDDEN_THOUGHTS ? total! - input! - output! : 0
  expect(usage).toMatchObject({
    input: normalized.uncached_input,
    output: normalized.output_total + hidden,
    cacheRead: normalized.cache_read,
    reasoning: normalized.reasoning + hidden,
    cacheWrite5m: normalized.cache_write_5m ?? normalized.cache_write,
    cacheWrite1h: normalized.cache_write_1h ?? 0,
  })
  expect(reading.usageCertainty).toBe(reading.final === 'truncated' ? 'provisional' : 'final')
  expect(iterations !== null).toBe(normalized.iterations_beyond_top_level === true || name === FALLBACK_BLOCK)
  if (iterations === null || !normalized.iterations_sum) return
  let sum = { input: 0, cache_read: 0, cache_write: 0, output: 0 }
  for (const { usage: call } of iterations) {
    sum = {
      input: sum.input + call.input,
      cache_read: sum.cache_read + call.cacheRead,
      cache_write: sum.cache_write + call.cacheWrite5m + call.cacheWrite1h,
      output: sum.output + call.output,
    }
  }
  expect(sum).toEqual(normalized.iterations_sum)
}

describe.skipIf(!RECORDED)('recorded usage objects', () => {
  for (const entry of answers.filter((one) => one.normalized && OPERATION_OF[one.family]!.metered)) {
    test(`${entry.name}: the usage object alone gives the same tokens (BIL-1, price quote)`, () => {
      const operation = OPERATION_OF[entry.family]!
      const report = USAGE_READERS[operation.protocol](entry.expected.usage_raw)
      expect(report!.usage).toEqual(readEveryWay(operation, entry.body, framingOf(entry)).usage!)
    })
  }
})

describe.skipIf(!RECORDED)('recorded errors', () => {
  for (const entry of failures) {
    test(`${entry.name}: type, code, status and message are found (REL-12)`, () => {
      const { protocol } = OPERATION_OF[entry.family]!
      const error = PROTOCOLS[protocol].readError(entry.httpStatus, entry.body)
      const expected = entry.expected.error!
      expect(error.message).toBe(expected.message ?? JSON.parse(new TextDecoder().decode(entry.body)).detail)
      if (expected.type) expect(error.type).toBe(expected.type)
      if (typeof expected.status === 'string') expect(error.type).toBe(expected.status)
      if (typeof expected.code === 'string') expect(error.code).toBe(expected.code)
      if (typeof expected.code === 'number') expect(error.status).toBe(expected.code)
    })
  }
})

describe.skipIf(!RECORDED)('recorded streams at the gate', () => {
  for (const entry of answers.filter((one) => one.stream)) {
    test(`${entry.name}: committed if and only if something was answered (REL-11)`, () => {
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(entry.body)
      const { state, firstData } = gateEveryWay(OPERATION_OF[entry.family]!, text, 'sse', true)
      const { final_status: final } = entry.expected
      const nothing = final === 'failed' || entry.name.endsWith('failure-empty-content')
      expect(state).toBe(nothing ? 'fault' : 'commit')
      if (state === 'commit') expect(firstData).toBe(true)
    })
  }
})
