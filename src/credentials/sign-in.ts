/**
 * Signing in at a platform for a new account: the URL that a person opens, and the exchange of the code that comes back for tokens (ACC-10).
 * PKCE S256: the verifier never leaves the server. A state is good once, for ten minutes, for the platform that it was made for.
 *
 * If it fails: a Fault that says what to do; a token endpoint that does not answer, too.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { AccountCredentials } from '../core/entities.ts'
import { conflict, type Fault, invalid } from '../core/fault.ts'
import type { Platform } from '../core/platform.ts'
import { redactText } from '../lib/redact.ts'
import {
  authorizeUrlOf,
  type OauthFacts,
  readPastedCode,
  readTokenAnswer,
  tokenRequestOf,
} from '../providers/oauth/oauth.ts'
import type { OauthTable } from '../providers/oauth/table.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

/** Sign-ins that were begun, kept where every instance finds them: the second call may reach another one. */
export interface PendingSignIns {
  /** False: too many are pending. */
  put(state: string, pending: PendingSignIn, untilMs: number): Promise<boolean>
  /** Gives it out once; null: unknown, used or too old. */
  take(state: string): Promise<PendingSignIn | null>
}

export interface PendingSignIn {
  platform: Platform
  verifier: string
}

export interface SignIn {
  begin(platform: Platform): Promise<{ authorizeUrl: string; state: string } | Fault>
  finish(
    platform: Platform,
    wanted: { code: string; state: string; proxyUrl: string | null },
  ): Promise<AccountCredentials | Fault>
}

export interface SignInDeps {
  pending: PendingSignIns
  oauth: OauthTable
  requestTokens: TokenEndpoint
  nowMs(): number
}

const PENDING_MS = 10 * 60_000

export function createSignIn(deps: SignInDeps): SignIn {
  function factsOf(platform: Platform): (OauthFacts & { clientId: string }) | Fault {
    const facts = deps.oauth(platform)
    if (facts === null) return conflict(null, `${platform} has no OAuth sign-in`)
    const { clientId } = facts
    if (clientId !== null) return { ...facts, clientId }
    const variable = `OAUTH_${platform.toUpperCase()}_CLIENT_ID`
    return conflict(null, `${variable} is not set: sign-in at ${platform} needs an OAuth client of your own`)
  }

  return {
    async begin(platform) {
      const facts = factsOf(platform)
      if ('fault' in facts) return facts
      const state = randomText()
      const verifier = randomText()
      const challenge = createHash('sha256').update(verifier).digest('base64url')
      const kept = await deps.pending.put(state, { platform, verifier }, deps.nowMs() + PENDING_MS)
      if (!kept) return conflict(null, 'too many sign-ins have been begun; wait ten minutes')
      return { authorizeUrl: authorizeUrlOf(facts, { state, challenge }), state }
    },

    async finish(platform, { code: pasted, state, proxyUrl }) {
      const facts = factsOf(platform)
      if ('fault' in facts) return facts
      const { code, state: pastedState } = readPastedCode(pasted)
      if (code === '') return invalid('code', 'there is no code in it')
      if (pastedState !== null && pastedState !== state) return invalid('code', 'the code belongs to another state')
      const pending = await deps.pending.take(state)
      if (pending === null || pending.platform !== platform) {
        return invalid(
          'state',
          'this state is not known here, was used already or is older than ten minutes: authorize again',
        )
      }
      const { verifier } = pending
      const request = tokenRequestOf(facts, { type: 'authorization_code', code, verifier, state })
      const said = await deps.requestTokens(request, proxyUrl).catch(() => null)
      if (said === null)
        return conflict(null, `the token endpoint of ${platform} could not be reached: authorize again`)
      const answer = readTokenAnswer(facts, { ...said, nowMs: deps.nowMs() })
      if (answer.kind === 'tokens') return answer.credentials
      return invalid('code', `${platform} did not take the code: ${redactText(answer.message)}`)
    },
  }
}

/** 256 bits: RFC 7636 §4.1 asks for 43 to 128 characters. */
function randomText(): string {
  return randomBytes(32).toString('base64url')
}
