/** Sign-in, refresh and test of accounts: `/admin/oauth/{platform}/…`, `/admin/accounts/{id}/refresh`, `…/test` (ACC-10, ACC-15). */
import { Type } from '@sinclair/typebox'
import type { AccountAccessAdmin } from '../../admin/account-access.ts'
import { isFault } from '../../core/fault.ts'
import { AccountView } from '../../schema/account-views.ts'
import { UUID_PATTERN } from '../../schema/field.ts'
import { type Call, call } from './call.ts'
import { orNull } from './or-null.ts'

const tag = 'Accounts'

const TestBody = Type.Object(
  {
    model: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: 'As a client would name it', example: 'gpt-4.1-nano' }),
    ),
  },
  { title: 'AccountTest', additionalProperties: false },
)

const TestAnswer = Type.Object(
  {
    ok: Type.Boolean({ description: 'Did it answer as it should?', example: true }),
    status: orNull(Type.Integer({ description: 'HTTP status; null: no answer', example: 200 })),
    ms: Type.Integer({ description: 'How long it took', example: 412 }),
    model: Type.String({ description: "The upstream's name of the model asked", example: 'gpt-4.1-nano' }),
    cause: orNull(Type.String({ description: 'Why not, as attempts name it', example: 'unauthorized' })),
    message: orNull(Type.String({ description: 'What the upstream said', example: 'Incorrect API key provided' })),
    upstream_request_id: orNull(Type.String({ description: "The upstream's id of the request", example: 'req_0123' })),
  },
  { title: 'AccountTestResult' },
)

const RefreshAnswer = Type.Object(
  {
    ok: Type.Boolean({ description: 'Is there a new token?', example: true }),
    expires_at: orNull(
      Type.String({ description: 'When it expires; null: unknown', example: '2026-08-01T00:00:00.000Z' }),
    ),
    message: orNull(Type.String({ description: 'Why not', example: 'invalid_grant: the refresh token was revoked' })),
  },
  { title: 'AccountRefreshResult' },
)

const AuthorizeAnswer = Type.Object(
  {
    authorize_url: Type.String({
      description: 'To open in a browser',
      example: 'https://auth.openai.com/oauth/authorize?…',
    }),
    state: Type.String({ description: 'To give back with the code; good once, for ten minutes', example: 'Zk3…' }),
  },
  { title: 'OauthAuthorize' },
)

const ExchangeBody = Type.Object(
  {
    code: Type.String({
      minLength: 1,
      maxLength: 5000,
      description: 'The code, or the whole address that the browser was sent to',
      example: 'http://localhost:1455/auth/callback?code=ac_…&state=Zk3…',
    }),
    state: Type.String({ minLength: 1, maxLength: 200, description: 'As authorize gave it', example: 'Zk3…' }),
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Name of the account', example: 'main' }),
    ),
    group_ids: Type.Optional(
      Type.Array(Type.String({ pattern: UUID_PATTERN }), {
        uniqueItems: true,
        maxItems: 1000,
        description: "Groups that it serves; none: the platform's default group",
        example: ['01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11'],
      }),
    ),
    proxy_id: Type.Optional(
      Type.Union([Type.String({ pattern: UUID_PATTERN }), Type.Null()], {
        description: 'Proxy for its traffic, this exchange included (REL-5)',
        example: null,
        nullable: true,
      }),
    ),
  },
  { title: 'OauthExchange', additionalProperties: false },
)

export function accountAccessCalls(access: AccountAccessAdmin): Call[] {
  return [testCall(access), refreshCall(access), authorizeCall(access), exchangeCall(access)]
}

function testCall(access: AccountAccessAdmin): Call {
  return call({
    method: 'POST',
    path: '/admin/accounts/:id/test',
    tag,
    summary: 'Send one tiny request through an account',
    description:
      'A real request of a few tokens, its proxy and credentials included (ACC-15). Without `model`: the cheapest that its mapping leads to. ' +
      'A failed test is a 200 with `ok` false; it does not act on the account.',
    body: TestBody,
    bodyExample: {},
    bodyMayBeEmpty: true,
    status: 200,
    answer: TestAnswer,
    problems: [404, 409],
    handle: async ({ id, body }) => {
      const result = await access.test(id, body.model ?? null)
      if (result === null || isFault(result)) return result
      const { upstreamRequestId, ...rest } = result
      return { ...rest, upstream_request_id: upstreamRequestId }
    },
  })
}

function refreshCall(access: AccountAccessAdmin): Call {
  return call({
    method: 'POST',
    path: '/admin/accounts/:id/refresh',
    tag,
    summary: 'Refresh the token of an account now',
    description:
      'Says when the new token expires, or why there is none (ACC-10). An account in status `error` stays there until it is reset.',
    status: 200,
    answer: RefreshAnswer,
    problems: [404, 409],
    handle: async ({ actor, id }) => {
      const result = await access.refresh(actor, id)
      if (result === null || isFault(result)) return result
      const { ok, expiresAt, message } = result
      return { ok, expires_at: expiresAt?.toISOString() ?? null, message }
    },
  })
}

function authorizeCall(access: AccountAccessAdmin): Call {
  return call({
    method: 'POST',
    path: '/admin/oauth/:platform/authorize',
    tag,
    summary: 'Begin to sign in at a platform',
    description:
      'For a new OAuth account (ACC-10): open the address, sign in, and give the code with the state to `exchange`. ' +
      'Platforms: `openai`; `anthropic` and `gemini` when `OAUTH_<PLATFORM>_CLIENT_ID` is set.',
    status: 200,
    answer: AuthorizeAnswer,
    problems: [404, 409],
    handle: async ({ id: platform }) => {
      const begun = await access.authorize(platform)
      return begun === null || isFault(begun) ? begun : { authorize_url: begun.authorizeUrl, state: begun.state }
    },
  })
}

function exchangeCall(access: AccountAccessAdmin): Call {
  return call({
    method: 'POST',
    path: '/admin/oauth/:platform/exchange',
    tag,
    summary: 'Make an account of a sign-in',
    description:
      'Exchanges the code for tokens and creates the account (ACC-10). A state is good once, for ten minutes; after a refusal, authorize again.',
    body: ExchangeBody,
    status: 201,
    answer: AccountView.schema,
    problems: [404, 409],
    handle: async ({ actor, id: platform, body }) => {
      const account = await access.exchange(actor, platform, body)
      return account === null || isFault(account) ? account : AccountView.show(account)
    },
  })
}
