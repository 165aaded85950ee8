/**
 * One refresh of one account's tokens, safe against every other instance (ACC-10): locks the stored row, reads it again inside the lock, and
 * only then asks the platform; the rotated refresh token is committed before the new access token is handed to anybody.
 *
 * Why so careful: refresh tokens rotate. Used twice, or lost after use, the platform ends the whole sign-in, and the account is dead until a person
 * signs in again (field notes, row 24). What can't be excluded: the process is killed after the platform rotated and before the commit.
 * If it fails: `failed` with the reason. Tokens that the platform gave but the database did not take are kept in memory and saved first the next time.
 */
import type { Account, AccountCredentials } from '../core/entities.ts'
import { redactText } from '../lib/redact.ts'
import { type OauthFacts, readTokenAnswer, tokenRequestOf } from '../providers/oauth/oauth.ts'
import type { OauthTable } from '../providers/oauth/table.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

/** The stored credentials of one account, while nobody else can change them. */
export interface LockedCredentials {
  readonly credentials: AccountCredentials
  /** Compare and set. False: the account is gone. */
  save(next: AccountCredentials): Promise<boolean>
  /** Status `error` with this reason. */
  fail(message: string): Promise<void>
}

export interface CredentialStore {
  /** Resolves after the commit, with what `work` gave; null: there is no such account. */
  locked<T>(accountId: string, work: (row: LockedCredentials) => Promise<T>): Promise<T | null>
}

export interface RotationDeps {
  store: CredentialStore
  oauth: OauthTable
  requestTokens: TokenEndpoint
  nowMs(): number
}

export interface Wanted {
  /** A token that the platform turned down: it doesn't count, however long it claims to live. */
  rejected: string | null
  /** How long from now the token must be good. */
  forMs: number
}

/** `dead`: no later try will do better; a person must sign in again. */
export type Rotated =
  | { kind: 'fresh'; credentials: AccountCredentials }
  | { kind: 'failed'; dead: boolean; message: string }

export type Rotate = (account: Account, wanted: Wanted) => Promise<Rotated>

export function isUsable({ accessToken, expiresAtMs }: AccountCredentials, wanted: Wanted, nowMs: number): boolean {
  if (accessToken === undefined || accessToken === wanted.rejected) return false
  return typeof expiresAtMs !== 'number' || expiresAtMs > nowMs + wanted.forMs
}

/** What the platform said no to, to be compared with what is stored by then. */
interface Refusal {
  refreshToken: string
  message: string
}

export function createRotation(deps: RotationDeps): Rotate {
  /** Given by the platform, not in the database yet: account id → the refresh token that they replace, and they. */
  const unsaved = new Map<string, { replaces: string; credentials: AccountCredentials }>()

  async function rotate(account: Account, facts: UsableFacts, row: LockedCredentials): Promise<Rotated | Refusal> {
    const { refreshToken } = row.credentials
    if (refreshToken === undefined)
      return failed(true, 'the access token is no longer good and there is no refresh token')
    const kept = unsaved.get(account.id)
    if (kept?.replaces !== refreshToken) {
      const request = tokenRequestOf(facts, { type: 'refresh_token', refreshToken })
      const said = await deps.requestTokens(request, account.proxy?.url ?? null)
      const answer = readTokenAnswer(facts, { ...said, nowMs: deps.nowMs() })
      if (answer.kind === 'refused') {
        const message = redactText(answer.message)
        return answer.dead ? { refreshToken, message } : failed(false, message)
      }
      unsaved.set(account.id, { replaces: refreshToken, credentials: { ...row.credentials, ...answer.credentials } })
    }
    const { credentials } = unsaved.get(account.id)!
    return (await row.save(credentials)) ? { kind: 'fresh', credentials } : failed(true, 'the account is gone')
  }

  /** Another instance may have rotated behind a lock that this one had lost: only what is stored now decides. */
  async function confirm(account: Account, refusal: Refusal): Promise<Rotated | null> {
    return deps.store.locked(account.id, async (row): Promise<Rotated> => {
      const { credentials } = row
      if (credentials.refreshToken !== refusal.refreshToken) return { kind: 'fresh', credentials }
      await row.fail(refusal.message)
      return failed(true, refusal.message)
    })
  }

  return async (account, wanted) => {
    const facts = usableFacts(deps.oauth, account)
    if ('kind' in facts) return facts
    const seen: { refusal: Refusal | null } = { refusal: null }
    const first = await deps.store
      .locked(account.id, async (row) => {
        if (isUsable(row.credentials, wanted, deps.nowMs())) return fresh(row.credentials)
        const result = await rotate(account, facts, row)
        if ('kind' in result) return result
        seen.refusal = result
        return null
      })
      .catch((error) => {
        if (seen.refusal === null) throw error
        return null
      })
    const result = seen.refusal === null ? first : await confirm(account, seen.refusal)
    if (result?.kind === 'fresh') unsaved.delete(account.id)
    return result ?? failed(true, 'the account is gone')
  }
}

const fresh = (credentials: AccountCredentials): Rotated => ({ kind: 'fresh', credentials })
const failed = (dead: boolean, message: string): Rotated => ({ kind: 'failed', dead, message })

type UsableFacts = OauthFacts & { clientId: string }

function usableFacts(oauth: OauthTable, { platform, proxy }: Account): UsableFacts | Rotated {
  const facts = oauth(platform)
  if (facts === null) return failed(true, `${platform} has no OAuth sign-in`)
  // Its traffic must not go out another way than the operator said.
  if (proxy?.status === 'disabled') return failed(false, `its proxy ${proxy.name} is disabled`)
  const { clientId } = facts
  if (clientId === null) return failed(false, `OAUTH_${platform.toUpperCase()}_CLIENT_ID is not set`)
  return { ...facts, clientId }
}
