/** What real clients need beyond their protocol: paths, keys, probes, lists of models, one clear error (REL-19, REL-18, KEY-2). */
import { describe, expect, test } from 'bun:test'
import { ANTHROPIC, CHAT, type Dialect, GEMINI, RESPONSES } from '../support/dialects.ts'
import { openRaw } from '../support/raw-client.ts'
import { useGateway } from '../support/scene.ts'
import { answer } from '../support/scripted-upstream.ts'

const { gateway, scene, record } = useGateway()

const call = (path: string, init: RequestInit = {}) => fetch(gateway().url + path, init)
const withKey = (key: string, headers: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${key}`, ...headers },
})

describe('probes', () => {
  test('a websocket upgrade is answered 426 at once, without a key too, so that Codex falls back to HTTP (REL-19)', async () => {
    for (const path of ['/v1/responses', '/responses', '/backend-api/codex/responses']) {
      const client = await openRaw(gateway().url, {
        method: 'GET',
        path,
        headers: {
          upgrade: 'websocket',
          connection: 'Upgrade',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-version': '13',
          'openai-beta': 'responses_websockets=2026-02-06',
        },
      })
      expect((await client.head()).status).toBe(426)
      await client.has('"code":"websocket_unsupported"')
      client.leave()
    }
  })

  test('HEAD on known paths and on /api/hello needs no key (REL-19)', async () => {
    const paths = [
      '/api/hello',
      '/v1/messages',
      '/v1/messages/count_tokens',
      '/v1/responses',
      '/v1/chat/completions',
      '/v1/embeddings',
      '/v1/models',
      '/v1beta/models',
      '/',
      '/healthz',
      '/readyz',
    ]
    for (const path of paths) {
      const response = await call(path, { method: 'HEAD' })
      expect(`${path} ${response.status}`).toBe(`${path} 200`)
      expect(await response.text()).toBe('')
      expect(response.headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  test('another method on a known path, and an unknown path, are told in the asking client’s shape (REL-19)', async () => {
    const wrong = await call('/v1/messages')
    expect([wrong.status, (await wrong.json()) as unknown]).toMatchObject([405, { type: 'error' }])
    const cases: [string, Record<string, string>, object][] = [
      ['/v1/nothing', {}, { error: { type: 'not_found_error', code: 'unknown_endpoint', param: null } }],
      ['/v1/nothing', { 'anthropic-version': '2023-06-01' }, { type: 'error', error: { type: 'not_found_error' } }],
      ['/v1beta/nothing', {}, { error: { code: 404, status: 'NOT_FOUND' } }],
      ['/v1beta/models/m:unknownVerb', {}, { error: { code: 404, status: 'NOT_FOUND' } }],
    ]
    for (const [path, headers, body] of cases) {
      const response = await call(path, { method: 'POST', body: '{}', headers })
      expect(`${path} ${response.status}`).toBe(`${path} 404`)
      expect(response.headers.get('x-turnpike-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      expect(await response.json()).toMatchObject(body)
    }
  })

  test('paths that are no valid UTF-8 get a clean answer, never a 500 (OPS-11)', async () => {
    const { key } = await scene({ platform: 'gemini', accounts: [{ model_mapping: { m: 'm' } }] })
    for (const path of ['/v1/models/%ff', '/v1beta/models/%e0%a4:generateContent', '/v1/models/%']) {
      for (const method of ['GET', 'POST']) {
        const client = await openRaw(gateway().url, {
          method,
          path,
          headers: { 'x-goog-api-key': key, ...(method === 'POST' ? { 'content-length': '2' } : {}) },
          body: method === 'POST' ? '{}' : undefined,
        })
        const { status } = await client.head()
        expect(`${method} ${path} ${status >= 400 && status < 500}`).toBe(`${method} ${path} true`)
        client.leave()
      }
    }
  })
})

describe('keys', () => {
  const PLACES: [string, (key: string) => { headers?: Record<string, string>; query?: string }][] = [
    ['Bearer', (key) => ({ headers: { authorization: `Bearer ${key}` } })],
    ['x-api-key', (key) => ({ headers: { 'x-api-key': key } })],
    ['x-goog-api-key', (key) => ({ headers: { 'x-goog-api-key': key } })],
    ['the query', (key) => ({ query: `?key=${key}` })],
  ]
  test('every protocol takes its key from each place, and passes it on from none (KEY-2, REL-4, REL-19)', async () => {
    for (const dialect of [RESPONSES, CHAT, ANTHROPIC, GEMINI]) {
      const { upstream, key } = await scene({
        platform: dialect.platform,
        script: (_, reply) => answer(reply, 200, dialect.body),
      })
      for (const [place, put] of PLACES) {
        const { headers, query = '' } = put(key)
        const response = await call(dialect.wholePath + query, { method: 'POST', headers, body: dialect.wholeRequest })
        expect(`${dialect.name}, ${place}: ${response.status}`).toBe(`${dialect.name}, ${place}: 200`)
        expect(upstream.requests.at(-1)?.raw).not.toContain(key)
      }
    }
  })

  test('without one it is a 401 in the protocol’s shape, and no provider hears of it (KEY-4)', async () => {
    const SHAPES: [Dialect, object][] = [
      [CHAT, { error: { type: 'authentication_error', code: 'invalid_api_key', param: null } }],
      [ANTHROPIC, { type: 'error', error: { type: 'authentication_error' } }],
      [GEMINI, { error: { code: 401, status: 'UNAUTHENTICATED' } }],
    ]
    for (const [dialect, shape] of SHAPES) {
      const { upstream } = await scene({ platform: dialect.platform })
      for (const headers of [undefined, { authorization: 'Bearer tp_nobody' }]) {
        const response = await call(dialect.wholePath, { method: 'POST', body: dialect.wholeRequest, headers })
        expect(response.status).toBe(401)
        expect(await response.json()).toMatchObject(shape)
      }
      expect(upstream.requests).toEqual([])
    }
  })
})

describe('endpoints', () => {
  const OPENAI = [
    ['/v1/responses', '/v1/responses'],
    ['/responses', '/v1/responses'],
    ['/backend-api/codex/responses', '/v1/responses'],
    ['/v1/responses/compact', '/v1/responses/compact'],
    ['/v1/chat/completions', '/v1/chat/completions'],
    ['/v1/embeddings', '/v1/embeddings'],
  ]
  const CLAUDE = [
    ['/v1/messages?beta=true', '/v1/messages?beta=true'],
    ['/v1/messages/count_tokens?beta=true', '/v1/messages/count_tokens?beta=true'],
  ]
  const VERBS = ['generateContent', 'countTokens', 'embedContent', 'batchEmbedContents']
  const GOOGLE = ['v1', 'v1beta'].flatMap((version) =>
    VERBS.map((verb) => [`/${version}/models/gemini-2.5-flash:${verb}`, `/${version}/models/gemini-2.5-flash:${verb}`]),
  )
  const TABLE: [Dialect, string[][]][] = [
    [RESPONSES, OPENAI],
    [ANTHROPIC, CLAUDE],
    [GEMINI, GOOGLE],
  ]
  test('each path reaches the provider’s own, both Gemini styles with the version that was asked for (REL-18, REL-19)', async () => {
    for (const [dialect, paths] of TABLE) {
      const { upstream, send } = await scene({
        platform: dialect.platform,
        script: (_, reply) => answer(reply, 200, dialect.body),
      })
      for (const [asked = '', reached = ''] of paths) {
        const response = await send(asked, dialect.wholeRequest)
        expect(`${asked} ${response.status}`).toBe(`${asked} 200`)
        expect(upstream.requests.at(-1)?.target).toBe(reached)
        const { endpoint } = await record(response)
        expect(endpoint).toBe(asked.split('?')[0] ?? '')
      }
    }
  })

  test('a colon that a client has encoded still parts model and verb (REL-19)', async () => {
    const { upstream, send } = await scene({
      platform: 'gemini',
      script: (_, reply) => answer(reply, 200, GEMINI.body),
    })
    const response = await send('/v1beta/models/gemini-2.5-flash%3AgenerateContent', GEMINI.wholeRequest)
    expect(response.status).toBe(200)
    expect(upstream.requests[0]?.target).toBe('/v1beta/models/gemini-2.5-flash:generateContent')
  })

  test('counting tokens is free: its record has no tokens and no cost (REL-18, BIL-1)', async () => {
    const { send } = await scene({
      platform: 'anthropic',
      script: (_, reply) => answer(reply, 200, '{"input_tokens":2095}'),
    })
    const response = await send('/v1/messages/count_tokens', ANTHROPIC.wholeRequest)
    expect(await response.text()).toBe('{"input_tokens":2095}')
    expect(await record(response)).toMatchObject({ status: 'completed', total_tokens: 0, cost_usd: 0 })
  })
})

describe('lists of models', () => {
  const mapping = { 'gpt-5-mini': 'gpt-5-mini', 'house-model': 'gpt-5' }

  test('one path, three shapes, by the asking client’s headers (REL-19)', async () => {
    const openai = await scene({ accounts: [{ model_mapping: mapping }] })
    expect(await (await call('/v1/models', withKey(openai.key))).json()).toMatchObject({
      object: 'list',
      data: [
        { id: 'gpt-5-mini', object: 'model' },
        { id: 'house-model', object: 'model' },
      ],
    })
    expect(await (await call('/v1/models/house-model', withKey(openai.key))).json()).toMatchObject({
      id: 'house-model',
      object: 'model',
    })
    const version = { 'anthropic-version': '2023-06-01' }
    const anthropic = await scene({ platform: 'anthropic', accounts: [{ model_mapping: mapping }] })
    expect(await (await call('/v1/models?limit=1000', withKey(anthropic.key, version))).json()).toMatchObject({
      data: [
        { id: 'gpt-5-mini', type: 'model' },
        { id: 'house-model', type: 'model' },
      ],
      has_more: false,
      first_id: 'gpt-5-mini',
      last_id: 'house-model',
    })
    const gemini = await scene({ platform: 'gemini', accounts: [{ model_mapping: mapping }] })
    for (const path of ['/v1beta/models', '/v1/models']) {
      const response = await call(path, { headers: { 'x-goog-api-key': gemini.key } })
      expect(await response.json()).toMatchObject({
        models: [{ name: 'models/gpt-5-mini' }, { name: 'models/house-model' }],
      })
    }
  })

  test('without a mapping it is the upstream’s own list, and the priced names while that cannot be had (REL-19, ACC-2)', async () => {
    const { upstream, key } = await scene({
      script: (_, reply) => answer(reply, 200, '{"object":"list","data":[{"id":"upstreams-own","object":"model"}]}'),
    })
    const list = await (await call('/v1/models', withKey(key))).json()
    expect(list).toMatchObject({ data: [{ id: 'upstreams-own' }] })
    expect(upstream.requests.map(({ method, target }) => `${method} ${target}`)).toEqual(['GET /v1/models'])
    expect(upstream.requests[0]?.header('authorization')).toBe('Bearer sk-of-account-0')
    const failing = await scene({ script: (_, reply) => answer(reply, 500, '{}') })
    const priced = (await (await call('/v1/models', withKey(failing.key))).json()) as { data: { id: string }[] }
    expect(priced.data.map(({ id }) => id)).toContain('gpt-5-mini')
  })

  test('a model that the key cannot reach is a 404, and the list needs a key (REL-19, KEY-4)', async () => {
    const { key } = await scene({ accounts: [{ model_mapping: mapping }] })
    const response = await call('/v1/models/other', withKey(key))
    expect([response.status, (await response.json()) as unknown]).toMatchObject([
      404,
      { error: { code: 'model_not_found' } },
    ])
    expect((await call('/v1/models')).status).toBe(401)
  })
})

describe('one clear error', () => {
  test('after every account has failed: each was asked once, the client gets the last one’s error (REL-19, REL-12)', async () => {
    const { upstream, send } = await scene({
      accounts: [
        { path: '/a', priority: 1 },
        { path: '/b', priority: 2 },
        { path: '/c', priority: 3 },
      ],
      script: (request, reply) => answer(reply, request.target.startsWith('/c/') ? 529 : 500, '{}'),
    })
    const response = await send(CHAT.path, CHAT.request)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ error: { code: 'upstream_overloaded' } })
    expect(upstream.requests.map(({ target }) => target.slice(0, 2))).toEqual(['/a', '/b', '/c'])
    expect((await record(response)).attempts.map(({ status }) => status)).toEqual([500, 500, 529])
  })
})
