/**
 * One refresh of one account's tokens, safe against every other instance (ACC-10): locks the stored row, reads it again inside the lock, and
 * only then asks the platform; the rotated refresh token is committed before the new access token is handed to anybody.
 *
 * Why so careful: refresh tokens rotate. Used twice, or lost after use, the platform ends the whole sign-in, and the account is dead until a
 * person signs in again (https://github.com/Wei-Shaw/sub2api/issues/1035). What can't be excluded: the process is killed after the platform
 * rotated and before the commit.
 * If it fails: `failed` with the reason; rejects when the platform or the database does not answer. Tokens that the platform gave but the
 * database did not take are kept in memory and saved first the next time.
 */
import type { Account, AccountCredentials } from '../core/entities.ts'
import { redactText, withoutSecrets } from '../lib/redact.ts'
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

/** What the platform said no to for good, to be compared with what is stored by then. */
interface Refusal {
  kind: 'refusal'
  refreshToken: string
  message: string
}

/** The platform is asked once for each rotation; null: it gave tokens, and they are in `unsaved`. */
interface Progress {
  asked: Promise<Rotated | Refusal | null> | null
}

export function createRotation(deps: RotationDeps): Rotate {
  /** Given by the platform, not in the database yet: account id → the refresh token that they replace, and they. */
  const unsaved = new Map<string, { replaces: string; credentials: AccountCredentials }>()

  async function ask(account: Account, facts: UsableFacts, stored: Rotatable): Promise<Rotated | Refusal | null> {
    const { refreshToken } = stored
    const request = tokenRequestOf(facts, { type: 'refresh_token', refreshToken })
    const said = await deps.requestTokens(request, account.proxy?.url ?? null)
    const answer = readTokenAnswer(facts, { ...said, nowMs: deps.nowMs() })
    if (answer.kind === 'tokens') {
      unsaved.set(account.id, { replaces: refreshToken, credentials: { ...stored, ...answer.credentials } })
      return null
    }
    const message = redactText(withoutSecrets(answer.message, [refreshToken, stored.accessToken ?? '']))
    return answer.dead ? { kind: 'refusal', refreshToken, message } : failed(false, message)
  }

  async function rotate(
    account: Account,
    facts: UsableFacts,
    { row, progress }: { row: LockedCredentials; progress: Progress },
  ): Promise<Rotated | Refusal> {
    const { refreshToken } = row.credentials
    if (refreshToken === undefined) return failed(true, 'the access token is no good and there is no refresh token')
    if (unsaved.get(account.id)?.replaces !== refreshToken) {
      progress.asked = ask(account, facts, { ...row.credentials, refreshToken })
      const refused = await progress.asked
      if (refused !== null) return refused
    }
    const { credentials } = unsaved.get(account.id)!
    return (await row.save(credentials)) ? fresh(credentials) : failed(true, GONE)
  }

  /** Another instance may have rotated meanwhile: only what is stored now decides. */
  function confirm(account: Account, wanted: Wanted, refusal: Refusal): Promise<Rotated | null> {
    return deps.store.locked(account.id, async ({ credentials, fail }) => {
      if (credentials.refreshToken !== refusal.refreshToken) {
        const usable = isUsable(credentials, wanted, deps.nowMs())
        return usable ? fresh(credentials) : failed(false, 'the credentials were changed meanwhile')
      }
      await fail(refusal.message)
      return failed(true, refusal.message)
    })
  }

  async function rotateLocked(account: Account, facts: UsableFacts, wanted: Wanted): Promise<Rotated | Refusal | null> {
    const progress: Progress = { asked: null }
    const once = () =>
      deps.store.locked(account.id, async (row) =>
        isUsable(row.credentials, wanted, deps.nowMs())
          ? fresh(row.credentials)
          : rotate(account, facts, { row, progress }),
      )
    try {
      return await once()
    } catch (error) {
      if (progress.asked === null) throw error
      // The connection, and with it the lock, was lost while the platform was asked: what it said still counts.
      return (await progress.asked) ?? once()
    }
  }

  return async (account, wanted) => {
    const facts = usableFacts(deps.oauth, account)
    if ('kind' in facts) return facts
    const first = await rotateLocked(account, facts, wanted)
    const result = first?.kind === 'refusal' ? await confirm(account, wanted, first) : first
    if (result?.kind === 'fresh') unsaved.delete(account.id)
    return result ?? failed(true, GONE)
  }
}

const GONE = 'the account is gone'
const fresh = (credentials: AccountCredentials): Rotated => ({ kind: 'fresh', credentials })
const failed = (dead: boolean, message: string): Rotated => ({ kind: 'failed', dead, message })

type UsableFacts = OauthFacts & { clientId: string }
type Rotatable = AccountCredentials & { refreshToken: string }

function usableFacts(oauth: OauthTable, { platform, proxy }: Account): UsableFacts | Rotated {
  const facts = oauth(platform)
  if (facts === null) return failed(true, `${platform} has no OAuth sign-in`)
  // Its traffic must not go out another way than the operator said.
  if (proxy?.status === 'disabled') return failed(false, `its proxy ${proxy.name} is disabled`)
  const { clientId } = facts
  if (clientId === null) return failed(false, `OAUTH_${platform.toUpperCase()}_CLIENT_ID is not set`)
  return { ...facts, clientId }
}
