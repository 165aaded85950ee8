import { describe, expect, test } from 'bun:test'
import { NO_USAGE } from '../../../src/core/usage.ts'
import { OPERATIONS } from '../../../src/protocols/operations.ts'
import { named, readEveryWay, type SseEvent, sse } from '../../support/responses.ts'

const { responses, responses_compact: compact } = OPERATIONS
const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 8 },
  total_tokens: 120,
}
const response = {
  id: 'resp_1',
  object: 'response',
  status: 'in_progress',
  model: 'gpt-5.6',
  service_tier: 'auto',
  usage: null,
}
const CREATED = named({ type: 'response.created', sequence_number: 0, response })
const RUNNING = named({ type: 'response.in_progress', sequence_number: 1, response })
const DELTA = named({
  type: 'response.output_text.delta',
  item_id: 'msg_1',
  output_index: 0,
  delta: 'Hello, "usage":{} ',
})

function last(status: string, extra: object = {}): SseEvent {
  return named({ type: `response.${status}`, response: { ...response, status, service_tier: 'default', ...extra } })
}

describe('meter of Responses streams', () => {
  test('the terminal event tells all; cached and written tokens are inside the input (quirk 9, REL-8)', () => {
    const stream = sse(CREATED, RUNNING, ...Array.from({ length: 100 }, () => DELTA), last('completed', { usage }))
    expect(readEveryWay(responses, stream)).toEqual({
      final: 'completed',
      usage: { ...NO_USAGE, input: 30, cacheRead: 60, cacheWrite5m: 10, output: 20, reasoning: 8 },
      usageCertainty: 'final',
      iterations: null,
      uplifts: [],
      model: 'gpt-5.6',
      serviceTier: 'default',
      responseId: 'resp_1',
      finishReason: null,
      error: null,
    })
  })

  test('quirk 9: the tier is that of the terminal event, not the one asked for (BIL-4)', () => {
    expect(readEveryWay(responses, sse(CREATED, last('completed', { usage, service_tier: 'flex' }))).serviceTier).toBe(
      'flex',
    )
    expect(readEveryWay(responses, sse(CREATED, DELTA)).serviceTier).toBeNull()
  })

  test('quirk 7: a stream that is cut has no usage at all, but id and model (BIL-9)', () => {
    expect(readEveryWay(responses, sse(CREATED, RUNNING, DELTA, DELTA))).toMatchObject({
      final: 'truncated',
      usage: null,
      usageCertainty: 'none',
      model: 'gpt-5.6',
      responseId: 'resp_1',
    })
  })

  test('quirk 7: response.failed without usage or with `usage: null` has an error and no tokens (REL-8)', () => {
    const error = { code: 'rate_limit_exceeded', message: 'Rate limit reached' }
    const failed = named({ type: 'response.failed', response: { id: 'resp_1', status: 'failed', error } })
    for (const end of [failed, last('failed', { error, usage: null })]) {
      expect(readEveryWay(responses, sse(CREATED, end))).toMatchObject({
        final: 'failed',
        usage: null,
        error: { code: 'rate_limit_exceeded', status: 429, message: 'Rate limit reached' },
      })
    }
  })

  test('usage in response.incomplete and response.failed counts (REL-8)', () => {
    const incomplete = last('incomplete', { usage, incomplete_details: { reason: 'max_output_tokens' } })
    expect(readEveryWay(responses, sse(CREATED, incomplete))).toMatchObject({
      final: 'incomplete',
      finishReason: 'max_output_tokens',
      usage: { input: 30 },
    })
    expect(readEveryWay(responses, sse(CREATED, last('failed', { usage, error: null })))).toMatchObject({
      final: 'failed',
      usage: { output: 20 },
    })
  })

  test('quirk 8: an error event, nested or flat, followed by response.failed is one failure; alone it is an error (REL-11)', () => {
    const details = { code: 'server_error', message: 'sorry' }
    const flat = named({ type: 'error', ...details, param: null })
    const nested = named({ type: 'error', error: { type: 'server_error', ...details } })
    for (const event of [flat, nested]) {
      expect(readEveryWay(responses, sse(CREATED, DELTA, event))).toMatchObject({
        final: 'error',
        error: { status: 500, ...details },
      })
      expect(readEveryWay(responses, sse(CREATED, event, last('failed', { error: details })))).toMatchObject({
        final: 'failed',
        error: details,
      })
    }
  })

  test('quirk 8: `[DONE]` and comments of OpenRouter change nothing (REL-8)', () => {
    const stream = sse(': OPENROUTER PROCESSING', CREATED, DELTA, last('completed', { usage }), 'data: [DONE]')
    expect(readEveryWay(responses, stream)).toMatchObject({ final: 'completed', usage: { input: 30 } })
    expect(readEveryWay(responses, sse(CREATED, DELTA, 'data: [DONE]')).final).toBe('truncated')
  })

  test('quirk 8: a background response that only got queued is queued (REL-8)', () => {
    const queued = named({ type: 'response.queued', response: { ...response, status: 'queued' } })
    expect(readEveryWay(responses, sse(CREATED, queued)).final).toBe('queued')
    expect(readEveryWay(responses, sse(CREATED, queued, RUNNING)).final).toBe('truncated')
  })

  test('with 30 kB of instructions and tools in every event the tier is found before, the usage behind the tools (REL-8)', () => {
    const long = {
      instructions: 'Always. '.repeat(2000),
      output: [],
      service_tier: 'priority',
      tools: ['t'.repeat(18_000)],
      usage,
    }
    const created = named({
      type: 'response.created',
      response: { ...response, ...long, service_tier: 'auto', usage: null },
    })
    const stream = sse(created, DELTA, last('completed', long), 'data: [DONE]')
    expect(readEveryWay(responses, stream)).toMatchObject({ serviceTier: 'priority', usage: { input: 30 } })
    expect(readEveryWay(responses, sse(created, ...Array.from({ length: 50 }, () => DELTA)))).toMatchObject({
      final: 'truncated',
      responseId: 'resp_1',
    })
  })

  test('a terminal event larger than all that is kept tells its type and its usage (REL-7)', () => {
    const output = [
      { type: 'image_generation_call', result: 'A'.repeat(150_000), note: { usage: { input_tokens: 1 } } },
    ]
    const { usage: _, ...before } = response
    const event = { ...before, status: 'completed', output, service_tier: 'default', usage, metadata: { usage: 'x' } }
    for (const after of [[], ['data: [DONE]']]) {
      const stream = sse(CREATED, DELTA, named({ type: 'response.completed', response: event }), ...after)
      expect(readEveryWay(responses, stream)).toMatchObject({
        final: 'completed',
        serviceTier: 'default',
        usage: { input: 30, cacheRead: 60 },
      })
    }
    const cut = sse(CREATED, named({ type: 'response.completed', response: event })).slice(0, -40)
    expect(readEveryWay(responses, cut)).toMatchObject({ final: 'truncated', usage: null })
  })

  test('without `event:` lines and with its type behind it a terminal event is one (REL-8)', () => {
    const answered = { id: 'resp_1', note: 'a response.output_text.delta', usage }
    const stream = sse({ data: { response: answered, type: 'response.completed' } })
    expect(readEveryWay(responses, stream)).toMatchObject({ final: 'completed', usage: { input: 30 } })
    const large = sse(DELTA, { data: { response: { ...answered, x: 'x'.repeat(9000) }, type: 'response.completed' } })
    expect(readEveryWay(responses, large)).toMatchObject({ final: 'completed', usage: { input: 30 } })
  })

  test('the last blank line may be missing, the last brace may not (REL-13)', () => {
    const stream = sse(CREATED, DELTA, last('completed', { usage })).trimEnd()
    expect(readEveryWay(responses, stream)).toMatchObject({ final: 'completed', usage: { input: 30 } })
    expect(readEveryWay(responses, stream.slice(0, -1))).toMatchObject({ final: 'truncated', usage: null })
  })
})

describe('meter of Responses bodies', () => {
  const answer = { ...response, status: 'completed', output: [], service_tier: 'default', tools: [], usage }

  test('status, tier and usage are found wherever they stand in a body (REL-17)', () => {
    const backwards = Object.fromEntries(Object.entries(answer).reverse())
    const long = { ...answer, instructions: 'i'.repeat(9000), tools: ['t'.repeat(18_000)], user: 'u'.repeat(3000) }
    const start = { id: 'resp_1', model: 'gpt-5.6', status: 'completed', output: ['o'.repeat(3000)] }
    const middle = { ...start, service_tier: 'default', tools: ['t'.repeat(3000)], usage }
    const sorted = Object.fromEntries(Object.entries(long).sort())
    for (const body of [answer, backwards, long, sorted, middle]) {
      expect(readEveryWay(responses, JSON.stringify(body), 'json')).toMatchObject({
        final: 'completed',
        serviceTier: 'default',
        usage: { input: 30, output: 20 },
        model: 'gpt-5.6',
      })
    }
  })

  test('the status of a body is its end: incomplete, failed, queued (REL-8)', () => {
    const error = { code: 'server_error', message: 'no' }
    const bodies = {
      incomplete: 'incomplete',
      failed: 'failed',
      cancelled: 'failed',
      queued: 'queued',
      in_progress: 'queued',
    }
    for (const [status, final] of Object.entries(bodies)) {
      const body = JSON.stringify({ ...answer, status, error: status === 'failed' ? error : null })
      expect(readEveryWay(responses, body, 'json').final as string).toBe(final)
    }
    expect(readEveryWay(responses, JSON.stringify({ ...answer, status: 'failed', error }), 'json').error).toMatchObject(
      error,
    )
    expect(readEveryWay(responses, JSON.stringify({ error }), 'json')).toMatchObject({ final: 'error', error })
  })

  test('a compaction is metered like an answer (REL-17)', () => {
    const body = { id: 'resp_2', object: 'response.compaction', output: ['x'.repeat(9000)], usage }
    expect(readEveryWay(compact, JSON.stringify(body), 'json')).toMatchObject({
      final: 'completed',
      usage: { input: 30 },
    })
  })
})
