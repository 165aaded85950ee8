/** Requests through accounts whose access token is turned down or has expired (ACC-6, ACC-10), in the gateway as it ships. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { RESPONSES } from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { answer, type Script } from '../support/scripted-upstream.ts'
import { startTokenServer } from '../support/token-server.ts'
import { until } from '../support/until.ts'

const tokens = startTokenServer()
afterAll(() => tokens.stop())
beforeEach(() => {
  tokens.asks.length = 0
  tokens.answer = undefined
})

const { gateway, scene, record } = useGateway({ OAUTH_OPENAI_TOKEN_URL: tokens.url })

const REQUEST = { model: 'gpt-5-mini', input: 'hi' }
const REVOKED = '{"error":{"message":"token revoked","code":"token_revoked"}}'
const oauth = (more: object = {}) => ({
  type: 'oauth',
  credentials: { access_token: 'access-of-account', refresh_token: 'refresh-of-account', ...more },
})
const isOld = (authorization: string | null) => authorization === 'Bearer access-of-account'
/** A platform that has ended the token that the account came with. */
const revoking: Script = (request, reply) =>
  isOld(request.header('authorization')) ? answer(reply, 401, REVOKED) : answer(reply, 200, RESPONSES.body)

interface ShownAccount {
  status: string
  error_message: string | null
  unschedulable_until: string | null
}
const shown = (id = '') => gateway().admin<ShownAccount>('GET', `/admin/accounts/${id}`)

describe('an OAuth account', () => {
  test('whose token is turned down is refreshed once and asked again; the record tells both attempts (ACC-6)', async () => {
    const { accounts, send } = await scene({ accounts: [oauth()], script: revoking })
    const answered = await send('/v1/responses', REQUEST)
    expect(answered.status).toBe(200)
    const { attempts } = await record(answered)
    expect(attempts.map(({ account_id, status, reason }) => [account_id, status, reason])).toEqual([
      [accounts[0]!, 401, 'unauthorized'],
      [accounts[0]!, 200, null],
    ])
    expect(tokens.asks.map(({ fields }) => fields.refresh_token)).toEqual(['refresh-of-account'])
    // The new token is there to stay.
    expect((await record(await send('/v1/responses', REQUEST))).attempts).toHaveLength(1)
    expect(await shown(accounts[0])).toMatchObject({ status: 'active', error_message: null })
  })

  test('still turned down after its refresh is an error; the next account serves the request (ACC-6)', async () => {
    const { accounts, upstream, send } = await scene({
      accounts: [
        { ...oauth(), priority: 1, path: '/first' },
        { ...oauth({ access_token: 'good' }), priority: 2, path: '/second' },
      ],
      script: (request, reply) =>
        request.target.startsWith('/first') ? answer(reply, 401, REVOKED) : answer(reply, 200, RESPONSES.body),
    })
    const answered = await send('/v1/responses', REQUEST)
    expect(answered.status).toBe(200)
    const { attempts } = await record(answered)
    expect(attempts.map(({ account_id, status }) => [account_id, status])).toEqual([
      [accounts[0]!, 401],
      [accounts[0]!, 401],
      [accounts[1]!, 200],
    ])
    expect([tokens.asks.length, upstream.requests.length]).toEqual([1, 3])
    const { status, error_message } = await untilError(accounts[0]!)
    expect([status, error_message]).toEqual(['error', 'Authentication failed: token revoked'])
  })

  test('whose token has expired makes requests wait for one refresh, however many they are (ACC-10)', async () => {
    const { upstream, send } = await scene({
      accounts: [oauth({ expires_at: '2020-01-01T00:00:00Z' })],
      script: revoking,
    })
    const answers = await Promise.all(Array.from({ length: 30 }, () => send('/v1/responses', REQUEST)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect([tokens.asks.length, upstream.requests.length]).toEqual([1, 30])
    expect(upstream.requests.some((request) => isOld(request.header('authorization')))).toBe(false)
  })

  test('whose refresh fails for now is out for a while, not for good (ACC-10)', async () => {
    tokens.answer = () => new Response('busy', { status: 503 })
    const { accounts, send } = await scene({ accounts: [oauth({ expires_at: '2020-01-01T00:00:00Z' })] })
    const refused = await send('/v1/responses', REQUEST)
    expect(refused.status).toBe(502)
    expect((await record(refused)).attempts).toMatchObject([{ status: null, reason: 'credential_error' }])
    expect((await shown(accounts[0])).status).toBe('active')
    expect((await send('/v1/responses', REQUEST)).status).toBe(503)
    expect(tokens.asks).toHaveLength(1)
  })

  test('whose refresh token is no longer good is an error with the reason (ACC-10)', async () => {
    tokens.answer = () => Response.json({ error: 'invalid_grant', error_description: 'signed out' }, { status: 400 })
    const { accounts, send } = await scene({ accounts: [oauth({ expires_at: '2020-01-01T00:00:00Z' })] })
    expect((await send('/v1/responses', REQUEST)).status).toBe(502)
    const { error_message } = await untilError(accounts[0]!)
    expect(error_message).toContain('invalid_grant: signed out')
    expect((await send('/v1/responses', REQUEST)).status).toBe(503)
    expect(tokens.asks).toHaveLength(1)
  })
})

/** Errors that the relay learns of are written a moment later. */
async function untilError(id: string): Promise<ShownAccount> {
  const ask = async () => {
    const account = await shown(id)
    return account.status === 'error' && account
  }
  return until(ask, { what: `account ${id} in status error` })
}
