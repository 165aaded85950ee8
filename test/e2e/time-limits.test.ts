/** Time limits, keep-alives and the wait for a first content (REL-15, REL-11), with limits of one second. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type DeafServer, startDeafServer } from '../support/deaf-server.ts'
import { ANTHROPIC, CHAT, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { type AccountFields, useGateway } from '../support/scene.ts'
import { answer, beginStream, type Reply } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { scene, record } = useGateway({
  CONNECT_TIMEOUT: '1',
  FIRST_BYTE_TIMEOUT: '1',
  STREAM_IDLE_TIMEOUT: '1',
  COMMIT_WAIT_MS: '150',
  MAX_ATTEMPTS: '2',
})

/** Limits are looked at four times a second; a busy machine may add to it. */
const LATEST_MS = 5000

let deaf: DeafServer | null = null
afterAll(() => deaf?.stop())

async function timed<T>(work: Promise<T>): Promise<[T, ms: number]> {
  const started = performance.now()
  return [await work, performance.now() - started]
}

function expectWithin(ms: number, limitMs: number): void {
  expect(ms).toBeGreaterThanOrEqual(limitMs - 20)
  expect(ms).toBeLessThan(LATEST_MS)
}

describe('limits', () => {
  test('connecting: an address that does not answer is given up after connect_timeout, and another account serves (REL-15)', async () => {
    deaf = await startDeafServer()
    const unreachable = { credentials: { base_url: deaf.url }, first_byte_timeout: 20, priority: 1 }
    const alone = await scene({ accounts: [unreachable] })
    const [response, ms] = await timed(alone.send(CHAT.wholePath, CHAT.wholeRequest))
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ error: { message: 'Upstream did not answer in time' } })
    expectWithin(ms, 1000)
    const failure = { status: null, reason: 'connect_timeout' }
    expect((await record(response)).attempts).toMatchObject([failure, failure])
    const both = await scene({
      accounts: [unreachable, { priority: 2 }],
      script: (_, reply) => answer(reply, 200, CHAT.body),
    })
    expect((await both.send(CHAT.wholePath, CHAT.wholeRequest)).status).toBe(200)
  }, 20_000)

  test('the first byte: an upstream that accepts and says nothing is hung up on (REL-15)', async () => {
    const { upstream, send } = await scene()
    const [response, ms] = await timed(send(CHAT.path, CHAT.request))
    expect(response.status).toBe(502)
    expectWithin(ms, 1000)
    expect((await record(response)).attempts).toMatchObject([{ reason: 'first_byte_timeout' }])
    await until(() => upstream.sockets === 0, { what: 'the connection to be closed' })
  })

  test('silence within a body that is no stream is a failure, not an endless wait (REL-15, REL-17)', async () => {
    const { upstream, send } = await scene({
      script: (_, reply) => {
        reply.head(200, { 'content-type': 'application/json' })
        void reply.write(CHAT.body.slice(0, 40))
      },
    })
    const [response, ms] = await timed(send(CHAT.wholePath, CHAT.wholeRequest))
    expect(response.status).toBe(502)
    expectWithin(ms, 1000)
    await until(() => upstream.sockets === 0, { what: 'the connection to be closed' })
  })

  test('the whole request: a stream that never ends is ended by request_timeout of its account (REL-15, REL-13)', async () => {
    const { upstream, send } = await scene({
      accounts: [{ request_timeout: 1 }],
      script: async (_, reply) => {
        beginStream(reply)
        void reply.write(RESPONSES.opening.join(''))
        while (!reply.gone) {
          void reply.write(RESPONSES.content[0])
          await Bun.sleep(50)
        }
      },
    })
    const [[response, received], ms] = await timed(
      send(RESPONSES.path, RESPONSES.request).then(async (answered) => [answered, await answered.text()] as const),
    )
    expectWithin(ms, 1000)
    expect(RESPONSES.failureIn(received)).toBe('Upstream stream ended before it was complete')
    expect(await record(response)).toMatchObject({ status: 'failed', error_code: 'upstream_timeout' })
    await until(() => upstream.sockets === 0, { what: 'the connection to be closed' })
  })

  test('an account’s own limits count instead of the settings: silences beyond a second pass (REL-15)', async () => {
    const slow: AccountFields = { first_byte_timeout: 10, stream_idle_timeout: 10 }
    const silence = async () => {
      const started = performance.now()
      await until(() => performance.now() - started > 1500, { what: 'time', everyMs: 50 })
    }
    const { send } = await scene({
      accounts: [slow],
      script: async (_, reply) => {
        await silence()
        beginStream(reply)
        void reply.write([...CHAT.opening, ...CHAT.content].join(''))
        await silence()
        void reply.write(CHAT.closing.join(''))
        reply.end()
      },
    })
    const response = await send(CHAT.path, CHAT.request)
    expect(await response.text()).toBe(streamOf(CHAT).join(''))
    expect(await record(response)).toMatchObject({ status: 'completed' })
  })
})

describe('no limit', () => {
  const QUIET_MS = 35_000
  // Bun's server would hang up after 10 s of silence, Elysia's default is 30.
  test.skipIf(!process.env.E2E_SLOW)(
    'of the server’s own cuts a stream that is quiet for 35 s (REL-15; with E2E_SLOW=1)',
    async () => {
      const { send } = await scene({
        accounts: [{ stream_idle_timeout: 100 }],
        script: async (_, reply) => {
          beginStream(reply)
          void reply.write([...CHAT.opening, ...CHAT.content].join(''))
          await Bun.sleep(QUIET_MS)
          void reply.write(CHAT.closing.join(''))
          reply.end()
        },
      })
      const response = await send(CHAT.path, CHAT.request)
      expect(await response.text()).toBe(streamOf(CHAT).join(''))
    },
    QUIET_MS * 2,
  )
})

describe('waiting for the first content', () => {
  test('ends commit_wait_ms after the first byte: then the stream goes out, and an error no longer fails over (REL-11)', async () => {
    const goOn = Promise.withResolvers<void>()
    const { upstream, raw } = await scene({
      accounts: [{ priority: 1 }, { priority: 2 }],
      script: async (_, reply) => {
        beginStream(reply)
        void reply.write(': working\n\n')
        await goOn.promise
        void reply.write('event: error\ndata: {"type":"error","error":{"type":"server_error","message":"busy"}}\n\n')
        reply.end()
      },
    })
    const client = await raw({ path: RESPONSES.path, body: RESPONSES.request })
    expect((await client.head()).status).toBe(200)
    await client.has(': working\n\n')
    goOn.resolve()
    await client.over()
    expect(RESPONSES.failureIn(client.body.toString())).toBe('busy')
    expect(upstream.requests).toHaveLength(1)
    client.leave()
  })
})

describe('keep-alive', () => {
  /** Silent after the first content, or after half an event, until told. */
  async function quietStream(dialect: typeof CHAT, half: boolean, seconds: number | null) {
    const goOn = Promise.withResolvers<void>()
    const [first = '', second = ''] = dialect.content
    const before = dialect.opening.join('') + first + (half ? second.slice(0, 20) : '')
    const { raw } = await scene({
      platform: dialect.platform,
      accounts: [{ stream_idle_timeout: 20 }],
      key: { sse_keepalive: seconds },
      script: async (_, reply: Reply) => {
        beginStream(reply)
        void reply.write(before)
        await goOn.promise
        void reply.write(streamOf(dialect).join('').slice(before.length))
        reply.end()
      },
    })
    const client = await raw({ path: dialect.path, body: dialect.request })
    return { client, before, goOn: goOn.resolve }
  }

  test('fills silence with comments for OpenAI’s clients and pings for Anthropic’s, never for Gemini’s, never within an event, never unasked (REL-15)', async () => {
    const COMMENT = ': keep-alive\n\n'
    const PING = 'event: ping\ndata: {"type": "ping"}\n\n'
    const filled = await Promise.all([
      quietStream(RESPONSES, false, 1).then((stream) => ({ ...stream, dialect: RESPONSES, filler: COMMENT })),
      quietStream(CHAT, false, 1).then((stream) => ({ ...stream, dialect: CHAT, filler: COMMENT })),
      quietStream(ANTHROPIC, false, 1).then((stream) => ({ ...stream, dialect: ANTHROPIC, filler: PING })),
    ])
    const bare = await Promise.all([
      quietStream(GEMINI, false, 1).then((stream) => ({ ...stream, dialect: GEMINI })),
      quietStream(CHAT, true, 1).then((stream) => ({ ...stream, dialect: CHAT })),
      quietStream(CHAT, false, null).then((stream) => ({ ...stream, dialect: CHAT })),
    ])
    for (const { client, before, filler } of filled) await client.has(before + filler + filler)
    for (const { goOn } of [...filled, ...bare]) goOn()
    for (const { client, dialect, before, filler } of filled) {
      await client.over()
      const received = client.body.toString()
      expect(received.replaceAll(filler, '')).toBe(streamOf(dialect).join(''))
      expect(received).toStartWith(before + filler + filler)
    }
    for (const { client, dialect } of bare) {
      await client.over()
      expect(client.body.toString()).toBe(streamOf(dialect).join(''))
    }
  }, 15_000)
})
