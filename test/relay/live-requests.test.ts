import { describe, expect, test } from 'bun:test'
import { OPERATIONS } from '../../src/protocols/operations.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'
import { createLiveRequests } from '../../src/relay/live-requests.ts'
import { ANTHROPIC, CHAT as CHAT_DIALECT, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { makeAccount, makeKey } from '../support/make.ts'
import { CHAT, chatAnswer, createTestRelay, type Script } from '../support/relay.ts'
import { until } from '../support/until.ts'

const encoder = new TextEncoder()
const chunk = (delta: object, rest: object = {}) =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: 'gpt-5.4', choices: [{ index: 0, delta, finish_reason: null }], ...rest })}\n\n`
const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }

/** A stream that the test writes piece by piece. */
function pausedStream() {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
    },
  })
  return {
    answer: () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
    write: (text: string) => controller?.enqueue(encoder.encode(text)),
    end: () => controller?.close(),
  }
}

async function openRelay(script: Script) {
  const relay = await createTestRelay({
    accounts: [makeAccount({ id: 'a0', concurrency: 1 })],
    keys: [makeKey({ concurrencyLimit: 1 }), makeKey({ id: 'key-2', userId: null })],
    script,
  })
  return { ...relay, live: createLiveRequests(relay.deps) }
}

describe('requests under way', () => {
  test('are pending until the first byte goes out, then streaming with the account, then gone; nothing is kept of them (USE-2)', async () => {
    const stream = pausedStream()
    const { call, live, receipts, deps, clock } = await openRelay(stream.answer)
    const answering = call('chat_completions', { ...CHAT, stream: true })
    const [pending] = await until(
      async () => (await live.list({}, 10)).some(({ model }) => model !== '') && live.list({}, 10),
      {
        what: 'the request',
      },
    )
    expect(pending).toMatchObject({
      status: 'pending',
      userId: 'user-1',
      keyId: 'key-1',
      endpoint: '/v1/chat/completions',
    })
    expect([pending?.firstTokenMs, pending?.usage.output, pending?.costNano]).toEqual([null, 0, 0n])
    expect(live.counts({})).toEqual({ pending: 1, streaming: 0 })
    stream.write(chunk({ role: 'assistant', content: 'hello' }))
    const answer = await answering
    const id = answer.headers.get('x-turnpike-request-id')
    expect(await live.list({}, 10)).toMatchObject([
      {
        id,
        status: 'streaming',
        accountId: 'a0',
        model: 'gpt-5.4',
        stream: true,
        createdAtMs: clock.nowMs,
        attempts: 1,
      },
    ])
    expect(live.counts({})).toEqual({ pending: 0, streaming: 1 })
    stream.write(
      `${chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}${chunk({}, { choices: [], usage: USAGE })}data: [DONE]\n\n`,
    )
    stream.end()
    await answer.text()
    expect([await live.list({}, 10), deps.live.size]).toEqual([[], 0])
    expect(receipts).toMatchObject([{ id, status: 'completed' }])
  })

  test('tell what they would be charged if the client left now: estimated more and more, then as measured, as it is recorded in the end (USE-4, BIL-9)', async () => {
    const stream = pausedStream()
    const { call, live, receipts } = await openRelay(stream.answer)
    const answering = call('chat_completions', { ...CHAT, stream: true })
    stream.write(chunk({ role: 'assistant', content: 'hello' }))
    const text = (await answering).text()
    const output = async () => (await live.list({}, 1))[0]?.usage.output ?? 0
    let before = await until(() => output(), { what: 'a first estimate' })
    for (let count = 0; count < 3; count++) {
      stream.write(chunk({ content: ' and more of it' }).repeat(4))
      const more = await until(async () => (await output()) !== before && output(), { what: 'more' })
      expect(more).toBeGreaterThan(before)
      before = more
    }
    expect((await live.list({}, 1))[0]!.usage.input).toBeGreaterThan(0)
    stream.write(chunk({}, { choices: [], usage: { ...USAGE, completion_tokens: 900 } }))
    await until(async () => (await output()) === 900, { what: 'the provider’s own number' })
    expect((await live.list({}, 1))[0]!.usage).toMatchObject({ input: 10, output: 900 })
    stream.write('data: [DONE]\n\n')
    stream.end()
    await text
    expect(receipts[0]?.usage).toMatchObject({ input: 10, output: 900 })
  })

  test('are found by id, by user and by age, newest first (USE-4)', async () => {
    const { call, live, clock, deps } = await openRelay(() => 'hang')
    deps.settings.onClientDisconnect = 'abort'
    const leave = new AbortController()
    const calls: Promise<Response>[] = []
    for (const key of ['key-1', 'key-2']) {
      clock.nowMs += 1000
      calls.push(call('chat_completions', CHAT, { key, signal: leave.signal }))
      await until(() => deps.live.size === calls.length, { what: 'the request' })
    }
    const [second, first] = await live.list({}, 10)
    expect([first?.keyId, second?.keyId]).toEqual(['key-1', 'key-2'])
    expect(await live.list({}, 1)).toMatchObject([{ id: second!.id }])
    expect(await live.list({ beforeId: second!.id }, 10)).toMatchObject([{ id: first!.id }])
    expect(await live.list({ ids: [second!.id, 'none'] }, 10)).toMatchObject([{ id: second!.id }])
    expect(await live.list({ userId: 'user-1' }, 10)).toMatchObject([{ id: first!.id }])
    expect(live.counts({ userId: 'user-1' })).toEqual({ pending: 1, streaming: 0 })
    expect(await live.list({ startedBeforeMs: clock.nowMs }, 10)).toMatchObject([{ id: first!.id }])
    leave.abort()
    await Promise.all(calls)
    expect(await live.list({}, 10)).toEqual([])
  })

  test('let go of their body once a stream has begun, its bytes are others’ to take, and a broken stream is still charged by its size (OPS-11, BIL-9)', async () => {
    const stream = pausedStream()
    const { call, deps, receipts } = await openRelay(stream.answer)
    const long = { ...CHAT, stream: true, messages: [{ role: 'user', content: 'a long story '.repeat(10_000) }] }
    const answering = call('chat_completions', long)
    await until(() => deps.bodies.held > 100_000, { what: 'the body' })
    stream.write(chunk({ role: 'assistant', content: 'hello' }))
    const answer = await answering
    const [exchange] = deps.live
    expect([deps.bodies.held, exchange?.body.length, (exchange?.bodyBytes ?? 0) > 100_000]).toEqual([0, 0, true])
    stream.end()
    await answer.text()
    expect(receipts).toMatchObject([{ metering: 'partly_estimated', status: 'failed' }])
    expect(receipts[0]?.usage.input).toBeGreaterThan(20_000)
    expect([deps.bodies.held, deps.live.size]).toEqual([0, 0])
  })
})

describe('a request far beyond its time limit', () => {
  const LIMIT_MS = 3_600_000
  const FAR_MS = LIMIT_MS + 60_000 + 60_000

  test('is failed with 504 and a reason, and charged for what was measured, once (USE-3, BIL-9)', async () => {
    const stream = pausedStream()
    const { call, live, receipts, clock, inFlight } = await openRelay(stream.answer)
    const answering = call('chat_completions', { ...CHAT, stream: true })
    stream.write(chunk({ role: 'assistant', content: 'hello' }))
    const answer = await answering
    clock.nowMs += FAR_MS
    expect(live.endOverdue()).toBe(0)
    clock.nowMs += 1
    expect(live.endOverdue()).toBe(1)
    expect(receipts).toMatchObject([
      {
        status: 'failed',
        httpStatus: 504,
        errorCode: 'request_overdue',
        errorMessage: 'The request was still streaming long after its time limit.',
        metering: 'partly_estimated',
      },
    ])
    expect([live.endOverdue(), inFlight('a0'), await live.list({}, 10)]).toEqual([0, 0, []])
    stream.end()
    await answer.text().catch(() => undefined)
    expect(receipts).toHaveLength(1)
  })

  test('whose body never came is failed, nothing charged; when it comes after all, nothing is sent, and no slot stays taken (USE-3, KEY-8)', async () => {
    const { deps, live, receipts, clock, sent, call } = await openRelay(() => chatAnswer())
    const rest = Promise.withResolvers<void>()
    const text = JSON.stringify(CHAT)
    const slow = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(encoder.encode(text.slice(0, 10)))
        await rest.promise
        controller.enqueue(encoder.encode(text.slice(10)))
        controller.close()
      },
    })
    const answering = call('chat_completions', slow)
    await until(() => deps.live.size === 1, { what: 'the request' })
    clock.nowMs += FAR_MS + 1
    expect(live.endOverdue()).toBe(1)
    expect(receipts).toMatchObject([{ status: 'failed', httpStatus: 504, costs: { chargedNano: 0n } }])
    rest.resolve()
    const answer = await answering
    expect([answer.status, sent.length, receipts.length]).toEqual([504, 0, 1])
    expect(deps.bodies.held).toBe(0)
    // The key has one slot: the next request gets it.
    expect((await call('chat_completions', CHAT)).status).toBe(200)
  })

  test('whose body never comes to its end is answered at once, and its memory is free again (USE-3, OPS-11)', async () => {
    const { deps, live, clock, call } = await openRelay(() => chatAnswer())
    const began = Promise.withResolvers<void>()
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode('{"model":')),
      pull: () => began.resolve(),
    })
    const answering = call('chat_completions', endless)
    await began.promise
    await until(() => deps.bodies.held > 0, { what: 'the first bytes' })
    clock.nowMs += FAR_MS + 1
    expect(live.endOverdue()).toBe(1)
    expect((await answering).status).toBe(504)
    expect([deps.bodies.held, deps.live.size]).toEqual([0, 0])
  })

  test('is never seen when requests have no limit (USE-3, REL-15)', async () => {
    const { deps, live, clock, call } = await openRelay(() => 'hang')
    deps.settings.requestTimeoutMs = 0
    deps.settings.onClientDisconnect = 'abort'
    const leave = new AbortController()
    const answering = call('chat_completions', CHAT, { signal: leave.signal })
    await until(() => deps.live.size === 1, { what: 'the request' })
    clock.nowMs += 1000 * FAR_MS
    expect(live.endOverdue()).toBe(0)
    leave.abort()
    await answering
  })
})

describe('a meter', () => {
  test('that is read all the time says the same in the end as one that is read once (USE-4, REL-8)', () => {
    const cases = [
      [CHAT_DIALECT, OPERATIONS.chat_completions],
      [RESPONSES, OPERATIONS.responses],
      [ANTHROPIC, OPERATIONS.messages],
      [GEMINI, OPERATIONS.stream_generate_content],
    ] as const
    for (const [dialect, operation] of cases) {
      const protocol = PROTOCOLS[operation.protocol]
      const bytes = encoder.encode(streamOf(dialect).join(''))
      const [once, often] = [protocol.meter(operation, 'sse'), protocol.meter(operation, 'sse')]
      once.push(bytes)
      for (let at = 0; at < bytes.length; at++) {
        often.push(bytes.subarray(at, at + 1))
        often.read()
      }
      expect([dialect.name, often.read()]).toEqual([dialect.name, once.read()])
    }
  })
})
