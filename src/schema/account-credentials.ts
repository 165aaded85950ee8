/**
 * Credentials of an account on the wire: what bodies may carry and what answers show of it (ACC-8).
 *
 * Stored is the sealed JSON of core's AccountCredentials and, beside it, a *hint* made at write time: secrets masked to
 * their last four characters, the rest in clear. Lists show the hint, so reading an account never opens a secret.
 */
import {
  type Static,
  type TNull,
  type TOptional,
  type TSchema,
  type TString,
  type TUnion,
  Type,
} from '@sinclair/typebox'
import type { AccountCredentials } from '../core/entities.ts'
import { type Fault, invalid } from '../core/fault.ts'
import type { AccountType } from '../core/platform.ts'
import { TIME_PATTERN } from './field.ts'

const secret = (description: string, example: string) =>
  Type.Optional(Type.String({ description, example, minLength: 1, maxLength: 20_000 }))

/** Every field of any type of account; which of them belong together is checked by `readCredentials`. */
export const CredentialsInput = Type.Object(
  {
    api_key: secret('API key of the platform (type api_key)', 'sk-proj-…'),
    base_url: secret('Where to send instead of the platform’s public API', 'https://api.example.com/v1'),
    access_token: secret('OAuth access token (type oauth)', 'eyJhbGciOi…'),
    refresh_token: secret('OAuth refresh token', 'rt_…'),
    expires_at: Type.Optional(
      Type.Union([Type.String({ pattern: TIME_PATTERN }), Type.Null()], {
        description: 'When the access token expires; null: unknown',
        example: '2026-08-01T00:00:00.000Z',
        nullable: true,
      }),
    ),
    chatgpt_account_id: secret('Sent as chatgpt-account-id (OpenAI OAuth)', '3f0c…'),
    aws_access_key_id: secret('Bedrock (type aws)', 'AKIA…'),
    aws_secret_access_key: secret('Bedrock (type aws)', '…'),
    aws_session_token: secret('Bedrock, temporary credentials', '…'),
    aws_region: secret('Bedrock region', 'us-east-1'),
    user_agent: secret('Sent instead of the client’s user agent (REL-4)', 'my-gateway/1.0'),
  },
  { title: 'Credentials', additionalProperties: false, description: 'Never returned: answers show them masked' },
)
export type CredentialsBody = Static<typeof CredentialsInput>

/** In a patch: a field given replaces the stored one, null takes it away, the others stay. */
export const CredentialsPatch = Type.Object(
  Object.fromEntries(
    Object.entries(CredentialsInput.properties).map(([name, field]) => {
      const { description, ...bare } = field as TSchema
      const schema = bare.anyOf ? bare : Type.Union([bare, Type.Null()])
      return [name, Type.Optional({ ...schema, description, nullable: true } as TSchema)]
    }),
  ) as { [N in keyof CredentialsBody]: TOptional<TUnion<[TString, TNull]>> },
  {
    title: 'CredentialsPatch',
    additionalProperties: false,
    minProperties: 1,
    description: 'Fields to replace; null takes one away',
  },
)
export type CredentialsPatchBody = { [N in keyof CredentialsBody]: CredentialsBody[N] | null }

/** What answers show: secrets as "…" and their last four characters. */
export const CredentialHint = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]), {
  title: 'MaskedCredentials',
})
export type CredentialHint = Static<typeof CredentialHint>

type Name = keyof CredentialsBody
const OPTIONAL_EVERYWHERE: readonly Name[] = ['base_url', 'user_agent']
const BY_TYPE: Record<AccountType, { required: readonly Name[]; optional: readonly Name[] }> = {
  api_key: { required: ['api_key'], optional: [] },
  oauth: { required: [], optional: ['access_token', 'refresh_token', 'expires_at', 'chatgpt_account_id'] },
  aws: {
    required: ['aws_access_key_id', 'aws_secret_access_key', 'aws_region'],
    optional: ['aws_session_token'],
  },
}
const SHOWN: ReadonlySet<Name> = new Set(['base_url', 'user_agent', 'expires_at', 'chatgpt_account_id', 'aws_region'])

/** Wire credentials of an account of this type → core's shape, or what is wrong with them. */
export function readCredentials(type: AccountType, body: CredentialsBody): AccountCredentials | Fault {
  const { required, optional } = BY_TYPE[type]
  const allowed = [...required, ...optional, ...OPTIONAL_EVERYWHERE]
  for (const name of Object.keys(body) as Name[]) {
    if (!allowed.includes(name)) return invalid(`credentials.${name}`, `${name} does not belong to type ${type}`)
  }
  for (const name of required) {
    if (body[name] === undefined) return invalid(`credentials.${name}`, `${name} is required for type ${type}`)
  }
  if (type === 'oauth' && body.access_token === undefined && body.refresh_token === undefined)
    return invalid('credentials.refresh_token', 'an oauth account needs access_token or refresh_token')
  const expiresAtMs = readExpiry(body.expires_at)
  if (Number.isNaN(expiresAtMs)) return invalid('credentials.expires_at', 'expires_at is not an RFC 3339 time')
  return dropUndefined({
    apiKey: body.api_key,
    baseUrl: body.base_url,
    accessToken: body.access_token,
    refreshToken: body.refresh_token,
    expiresAtMs,
    chatgptAccountId: body.chatgpt_account_id,
    awsAccessKeyId: body.aws_access_key_id,
    awsSecretAccessKey: body.aws_secret_access_key,
    awsSessionToken: body.aws_session_token,
    awsRegion: body.aws_region,
    userAgent: body.user_agent,
  })
}

/** The hint to store beside the sealed credentials. */
export function hintOf(credentials: AccountCredentials): CredentialHint {
  const { expiresAtMs } = credentials
  const wire: { [N in Name]-?: string | null | undefined } = {
    api_key: credentials.apiKey,
    base_url: credentials.baseUrl,
    access_token: credentials.accessToken,
    refresh_token: credentials.refreshToken,
    expires_at: typeof expiresAtMs === 'number' ? new Date(expiresAtMs).toISOString() : expiresAtMs,
    chatgpt_account_id: credentials.chatgptAccountId,
    aws_access_key_id: credentials.awsAccessKeyId,
    aws_secret_access_key: credentials.awsSecretAccessKey,
    aws_session_token: credentials.awsSessionToken,
    aws_region: credentials.awsRegion,
    user_agent: credentials.userAgent,
  }
  const hint: CredentialHint = {}
  for (const [name, value] of Object.entries(wire)) {
    if (value === undefined) continue
    hint[name] = value === null || SHOWN.has(name as Name) ? value : mask(value)
  }
  return hint
}

/** Last four characters, and none of a secret so short that four would give it away. */
export function mask(secretText: string): string {
  return secretText.length < 16 ? '…' : `…${secretText.slice(-4)}`
}

function readExpiry(wire: string | null | undefined): number | null | undefined {
  return typeof wire === 'string' ? Date.parse(wire) : wire
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T
}
