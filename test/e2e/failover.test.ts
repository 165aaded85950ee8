/** What clients are told of an upstream's failure, and when another account mends it unseen (REL-11, REL-12). */
import { describe, expect, test } from 'bun:test'
import {
  ANTHROPIC,
  CHAT,
  DIALECTS,
  type Dialect,
  GEMINI,
  GEMINI_ARRAY,
  RESPONSES,
  streamOf,
} from '../support/dialects.ts'
import { type AccountFields, useGateway } from '../support/scene.ts'
import { answer, beginStream, type HeaderFields, type Reply } from '../support/scripted-upstream.ts'

const { scene, record } = useGateway()

const WHOLE = [RESPONSES, CHAT, ANTHROPIC, GEMINI]
const SECRET = 'account-0 at https://internal.example with sk-of-account-0'

interface Told {
  status: number
  message: string
  /** Type in OpenAI's shape, in Anthropic's, status in Gemini's. */
  types: [openai: string, anthropic: string, gemini: string]
  code: string
}

const UPSTREAM_ERROR = ['upstream_error', 'api_error', 'UNAVAILABLE'] as const
const failed = (message: string, code: string): Told => ({ status: 502, message, types: [...UPSTREAM_ERROR], code })
const authentication = failed('Upstream authentication failed, please contact administrator', 'upstream_authentication')
const forbidden = failed('Upstream access forbidden, please contact administrator', 'upstream_forbidden')
const other = failed('Upstream request failed', 'upstream_failed')
const MAPPINGS: Record<number, Told> = {
  401: authentication,
  403: forbidden,
  429: {
    status: 429,
    message: 'Upstream rate limit exceeded, please retry later',
    types: ['rate_limit_error', 'rate_limit_error', 'RESOURCE_EXHAUSTED'],
    code: 'upstream_rate_limited',
  },
  529: {
    status: 503,
    message: 'Upstream service overloaded, please retry later',
    types: ['overloaded_error', 'overloaded_error', 'UNAVAILABLE'],
    code: 'upstream_overloaded',
  },
  302: other,
  402: other,
  408: other,
  409: other,
  500: other,
  502: other,
  503: other,
  504: other,
}

function expectTold(dialect: Dialect, body: unknown, told: Told, requestId: string | null): void {
  const { status, message, types, code } = told
  const [openai, anthropic, gemini] = types
  if (dialect.platform === 'openai') expect(body).toEqual({ error: { message, type: openai, param: null, code } })
  else if (dialect === ANTHROPIC) {
    expect(body).toEqual({ type: 'error', error: { type: anthropic, message }, request_id: requestId })
  } else expect(body).toEqual({ error: { code: status, message, status: gemini } })
}

async function failingScene(dialect: Dialect, status: number, headers: HeaderFields = {}, account: AccountFields = {}) {
  return scene({
    platform: dialect.platform,
    accounts: [account],
    script: (_, reply) => answer(reply, status, JSON.stringify({ error: { message: SECRET } }), headers),
  })
}

describe('an upstream’s error when no other account is left', () => {
  for (const dialect of WHOLE) {
    test(`${dialect.name}: each status is told as the table says, in the protocol’s shape, and nothing leaks (REL-12)`, async () => {
      const runs = Object.entries(MAPPINGS).map(async ([status, told]) => {
        const { send } = await failingScene(dialect, Number(status), { location: 'https://internal.example' })
        const response = await send(dialect.path, dialect.request)
        const text = await response.text()
        expect(`${status} → ${response.status}`).toBe(`${status} → ${told.status}`)
        expect(response.headers.get('content-type')).toContain('application/json')
        expectTold(dialect, JSON.parse(text), told, response.headers.get('x-turnpike-request-id'))
        expect(text + JSON.stringify([...response.headers])).not.toMatch(/internal|account-0|127\.0\.0\.1/)
        const { status: ending, http_status: http, error_code: code, attempts, cost_usd: cost } = await record(response)
        expect([ending, http, code, cost]).toEqual(['failed', told.status, told.code, 0])
        // An only account is tried again for what may pass.
        expect([...new Set(attempts.map((attempt) => attempt.status))]).toEqual([Number(status)])
      })
      await Promise.all(runs)
    })

    test(`${dialect.name}: the client’s own faults pass with status and body (REL-12)`, async () => {
      for (const status of [400, 404, 413, 422]) {
        const body = `{ "error" : {"message":"you did ${status}", "code":"your_fault"}}\n`
        const { send } = await scene({
          platform: dialect.platform,
          accounts: [{}, {}],
          script: (_, reply) => answer(reply, status, body, { 'x-request-id': 'req-1', 'set-cookie': 'a=b' }),
        })
        const response = await send(dialect.path, dialect.request)
        expect([response.status, await response.text()]).toEqual([status, body])
        expect(response.headers.get('x-request-id')).toBe('req-1')
        expect(response.headers.get('set-cookie')).toBeNull()
        expect(await record(response)).toMatchObject({ status: 'failed', http_status: status, attempts: [{ status }] })
      }
    })

    test(`${dialect.name}: a status outside an account’s own list becomes a plain 500, and the account stays (REL-12)`, async () => {
      const { send, upstream } = await failingScene(dialect, 503, {}, { custom_error_codes: [401] })
      const response = await send(dialect.path, dialect.request)
      expect(response.status).toBe(500)
      expect(await response.text()).toContain('"Upstream gateway error"')
      upstream.script = (_, reply) => answer(reply, 200, dialect.body)
      for (let call = 0; call < 6; call++) {
        expect((await send(dialect.wholePath, dialect.wholeRequest)).status).toBe(200)
      }
    })
  }

  test('retry-after of a 429 is passed on, an hour of it capped at a minute (REL-12, REL-19)', async () => {
    for (const [said, told] of Object.entries({ '7': 7, '3600': 60 })) {
      const { send } = await failingScene(CHAT, 429, { 'retry-after': said })
      const { status, headers } = await send(CHAT.path, CHAT.request)
      expect(status).toBe(429)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(told - 3)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(told)
    }
    const { send } = await failingScene(CHAT, 400, { 'retry-after': '3600' })
    expect((await send(CHAT.path, CHAT.request)).headers.get('retry-after')).toBe('60')
  })

  test('nobody answers, or what answers is no HTTP: one clear 502 (REL-12)', async () => {
    const nobody = await scene()
    await nobody.upstream.stop()
    const unreachable = await nobody.send(CHAT.path, CHAT.request)
    expectTold(CHAT, await unreachable.json(), failed('Upstream could not be reached', 'upstream_failed'), null)
    const { send } = await scene({ script: (_, reply) => reply.reset() })
    expect((await send(CHAT.path, CHAT.request)).status).toBe(502)
  })

  test('without any account that supports the model it is a 503 that names the model (REL-12, ACC-5)', async () => {
    const { send } = await scene({ accounts: [{ model_mapping: { other: 'other' } }] })
    const response = await send(CHAT.path, CHAT.request)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      error: { message: 'No available accounts supporting model: gpt-5-mini', code: 'no_available_account' },
    })
  })
})

/** Bytes under a 200 that are no answer, before any content. */
const EARLY_FAULTS: [Dialect, Record<string, string>][] = [
  [
    RESPONSES,
    {
      'failed right behind created': `${RESPONSES.opening.join('')}event: response.failed\ndata: {"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_is_overloaded","message":"busy"}}}\n\n`,
      'error event': `event: error\ndata: {"type":"error","error":{"type":"server_error","message":"busy"}}\n\n`,
    },
  ],
  [CHAT, { 'error chunk': 'data: {"error":{"message":"busy","type":"server_error"}}\n\n' }],
  [
    ANTHROPIC,
    {
      'overloaded behind message_start': `${ANTHROPIC.opening[0]}event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`,
      'ping, then overloaded': `event: ping\ndata: {"type":"ping"}\n\nevent: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`,
    },
  ],
  [GEMINI, { 'bare error object': '{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}' }],
  [GEMINI_ARRAY, { 'error in an array': '[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]' }],
]
const ANY_FAULTS = {
  'a page of HTML': '<html><body>Bad gateway</body></html>',
  nothing: '',
  'comments only': ': hi\n\n',
}

/** Two accounts: the first plays `first`, the second the good stream. */
async function twoAccounts(dialect: Dialect, first: (reply: Reply) => void) {
  return scene({
    platform: dialect.platform,
    accounts: [
      { path: '/first', priority: 1 },
      { path: '/second', priority: 2 },
    ],
    script(request, reply) {
      if (request.target.startsWith('/first/')) first(reply)
      else {
        beginStream(reply, { 'content-type': dialect.contentType })
        void reply.write(streamOf(dialect).join(''))
        reply.end()
      }
    },
  })
}

describe('a second account', () => {
  for (const dialect of DIALECTS) {
    const faults = { ...EARLY_FAULTS.find(([one]) => one === dialect)?.[1], ...ANY_FAULTS }
    test(`${dialect.name}: a fault under a 200 before the first content is mended by it, unseen (REL-11)`, async () => {
      for (const [name, bytes] of Object.entries(faults)) {
        const { upstream, send } = await twoAccounts(dialect, (reply) => {
          beginStream(reply, { 'content-type': dialect.contentType })
          void reply.write(bytes)
          reply.end()
        })
        const response = await send(dialect.path, dialect.request)
        expect(`${name}: ${response.status} ${await response.text()}`).toBe(
          `${name}: 200 ${streamOf(dialect).join('')}`,
        )
        expect(upstream.requests.map(({ body }) => body.toString())).toEqual([dialect.request, dialect.request])
        expect(upstream.requests[1]?.header('host')).toBe(`127.0.0.1:${upstream.port}`)
        const { attempts, status } = await record(response)
        expect([status, attempts.length, attempts[1]?.reason]).toEqual(['completed', 2, null])
      }
    })

    test(`${dialect.name}: a fault after the first content never goes to it (REL-11, REL-13)`, async () => {
      const { upstream, send } = await twoAccounts(dialect, (reply) => {
        beginStream(reply, { 'content-type': dialect.contentType })
        void reply.write([...dialect.opening, dialect.content[0]].join(''))
        reply.end()
      })
      const response = await send(dialect.path, dialect.request)
      const received = await response.text()
      expect(received).toStartWith([...dialect.opening, dialect.content[0]].join(''))
      expect(dialect.failureIn(received)).toBe('Upstream stream ended before it was complete')
      expect(upstream.requests).toHaveLength(1)
      expect(await record(response)).toMatchObject({ status: 'failed', attempts: [{ status: 200 }] })
    })
  }

  test('statuses, resets and broken bodies before anything was sent go to it (REL-11, ACC-5)', async () => {
    const troubles: Record<string, (reply: Reply) => void> = {
      '401': (reply) => answer(reply, 401, '{}'),
      '403': (reply) => answer(reply, 403, '{}'),
      '429': (reply) => answer(reply, 429, '{}', { 'retry-after': '30' }),
      '500': (reply) => answer(reply, 500, 'oops'),
      '529': (reply) => answer(reply, 529, '{}'),
      reset: (reply) => reply.reset(),
      'reset in the head': (reply) => {
        beginStream(reply)
        reply.reset()
      },
      'reset in the opening': (reply) => {
        beginStream(reply)
        void reply.write(RESPONSES.opening.join('')).then(reply.reset)
      },
    }
    for (const [name, trouble] of Object.entries(troubles)) {
      const { send } = await twoAccounts(RESPONSES, trouble)
      const response = await send(RESPONSES.path, RESPONSES.request)
      expect(`${name}: ${response.status} ${await response.text()}`).toBe(
        `${name}: 200 ${streamOf(RESPONSES).join('')}`,
      )
    }
  })

  test('an answer that is no stream fails over as well: an error in a 200, HTML, a cut body (REL-11, REL-17)', async () => {
    const bodies: Record<string, (reply: Reply) => void> = {
      error: (reply) => answer(reply, 200, '{"error":{"message":"busy","type":"server_error"}}'),
      html: (reply) => answer(reply, 200, '<html></html>', { 'content-type': 'text/html' }),
      empty: (reply) => answer(reply, 200, ''),
      cut: (reply) => {
        reply.head(200, { 'content-type': 'application/json' })
        void reply.write(CHAT.body.slice(0, 50)).then(reply.cut)
      },
    }
    for (const [name, trouble] of Object.entries(bodies)) {
      const { send } = await scene({
        accounts: [
          { path: '/first', priority: 1 },
          { path: '/second', priority: 2 },
        ],
        script: (request, reply) =>
          request.target.startsWith('/first/') ? trouble(reply) : answer(reply, 200, CHAT.body),
      })
      const response = await send(CHAT.wholePath, CHAT.wholeRequest)
      expect(`${name}: ${response.status} ${await response.text()}`).toBe(`${name}: 200 ${CHAT.body}`)
    }
  })

  test('is not asked about the client’s own fault in a stream: the event passes as it stands (REL-11, REL-12)', async () => {
    const event =
      'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"too long"}}\n\n'
    const { upstream, send } = await twoAccounts(ANTHROPIC, (reply) => {
      beginStream(reply)
      void reply.write(event)
      reply.end()
    })
    const response = await send(ANTHROPIC.path, ANTHROPIC.request)
    expect(await response.text()).toBe(event)
    expect(upstream.requests).toHaveLength(1)
    expect(await record(response)).toMatchObject({ status: 'failed', error_code: 'invalid_request_error', cost_usd: 0 })
  })
})

describe('holding back', () => {
  test('ends after 64 frames or 1 MB without content: then the stream goes out as it came (REL-11)', async () => {
    const fillers = { frames: ': x\n\n'.repeat(64), bytes: `: ${'x'.repeat(1_048_576)}\n\n` }
    for (const filler of Object.values(fillers)) {
      const seen = Promise.withResolvers<void>()
      const { raw } = await scene({
        script: async (_, reply) => {
          beginStream(reply)
          void reply.write(filler)
          await seen.promise
          void reply.write(streamOf(RESPONSES).join(''))
          reply.end()
        },
      })
      const client = await raw({ path: RESPONSES.path, body: RESPONSES.request })
      expect((await client.head()).status).toBe(200)
      seen.resolve()
      await client.over()
      expect(client.body.toString()).toBe(filler + streamOf(RESPONSES).join(''))
      client.leave()
    }
  })
})
