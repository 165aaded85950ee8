import { describe, expect, test } from 'bun:test'
import { authorizeUrlOf, readPastedCode, readTokenAnswer, tokenRequestOf } from '../../../src/providers/oauth/oauth.ts'
import { createOauthTable, OAUTH } from '../../../src/providers/oauth/table.ts'
import { unsignedJwt } from '../../support/token-server.ts'

const openai = { ...OAUTH.openai!, clientId: 'client-1' }
const anthropic = { ...OAUTH.anthropic!, clientId: 'client-2' }
const NOW = Date.UTC(2026, 7, 1)
const answer = (body: unknown, status = 200) =>
  readTokenAnswer(openai, { status, text: typeof body === 'string' ? body : JSON.stringify(body), nowMs: NOW })

describe('OAuth facts', () => {
  test('the authorize URL carries PKCE S256, state and the configured client, and no name of another client (ACC-10)', () => {
    for (const facts of Object.values(OAUTH)) {
      const url = new URL(authorizeUrlOf({ ...facts, clientId: 'mine' }, { state: 's', challenge: 'c' }))
      expect(url.protocol).toBe('https:')
      expect(Object.fromEntries(url.searchParams)).toMatchObject({
        response_type: 'code',
        client_id: 'mine',
        redirect_uri: facts.redirectUri,
        scope: facts.scopes,
        state: 's',
        code_challenge: 'c',
        code_challenge_method: 'S256',
      })
      expect(url.searchParams.has('originator')).toBe(false)
    }
  })

  test('each platform gets the body form that it takes (ACC-10)', () => {
    const exchange = { type: 'authorization_code', code: 'co', verifier: 've', state: 'st' } as const
    const form = tokenRequestOf(openai, exchange)
    expect(form.contentType).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(new URLSearchParams(form.body))).toEqual({
      grant_type: 'authorization_code',
      client_id: 'client-1',
      code: 'co',
      redirect_uri: openai.redirectUri,
      code_verifier: 've',
    })
    expect(JSON.parse(tokenRequestOf(anthropic, exchange).body)).toMatchObject({ state: 'st', code_verifier: 've' })
    const refresh = tokenRequestOf(openai, { type: 'refresh_token', refreshToken: 'rt' })
    expect(JSON.parse(refresh.body)).toEqual({
      grant_type: 'refresh_token',
      client_id: 'client-1',
      refresh_token: 'rt',
    })
    const gemini = { ...OAUTH.gemini!, clientId: 'client-3', clientSecret: 'shared' }
    const google = new URLSearchParams(tokenRequestOf(gemini, { type: 'refresh_token', refreshToken: 'rt' }).body)
    expect(google.get('client_secret')).toBe('shared')
  })

  test('settings of the operator take the place of the vendor’s, one by one (ACC-10)', () => {
    const none = {
      authorizeUrl: null,
      tokenUrl: null,
      clientId: null,
      clientSecret: null,
      redirectUri: null,
      scopes: null,
    }
    const table = createOauthTable({ anthropic: { ...none, clientId: 'own' } })
    expect(table('anthropic')).toMatchObject({ clientId: 'own', tokenUrl: OAUTH.anthropic?.tokenUrl })
    expect(createOauthTable()('anthropic')?.clientId).toBeNull()
    expect(table('bedrock')).toBeNull()
  })

  test('expiry is expires_in, else the token’s own exp, else unknown (ACC-10)', () => {
    const expiry = (body: object) => {
      const read = answer(body)
      return read.kind === 'tokens' ? read.credentials.expiresAtMs : read
    }
    expect(expiry({ access_token: 'opaque', expires_in: 60 })).toBe(NOW + 60_000)
    expect(expiry({ access_token: 'opaque', expires_in: '60' })).toBe(NOW + 60_000)
    expect(expiry({ access_token: unsignedJwt({ exp: NOW / 1000 + 5 }) })).toBe(NOW + 5000)
    expect(expiry({ access_token: 'opaque' })).toBeNull()
  })

  test('the ChatGPT account is read from the id token’s claims (ACC-10)', () => {
    const id_token = unsignedJwt({ 'https://api.openai.com/auth': { chatgpt_account_id: 'acc-7' } })
    expect(answer({ access_token: 'a', id_token })).toMatchObject({ credentials: { chatgptAccountId: 'acc-7' } })
    const without = answer({ access_token: 'a', id_token: 'no.jwt.!' })
    expect(without.kind === 'tokens' && 'chatgptAccountId' in without.credentials).toBe(false)
  })

  test('only the vendors’ spellings of invalid_grant end an account; other refusals are tried again (ACC-10)', () => {
    const dead = (body: unknown, status: number) => {
      const read = answer(body, status)
      return read.kind === 'refused' ? read.dead : null
    }
    expect(dead({ error: 'invalid_grant', error_description: 'revoked' }, 400)).toBe(true)
    expect(dead({ error: { code: 'refresh_token_reused', message: 'used twice' } }, 401)).toBe(true)
    expect(dead({ error: { code: 'refresh_token_expired' } }, 401)).toBe(true)
    expect(dead({ error: 'invalid_client' }, 401)).toBe(false)
    expect(dead({ error: 'temporarily_unavailable' }, 503)).toBe(false)
    expect(dead('<html>bad gateway</html>', 502)).toBe(false)
    expect(dead({ token_type: 'bearer' }, 200)).toBe(false)
    expect(answer({ error: 'invalid_grant', error_description: 'x'.repeat(5000) }, 400)).toMatchObject({
      message: expect.stringMatching(/^invalid_grant: x{50,190}$/),
    })
  })

  test('a code is taken as people paste it (ACC-10)', () => {
    expect(readPastedCode(' ac_1 ')).toEqual({ code: 'ac_1', state: null })
    expect(readPastedCode('ac_1#st')).toEqual({ code: 'ac_1', state: 'st' })
    expect(readPastedCode('http://localhost:1455/auth/callback?code=ac%2F1&state=st')).toEqual({
      code: 'ac/1',
      state: 'st',
    })
    expect(readPastedCode('')).toEqual({ code: '', state: null })
  })
})
