import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { type AdminApp, adminApp } from '../support/admin-app.ts'
import { answer, type ScriptedUpstream, startUpstream } from '../support/scripted-upstream.ts'
import { startTokenServer, type TokenServer, unsignedJwt } from '../support/token-server.ts'

let api: AdminApp
let tokens: TokenServer
let upstream: ScriptedUpstream
beforeAll(async () => {
  tokens = startTokenServer()
  upstream = await startUpstream()
  api = await adminApp({
    OAUTH_OPENAI_TOKEN_URL: tokens.url,
    OAUTH_GEMINI_CLIENT_ID: 'own',
    OAUTH_GEMINI_TOKEN_URL: tokens.url,
  })
})
beforeEach(() => {
  tokens.asks.length = 0
  tokens.answer = undefined
  upstream.requests.length = 0
})
afterAll(async () => {
  await Promise.all([tokens.stop(), upstream.stop()])
  await api.database.drop()
})

const authorize = async (platform = 'openai') => {
  const { json } = await api.ask('POST', `/admin/oauth/${platform}/authorize`)
  return { state: json.state as string, url: new URL(json.authorize_url) }
}
const exchange = (body: object, platform = 'openai') => api.ask('POST', `/admin/oauth/${platform}/exchange`, body)
const account = async (more: object = {}) =>
  (
    await api.ask('POST', '/admin/accounts', {
      name: 'a',
      platform: 'openai',
      type: 'oauth',
      credentials: { access_token: 'hunter2-access', refresh_token: 'hunter2-refresh', base_url: upstream.url },
      ...more,
    })
  ).json.id as string

describe('/admin/oauth', () => {
  test('authorize, sign in, exchange: an account with the tokens, whose challenge was kept (ACC-10)', async () => {
    const { state, url } = await authorize()
    const id_token = unsignedJwt({ 'https://api.openai.com/auth': { chatgpt_account_id: 'acc-7' } })
    tokens.answer = () =>
      Response.json({
        access_token: 'hunter2-access',
        refresh_token: 'hunter2-refresh-token',
        expires_in: 3600,
        id_token,
      })
    const made = await exchange({ code: 'ac_1', state, name: 'signed-in' })
    expect(made).toMatchObject({
      status: 201,
      json: { name: 'signed-in', platform: 'openai', type: 'oauth', credentials: { chatgpt_account_id: 'acc-7' } },
    })
    const [ask] = tokens.asks
    expect(ask?.fields).toMatchObject({ grant_type: 'authorization_code', code: 'ac_1' })
    const challenge = createHash('sha256')
      .update(ask?.fields.code_verifier ?? '')
      .digest('base64url')
    expect(url.searchParams.get('code_challenge')).toBe(challenge)
    expect(url.searchParams.get('state')).toBe(state)
    expect(made.json.group_ids).toHaveLength(1)
    const seen = made.text + (await api.ask('GET', '/admin/audit')).text + api.lines.join()
    expect(seen).not.toContain('hunter2')
  })

  test('the address that the browser was sent to is taken for the code (ACC-10)', async () => {
    const { state } = await authorize('gemini')
    const made = await exchange(
      { code: `http://localhost:8085/oauth2callback?state=${state}&code=4%2F0x`, state },
      'gemini',
    )
    expect([made.status, tokens.asks[0]?.fields.code]).toEqual([201, '4/0x'])
    expect(made.json.name).toBe('gemini 2026-08-01')
  })

  test('a state is good once, for ten minutes, for its platform; a stranger’s is refused (ACC-10)', async () => {
    const refused = { status: 422, json: { error: { field: 'state' } } }
    const { state } = await authorize()
    expect((await exchange({ code: 'c', state })).status).toBe(201)
    expect(await exchange({ code: 'c', state })).toMatchObject(refused)
    expect(await exchange({ code: 'c', state: 'made-up' })).toMatchObject(refused)
    expect(await exchange({ code: 'c', state: (await authorize('gemini')).state })).toMatchObject(refused)
    const [fresh, old] = [await authorize(), await authorize()]
    const realNow = Date.now
    try {
      Date.now = () => realNow() + 10 * 60_000 - 5000
      expect((await exchange({ code: 'c', state: fresh.state })).status).toBe(201)
      Date.now = () => realNow() + 10 * 60_000 + 5000
      expect(await exchange({ code: 'c', state: old.state })).toMatchObject(refused)
    } finally {
      Date.now = realNow
    }
    expect(tokens.asks).toHaveLength(2)
  })

  test('what the platform refuses is told with its reason, what makes no sense with the field (ACC-10)', async () => {
    tokens.answer = () => Response.json({ error: 'invalid_grant', error_description: 'code expired' }, { status: 400 })
    const { state } = await authorize()
    expect(await exchange({ code: 'c', state })).toMatchObject({
      status: 422,
      json: { error: { field: 'code', message: 'openai did not take the code: invalid_grant: code expired' } },
    })
    const other = await exchange({ code: 'http://localhost/cb?code=c&state=another', state })
    expect(other).toMatchObject({ status: 422, json: { error: { field: 'code' } } })
    const proxy = await exchange({ code: 'c', state, proxy_id: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e13' })
    expect(proxy).toMatchObject({ status: 422, json: { error: { field: 'proxy_id' } } })
    const again = await authorize()
    const groups = ['01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e13']
    const grouped = await exchange({ code: 'c', state: again.state, group_ids: groups })
    expect(grouped).toMatchObject({ status: 422, json: { error: { field: 'group_ids' } } })
    // The code was not spent on it: the same sign-in still makes an account.
    tokens.answer = undefined
    expect((await exchange({ code: 'c', state: again.state })).status).toBe(201)
  })

  test('a platform without parameters says which variable to set; an unknown one is a 404 (ACC-10)', async () => {
    const anthropic = await api.ask('POST', '/admin/oauth/anthropic/authorize')
    expect([anthropic.status, anthropic.json.error.message]).toEqual([
      409,
      expect.stringContaining('OAUTH_ANTHROPIC_CLIENT_ID'),
    ])
    expect((await api.ask('POST', '/admin/oauth/bedrock/authorize')).status).toBe(409)
    expect((await api.ask('POST', '/admin/oauth/nowhere/authorize')).status).toBe(404)
  })
})

describe('POST /admin/accounts/{id}/refresh', () => {
  test('says when the new token expires, or why there is none (ACC-10)', async () => {
    const id = await account()
    const before = Date.now()
    const { json } = await api.ask('POST', `/admin/accounts/${id}/refresh`)
    expect([json.ok, json.message]).toEqual([true, null])
    expect(Date.parse(json.expires_at) - before).toBeGreaterThan(3_590_000)
    expect((await api.ask('GET', `/admin/accounts/${id}`)).json.credentials.expires_at).toBe(json.expires_at)
    tokens.answer = () => Response.json({ error: 'invalid_grant' }, { status: 400 })
    expect((await api.ask('POST', `/admin/accounts/${id}/refresh`)).json).toEqual({
      ok: false,
      expires_at: null,
      message: 'invalid_grant',
    })
    expect((await api.ask('GET', `/admin/accounts/${id}`)).json).toMatchObject({
      status: 'error',
      error_message: 'invalid_grant',
    })
    const { data } = (await api.ask('GET', '/admin/audit')).json
    expect(data[0]).toMatchObject({ action: 'account.refresh', resource_id: id })
  })

  test('an account with an API key has nothing to refresh: 409', async () => {
    const id = await account({ type: 'api_key', credentials: { api_key: 'k' } })
    expect((await api.ask('POST', `/admin/accounts/${id}/refresh`)).status).toBe(409)
  })
})

describe('POST /admin/accounts/{id}/test', () => {
  const keyed = (more: object = {}) =>
    account({ type: 'api_key', credentials: { api_key: 'sk-upstream', base_url: upstream.url }, ...more })
  const CHAT = JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'length' }],
    usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
  })

  test('sends one request of one token and says what came back (ACC-15)', async () => {
    upstream.script = (_, reply) => answer(reply, 200, CHAT, { 'x-request-id': 'req-1' })
    const { json } = await api.ask('POST', `/admin/accounts/${await keyed()}/test`, {})
    expect(json).toEqual({
      ok: true,
      status: 200,
      ms: expect.any(Number),
      model: 'gpt-4.1-nano',
      cause: null,
      message: null,
      upstream_request_id: 'req-1',
    })
    const [request] = upstream.requests
    expect([upstream.requests.length, request?.target]).toEqual([1, '/v1/chat/completions'])
    expect(JSON.parse(String(request?.body))).toMatchObject({ model: 'gpt-4.1-nano', max_tokens: 1 })
  })

  test('asks the model that the caller names, mapped, or the cheapest of the mapping (ACC-15, ACC-2)', async () => {
    upstream.script = (_, reply) => answer(reply, 200, CHAT)
    const id = await keyed({ model_mapping: { big: 'gpt-5.1', small: 'gpt-5-nano', unknown: 'house-model' } })
    const asked = async (body: object) => (await api.ask('POST', `/admin/accounts/${id}/test`, body)).json.model
    expect(await asked({})).toBe('gpt-5-nano')
    expect(await asked({ model: 'big' })).toBe('gpt-5.1')
    expect(await asked({ model: 'not-mapped' })).toBe('not-mapped')
    const wild = await keyed({ model_mapping: { 'big*': 'gpt-5.1', 'house-*': 'local-*' } })
    expect((await api.ask('POST', `/admin/accounts/${wild}/test`)).json.model).toBe('gpt-5.1')
  })

  test('an upstream’s refusal is told with the cause that an attempt would have (ACC-15)', async () => {
    const id = await keyed()
    const causeOf = async (status: number, body: string) => {
      upstream.script = (_, reply) => answer(reply, status, body)
      const { json } = await api.ask('POST', `/admin/accounts/${id}/test`)
      return [json.ok, json.status, json.cause, json.message]
    }
    expect(await causeOf(401, '{"error":{"message":"bad key"}}')).toEqual([false, 401, 'unauthorized', 'bad key'])
    expect(await causeOf(429, '{"error":{"message":"slow"}}')).toEqual([false, 429, 'rate_limited', 'slow'])
    expect(await causeOf(500, '<html>')).toEqual([false, 500, 'server_error', null])
    expect((await causeOf(200, '<html>')).slice(0, 3)).toEqual([false, 200, 'stream_fault'])
    expect((await api.ask('GET', `/admin/accounts/${id}`)).json.status).toBe('active')
  })

  test('an upstream that is not there is an answer too (ACC-15)', async () => {
    const id = await keyed({ credentials: { api_key: 'k', base_url: 'http://localhost:1' } })
    expect((await api.ask('POST', `/admin/accounts/${id}/test`)).json).toMatchObject({
      ok: false,
      status: null,
      cause: 'connect_error',
    })
  })

  test('each kind of account is asked in its own words, by its own credential (ACC-15)', async () => {
    upstream.script = (_, reply) => answer(reply, 400, '{"error":{"message":"no"}}')
    const ask = async (platform: string, type: string) => {
      const secret = type === 'oauth' ? { access_token: 'secret' } : { api_key: 'secret' }
      const id = await account({ platform, type, credentials: { ...secret, base_url: upstream.url } })
      await api.ask('POST', `/admin/accounts/${id}/test`)
      const { target, body, header } = upstream.requests.at(-1)!
      return { target, body: JSON.parse(String(body)), authorization: header('authorization') }
    }
    expect(await ask('openai', 'oauth')).toMatchObject({ target: '/responses', body: { stream: true, store: false } })
    expect(await ask('anthropic', 'api_key')).toMatchObject({ target: '/v1/messages', body: { max_tokens: 1 } })
    expect(await ask('gemini', 'api_key')).toMatchObject({
      target: '/v1beta/models/gemini-2.5-flash-lite:generateContent',
      body: { generationConfig: { maxOutputTokens: 1 } },
    })
    for (const platform of ['openai', 'anthropic', 'gemini']) {
      expect((await ask(platform, 'oauth')).authorization).toBe('Bearer secret')
    }
  })

  test('a token that is turned down is refreshed once on the way (ACC-6)', async () => {
    upstream.script = (request, reply) =>
      request.header('authorization') === 'Bearer hunter2-access'
        ? answer(reply, 401, '{"error":{"message":"expired"}}')
        : answer(reply, 400, '{"error":{"message":"but known"}}')
    const { json } = await api.ask('POST', `/admin/accounts/${await account()}/test`)
    expect([json.status, json.message, tokens.asks.length]).toEqual([400, 'but known', 1])
  })

  test('a kind of account that can’t be tested is a 409', async () => {
    const aws = { aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key: 'x', aws_region: 'us-east-1' }
    const id = await account({ platform: 'bedrock', type: 'aws', credentials: aws })
    expect((await api.ask('POST', `/admin/accounts/${id}/test`)).status).toBe(409)
  })
})
