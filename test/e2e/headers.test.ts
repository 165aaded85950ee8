/** Which headers cross the gateway, in both directions (REL-4, REL-6). */
import { describe, expect, test } from 'bun:test'
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { type AccountFields, useGateway } from '../support/scene.ts'
import { answer, beginStream, type HeaderFields, sendPieces } from '../support/scripted-upstream.ts'

const { scene } = useGateway()

const ALL = [RESPONSES, CHAT, ANTHROPIC, GEMINI]

/** A provider that gives the dialect's good body, with headers. */
const wholeScene = (dialect: Dialect, headers: HeaderFields = {}, account: AccountFields = {}) =>
  scene({
    platform: dialect.platform,
    accounts: [account],
    script: (_, reply) => answer(reply, 200, dialect.body, headers),
  })

/** What no provider may see of a client, and no client of a provider's other callers. */
const PRIVATE = {
  cookie: 'session=client-cookie',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-host': 'client.example',
  'x-real-ip': '203.0.113.9',
  forwarded: 'for=203.0.113.9',
  via: '1.1 client-proxy',
  'cf-connecting-ip': '203.0.113.9',
  'cf-ray': 'client-ray',
  'proxy-authorization': 'Basic Y2xpZW50',
  te: 'trailers',
  'x-custom': 'client-custom',
  'openai-organization': 'client-organisation',
  origin: 'https://client.example',
  referer: 'https://client.example/page',
}

describe('headers to the provider', () => {
  for (const dialect of ALL) {
    test(`${dialect.name}: no client credential, cookie or forwarded header arrives (REL-4)`, async () => {
      const { upstream, send, key } = await wholeScene(dialect)
      const headers = { ...PRIVATE, 'x-api-key': 'client-credential', 'x-goog-api-key': 'client-credential' }
      const response = await send(`${dialect.wholePath}?key=client-query-key&x=1`, dialect.wholeRequest, { headers })
      expect(response.status).toBe(200)
      const [request] = upstream.requests
      expect(request?.raw).not.toContain(key)
      expect(request?.raw).not.toContain('client-')
      expect(request?.raw).not.toContain('203.0.113.9')
      for (const name of Object.keys(PRIVATE)) expect(request?.header(name)).toBeNull()
      expect(request?.header('host')).toBe(`127.0.0.1:${upstream.port}`)
      expect(request?.header('content-length')).toBe(String(dialect.wholeRequest.length))
      expect(request?.target).toEndWith('?x=1')
    })
  }

  test('OpenAI: the listed headers and Codex’s session and request headers arrive as they were sent (REL-4)', async () => {
    const { upstream, send } = await wholeScene(RESPONSES)
    const allowed = {
      'accept-language': 'de-DE',
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'codex_exec/0.169.0 (Debian 12.0.0; x86_64)',
      originator: 'codex_exec',
      session_id: 'a-session',
      'session-id': 'b-session',
      'thread-id': 'b-session',
      'x-client-request-id': 'b-session',
      'x-codex-window-id': 'b-session:0',
      'x-codex-turn-metadata': '{"turn_id":"1"}',
      version: '0.169.0',
    }
    await send(RESPONSES.wholePath, RESPONSES.wholeRequest, { headers: allowed })
    const [request] = upstream.requests
    for (const [name, value] of Object.entries(allowed)) expect(request?.header(name)).toBe(value)
    expect(request?.header('authorization')).toBe('Bearer sk-of-account-0')
  })

  test('Anthropic: version, beta, user agent, x-app, x-stainless-* and session headers arrive unchanged (REL-4, REL-19)', async () => {
    const { upstream, send } = await wholeScene(ANTHROPIC)
    const allowed = {
      'anthropic-version': '2026-10-21',
      'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
      'user-agent': 'claude-cli/2.1.330 (external, sdk-cli)',
      'x-app': 'cli',
      'x-stainless-lang': 'js',
      'x-stainless-retry-count': '0',
      'x-claude-code-session-id': 'c-session',
    }
    await send(ANTHROPIC.wholePath, ANTHROPIC.wholeRequest, {
      headers: { ...allowed, originator: 'client-originator' },
    })
    const [request] = upstream.requests
    for (const [name, value] of Object.entries(allowed)) expect(request?.header(name)).toBe(value)
    expect(request?.header('x-api-key')).toBe('sk-of-account-0')
    expect(request?.header('authorization')).toBeNull()
    expect(request?.header('originator')).toBeNull()
  })

  test('Anthropic gets a version of its own only from clients that send none (REL-4)', async () => {
    const { upstream, send } = await wholeScene(ANTHROPIC)
    await send(ANTHROPIC.wholePath, ANTHROPIC.wholeRequest)
    expect(upstream.requests[0]?.header('anthropic-version')).toBe('2023-06-01')
  })

  test('content-type defaults to application/json, the user agent to our name and not the runtime’s (REL-4)', async () => {
    const { upstream, raw } = await wholeScene(CHAT)
    const client = await raw({ path: CHAT.wholePath, body: CHAT.wholeRequest })
    expect((await client.head()).status).toBe(200)
    client.leave()
    const [request] = upstream.requests
    expect(request?.header('content-type')).toBe('application/json')
    expect(request?.header('user-agent')).toBe('turnpike')
  })

  test('an account’s own user agent replaces the client’s (REL-4)', async () => {
    const { upstream, send } = await wholeScene(CHAT, {}, { credentials: { user_agent: 'house-agent/1.0' } })
    await send(CHAT.wholePath, CHAT.wholeRequest, { headers: { 'user-agent': 'client-agent/2' } })
    const agents = upstream.requests[0]?.fields.filter(([name]) => name.toLowerCase() === 'user-agent')
    expect(agents?.map(([, value]) => value)).toEqual(['house-agent/1.0'])
  })
})

describe('headers back to the client', () => {
  const PASSED = {
    'x-request-id': 'req-of-upstream',
    'request-id': 'req-of-upstream-too',
    'x-ratelimit-remaining-requests': '17',
    'anthropic-ratelimit-tokens-remaining': '1000',
    'openai-processing-ms': '250',
    'openai-version': '2020-10-01',
  }
  const KEPT = {
    'set-cookie': ['__cf_bm=provider-cookie; HttpOnly', '_cfuvid=provider-cookie-too'],
    server: 'provider-server',
    'cf-ray': 'provider-ray',
    'strict-transport-security': 'max-age=1',
    'alt-svc': 'h3=":443"',
    'keep-alive': 'timeout=99',
    'x-internal': 'provider-internal',
  }

  function expectAllowList(response: Response): void {
    for (const [name, value] of Object.entries(PASSED)) expect(response.headers.get(name)).toBe(value)
    for (const name of Object.keys(KEPT)) expect(response.headers.get(name)).toBeNull()
    expect(JSON.stringify([...response.headers])).not.toContain('provider-')
    expect(response.headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  }

  for (const dialect of ALL) {
    test(`${dialect.name}: request ids and rate limits pass, set-cookie and the rest never do (REL-6)`, async () => {
      const { upstream, send } = await wholeScene(dialect, { ...PASSED, ...KEPT })
      const whole = await send(dialect.wholePath, dialect.wholeRequest)
      expect(await whole.text()).toBe(dialect.body)
      expectAllowList(whole)
      upstream.script = async (_, reply) => {
        beginStream(reply, { ...PASSED, ...KEPT })
        await sendPieces(reply, streamOf(dialect))
        reply.end()
      }
      const stream = await send(dialect.path, dialect.request)
      expect(await stream.text()).toBe(streamOf(dialect).join(''))
      expectAllowList(stream)
      expect(stream.headers.get('content-type')).toBe('text/event-stream')
      expect(stream.headers.get('cache-control')).toBe('no-cache')
      expect(stream.headers.get('x-accel-buffering')).toBe('no')
      expect(stream.headers.get('content-length')).toBeNull()
    })
  }

  test('an answer that was decoded says nothing of its old encoding and length (REL-6)', async () => {
    const { upstream, send } = await scene()
    upstream.script = (_, reply) => answer(reply, 200, Bun.gzipSync(CHAT.body), { 'content-encoding': 'gzip' })
    const response = await send(CHAT.wholePath, CHAT.wholeRequest, { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('content-length')).toBe(String(CHAT.body.length))
    expect(await response.text()).toBe(CHAT.body)
    expect(upstream.requests[0]?.header('accept-encoding')).toBe('identity')
  })
})
