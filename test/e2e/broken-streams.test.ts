/** Streams that break after the client has had a part of them: ended loudly, settled by what was seen (REL-13, BIL-9). */
import { describe, expect, test } from 'bun:test'
import {
  ANTHROPIC,
  CHAT,
  DIALECTS,
  type Dialect,
  GEMINI_ARRAY,
  RESPONSES,
  streamOf,
  TOKENS,
} from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { beginStream, type Reply } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const IDLE_LIMIT_S = 1
const { scene, record } = useGateway({ STREAM_IDLE_TIMEOUT: String(IDLE_LIMIT_S) })
const overSockets = useGateway({ UPSTREAM_TRANSPORT: 'socket' })

/** How an upstream may stop talking. */
const BREAKS: Record<string, { stop(reply: Reply): void; code: string }> = {
  'a reset': { stop: (reply) => reply.reset(), code: 'upstream_stream_broken' },
  'a cut connection': { stop: (reply) => reply.cut(), code: 'upstream_stream_broken' },
  'a clean end without the terminal event': { stop: (reply) => reply.end(), code: 'upstream_stream_truncated' },
  'silence beyond the limit': { stop: () => undefined, code: 'upstream_timeout' },
}

/** Stops when the client has all that was sent: a reset makes kernels drop what nobody has read yet. */
async function brokenStream(dialect: Dialect, sent: string, stop: (reply: Reply) => void) {
  const seen = Promise.withResolvers<void>()
  const { upstream, raw } = await scene({
    platform: dialect.platform,
    script: async (_, reply) => {
      beginStream(reply, { 'content-type': dialect.contentType })
      void reply.write(sent)
      await seen.promise
      stop(reply)
    },
  })
  const client = await raw({ path: dialect.path, body: dialect.request })
  const { status, header } = await client.head()
  await until(() => client.bodyBytes >= sent.length, { what: 'all that was sent' })
  seen.resolve()
  await client.over()
  client.leave()
  return {
    upstream,
    status,
    received: client.body.toString(),
    ended: client.done,
    id: header('x-turnpike-request-id') ?? '',
  }
}

describe('an upstream that breaks off', () => {
  for (const dialect of DIALECTS) {
    test(`${dialect.name}: by reset, cut, early end or silence: the client gets the protocol’s terminal error, then the end (REL-13)`, async () => {
      const sent = [...dialect.opening, ...dialect.content].join('')
      const runs = Object.entries(BREAKS).map(async ([name, { stop, code }]) => {
        const { received, ended, status, id } = await brokenStream(dialect, sent, stop)
        expect(`${name}: ${status} ${received.slice(0, sent.length)}`).toBe(`${name}: 200 ${sent}`)
        expect(`${name}: ${dialect.failureIn(received)}`).toBe(`${name}: Upstream stream ended before it was complete`)
        expect(`${name}: ended ${ended}`).toBe(`${name}: ended true`)
        const { cost_usd: cost, ...written } = await record(id)
        expect(written).toMatchObject({ status: 'failed', error_code: code, metering: 'partly_estimated' })
        expect(written.input_tokens).toBeGreaterThan(0)
        expect(cost).toBeGreaterThan(0)
      })
      await Promise.all(runs)
    })

    if (dialect === GEMINI_ARRAY) continue
    test(`${dialect.name}: within an event: that event is closed first, so that the error is read as one of its own (REL-13)`, async () => {
      const whole = dialect.content.join('')
      for (const sent of [whole.slice(0, -1), whole.slice(0, -6), whole.slice(0, -20)]) {
        const { received } = await brokenStream(dialect, dialect.opening.join('') + sent, (reply) => reply.reset())
        expect(received).toStartWith(dialect.opening.join('') + sent)
        expect(dialect.failureIn(received)).toBe('Upstream stream ended before it was complete')
      }
    })
  }

  test('measured parts are charged as measured: Anthropic’s input, when the output was cut (BIL-9)', async () => {
    const sent = [...ANTHROPIC.opening, ...ANTHROPIC.content].join('')
    const { id } = await brokenStream(ANTHROPIC, sent, (reply) => reply.reset())
    const written = await record(id)
    expect(written).toMatchObject({ input_tokens: 12, cache_read_tokens: 8, metering: 'partly_estimated' })
    expect(written.output_tokens).toBeGreaterThanOrEqual(1)
  })

  test('nothing measured and no content relayed: nothing is charged (BIL-9)', async () => {
    const { id, received } = await brokenStream(CHAT, ': working\n\n'.repeat(64), (reply) => reply.end())
    expect(CHAT.failureIn(received)).toBe('Upstream stream ended before it was complete')
    expect(await record(id)).toMatchObject({ status: 'failed', input_tokens: 0, output_tokens: 0, cost_usd: 0 })
  })
})

describe('an upstream that says itself that it failed', () => {
  const CASES: [Dialect, string][] = [
    [CHAT, 'data: {"error":{"message":"the provider broke","type":"server_error"}}\n\n'],
    [
      ANTHROPIC,
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"the provider broke"}}\n\n',
    ],
  ]
  test('in mid-stream: its own error event ends the stream, and no second one is added (REL-13)', async () => {
    for (const [dialect, event] of CASES) {
      const sent = [...dialect.opening, ...dialect.content, event].join('')
      const { received, id } = await brokenStream(dialect, sent, (reply) => reply.end())
      expect(received).toBe(sent)
      expect(dialect.failureIn(received)).toBe('the provider broke')
      expect(await record(id)).toMatchObject({ status: 'failed', error_message: 'the provider broke' })
    }
  })

  test('a bare error event in a Responses stream is followed by response.failed, which is all that Codex heeds (REL-13)', async () => {
    const event = 'event: error\ndata: {"type":"error","code":"server_error","message":"the provider broke"}\n\n'
    const sent = [...RESPONSES.opening, ...RESPONSES.content, event].join('')
    const { received } = await brokenStream(RESPONSES, sent, (reply) => reply.end())
    expect(received).toStartWith(sent)
    expect(RESPONSES.failureIn(received)).toBe('the provider broke')
    expect(received).toContain('"id":"resp_1","object":"response"')
  })
})

describe('once the terminal event was seen', () => {
  for (const dialect of DIALECTS) {
    test(`${dialect.name}: the request is a success, whatever either socket does next (REL-13)`, async () => {
      const whole = streamOf(dialect).join('')
      for (const stop of [(reply: Reply) => reply.reset(), (reply: Reply) => reply.cut()]) {
        const { received, id } = await brokenStream(dialect, whole, stop)
        expect(received).toBe(whole)
        expect(await record(id)).toMatchObject({
          ...TOKENS,
          status: 'completed',
          metering: 'measured',
          error_code: null,
        })
      }
      const { upstream, raw } = await scene({
        platform: dialect.platform,
        script: (_, reply) => {
          beginStream(reply, { 'content-type': dialect.contentType })
          void reply.write(whole)
        },
      })
      const client = await raw({ path: dialect.path, body: dialect.request })
      const { header } = await client.head()
      await client.has(whole)
      client.leave()
      expect(await record(header('x-turnpike-request-id') ?? '')).toMatchObject({ ...TOKENS, status: 'completed' })
      expect(upstream.busy).toBe(0)
    })
  }

  test('a chat stream is complete without [DONE] and without a finish_reason, as vendors send it (REL-13, REL-8)', async () => {
    const [stop = '', usage = '', done = ''] = CHAT.closing
    for (const closing of [stop + usage, usage + done]) {
      const sent = [...CHAT.opening, ...CHAT.content, closing].join('')
      const { received, id } = await brokenStream(CHAT, sent, (reply) => reply.end())
      expect(received).toBe(sent)
      expect(await record(id)).toMatchObject({ ...TOKENS, status: 'completed' })
    }
  })

  // Bun's fetch throws away what it has received when the connection is cut behind it: every second answer here, as measured.
  test('bytes that came right before the connection was cut are not lost (REL-7, REL-13; UPSTREAM_TRANSPORT=socket)', async () => {
    const { send } = await overSockets.scene({
      script: (_, reply) => {
        beginStream(reply)
        void reply.write(streamOf(RESPONSES).join(''))
        reply.cut()
      },
    })
    for (let round = 0; round < 20; round++) {
      const response = await send(RESPONSES.path, RESPONSES.request)
      expect(await response.text()).toBe(streamOf(RESPONSES).join(''))
    }
  })
})
