/**
 * What a platform's OAuth sign-in takes: addresses, names and how bodies are written (ACC-10). Data, and pure functions over it: a URL out of
 * parameters, a body out of a grant, tokens out of an answer. Authorization code with PKCE S256 (RFC 6749, RFC 7636).
 *
 * No library: what is needed is one URL and one POST, and a library's own fetch would go past the account's proxy (REL-5) and past our
 * time limit; vendors also leave the standard where a strict library refuses (JSON bodies, `code#state`, errors as objects).
 */
import type { AccountCredentials } from '../../core/entities.ts'
import { asObject, asText, type JsonObject, parseJson } from '../../lib/json-values.ts'

export interface OauthFacts {
  authorizeUrl: string
  tokenUrl: string
  /** Null: the vendor has published none for this use; the operator configures one. */
  clientId: string | null
  /** Only where the vendor gives one to installed applications; it protects nothing there. */
  clientSecret: string | null
  redirectUri: string
  scopes: string
  /** Further parameters of the authorize URL. */
  authorizeParameters: Readonly<Record<string, string>>
  exchangeBody: 'form' | 'json'
  refreshBody: 'form' | 'json'
  /** The exchange repeats `state` in its body. */
  exchangeTakesState: boolean
  /** The id token's or access token's claims → credentials that stand in them. */
  readClaims(claims: JsonObject): Partial<AccountCredentials>
}

/** What an operator may set otherwise: `OAUTH_<PLATFORM>_…`. Null: as the vendor has it. */
export type OauthOverrides = {
  [Name in 'authorizeUrl' | 'tokenUrl' | 'clientId' | 'clientSecret' | 'redirectUri' | 'scopes']: string | null
}

export function withOverrides(facts: OauthFacts, overrides: OauthOverrides): OauthFacts {
  const given = Object.entries(overrides).filter(([, value]) => value !== null)
  return { ...facts, ...Object.fromEntries(given) }
}

export function authorizeUrlOf(
  facts: OauthFacts & { clientId: string },
  { state, challenge }: { state: string; challenge: string },
): string {
  const url = new URL(facts.authorizeUrl)
  const parameters = {
    ...facts.authorizeParameters,
    response_type: 'code',
    client_id: facts.clientId,
    redirect_uri: facts.redirectUri,
    scope: facts.scopes,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

export type Grant =
  | { type: 'authorization_code'; code: string; verifier: string; state: string }
  | { type: 'refresh_token'; refreshToken: string }

export interface TokenRequest {
  url: string
  contentType: string
  body: string
}

export function tokenRequestOf(facts: OauthFacts & { clientId: string }, grant: Grant): TokenRequest {
  const secret: Record<string, string> = facts.clientSecret === null ? {} : { client_secret: facts.clientSecret }
  const fields: Record<string, string> = { grant_type: grant.type, client_id: facts.clientId, ...secret }
  if (grant.type === 'refresh_token') fields.refresh_token = grant.refreshToken
  else {
    Object.assign(fields, { code: grant.code, redirect_uri: facts.redirectUri, code_verifier: grant.verifier })
    if (facts.exchangeTakesState) fields.state = grant.state
  }
  const form = (grant.type === 'refresh_token' ? facts.refreshBody : facts.exchangeBody) === 'form'
  return {
    url: facts.tokenUrl,
    contentType: form ? 'application/x-www-form-urlencoded' : 'application/json',
    body: form ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
  }
}

/** `dead`: this grant will never work again (RFC 6749 §5.2 `invalid_grant` and its vendors' spellings). */
export type TokenAnswer =
  | { kind: 'tokens'; credentials: AccountCredentials }
  | { kind: 'refused'; dead: boolean; message: string }

/** OpenAI names the reason in `error.code` of a 401: codex-rs/login in https://github.com/openai/codex. */
const DEAD_GRANTS: ReadonlySet<string> = new Set([
  'invalid_grant',
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
])
const MOST_MESSAGE = 200

export function readTokenAnswer(
  facts: OauthFacts,
  answer: { status: number; text: string; nowMs: number },
): TokenAnswer {
  const { status, text, nowMs } = answer
  const said = asObject(parseJson(text))
  if (status < 200 || status > 299) return refusalOf(status, said)
  const accessToken = asText(said?.access_token)
  if (said === null || accessToken === null) {
    return { kind: 'refused', dead: false, message: 'the token endpoint answered without an access token' }
  }
  const credentials: AccountCredentials = { ...readTokenClaims(facts, said, accessToken), accessToken }
  const refreshToken = asText(said.refresh_token)
  if (refreshToken !== null) credentials.refreshToken = refreshToken
  credentials.expiresAtMs = expiryOf(said, accessToken, nowMs)
  return { kind: 'tokens', credentials }
}

function refusalOf(status: number, said: JsonObject | null): TokenAnswer {
  const error = asObject(said?.error)
  const code = asText(said?.error) ?? asText(error?.code) ?? asText(error?.type)
  const detail = asText(said?.error_description) ?? asText(error?.message)
  const words = [code ?? `status ${status}`, ...(detail === null ? [] : [detail])].join(': ')
  return { kind: 'refused', dead: DEAD_GRANTS.has(code ?? ''), message: words.slice(0, MOST_MESSAGE) }
}

function readTokenClaims(facts: OauthFacts, said: JsonObject, accessToken: string): Partial<AccountCredentials> {
  const idToken = asText(said.id_token)
  return {
    ...facts.readClaims(claimsOf(accessToken)),
    ...(idToken === null ? {} : facts.readClaims(claimsOf(idToken))),
  }
}

/** RFC 6749 `expires_in`, else the token's own `exp`; null: unknown, and the first 401 tells. */
function expiryOf(said: JsonObject, accessToken: string, nowMs: number): number | null {
  const seconds = Number(said.expires_in)
  if (Number.isFinite(seconds) && seconds > 0) return nowMs + seconds * 1000
  const { exp } = claimsOf(accessToken)
  return typeof exp === 'number' ? exp * 1000 : null
}

/** The claims of a JWT, unverified: it came over TLS from the one who signed it. What is no JWT has none. */
function claimsOf(token: string): JsonObject {
  const [, payload = ''] = token.split('.')
  const text = Buffer.from(payload, 'base64url').toString('utf8')
  return asObject(parseJson(text)) ?? {}
}

/** A code as people paste it: the code, the whole callback URL, or Anthropic's `code#state`. */
export function readPastedCode(pasted: string): { code: string; state: string | null } {
  const text = pasted.trim()
  const query = URL.parse(text)?.searchParams
  const code = query?.get('code')
  if (code) return { code, state: query?.get('state') ?? null }
  const [bare = '', state = null] = text.split('#')
  return { code: bare, state }
}
