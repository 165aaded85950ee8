/**
 * Turns an account into what its provider wants to see: an API key, an OAuth access token that is good for the moment (ACC-10), or a
 * signature made with AWS keys (ACC-16).
 *
 * A fresh token is given without waiting. One that has expired is refreshed while the request waits: one refresh for each account, however many
 * wait. `refreshDue` does it ahead of time, for accounts that cool down too, or they would come back dead
 * (https://github.com/router-for-me/CLIProxyAPI/issues/2937).
 * If it fails: null, and `troubleOf` says why and until when; tries are spaced from 5 s doubling to 5 min.
 */
import type { Account } from '../core/entities.ts'
import type { Log } from '../lib/log.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import { createRotation, isUsable, type Rotated, type RotationDeps, type Wanted } from './rotation.ts'
import { type AwsRequest, signAws } from './sign-aws.ts'

export interface Trouble {
  /** For the operator. */
  message: string
  /** Null: until a person signs in again. */
  untilMs: number | null
}

export interface Credentials {
  secretOf(account: Account): string | null | Promise<string | null>
  /** Another secret for an account whose secret was turned down; null: there is none (ACC-6). */
  refreshAfter401(account: Account, secretThatFailed: string): Promise<string | null>
  /** Why `secretOf` gives null. */
  troubleOf(account: Account): Trouble | null
  /** Refreshes whether it is due or not: an operator asks. */
  refreshNow(account: Account): Promise<Rotated>
  /** Headers that sign a request, for providers that want it signed. */
  sign(account: Account, request: AwsRequest): Promise<Record<string, string> | null>
  /** Refreshes what expires within five minutes, some at a time. */
  refreshDue(accounts: Iterable<Account>): Promise<{ refreshed: number; failed: number }>
}

export interface CredentialsDeps extends RotationDeps {
  /** The stored credentials or status have changed: whoever remembers the account reads it again. */
  onStored(accountId: string): void | Promise<void>
  log: Log
}

const AHEAD_MS = 5 * 60_000
/** A token that ends while the request is on its way is no good. */
const ON_DEMAND: Wanted = { rejected: null, forMs: 10_000 }
/** In the background: each holds a database connection while the platform answers. */
const AT_A_TIME = 3
const BACKOFF = { firstMs: 5000, mostMs: 5 * 60_000 } as const

interface Failed {
  message: string
  dead: boolean
  times: number
  retryAtMs: number
  /** Pasting another refresh token ends the trouble. */
  refreshToken: string | undefined
}

export function createCredentials(deps: CredentialsDeps): Credentials {
  const { nowMs, log } = deps
  const rotate = createRotation(deps)
  const flights = createSingleFlight<Rotated>()
  const failures = new Map<string, Failed>()

  function failureOf({ id, credentials }: Account): Failed | null {
    const failure = failures.get(id)
    return failure !== undefined && failure.refreshToken === credentials.refreshToken ? failure : null
  }

  async function fly(account: Account, wanted: Wanted): Promise<Rotated> {
    const accountId = account.id
    const result = await rotate(account, wanted).catch((error): Rotated => {
      log.error('a token could not be refreshed', { accountId, error })
      return { kind: 'failed', dead: false, message: 'the token endpoint or the database did not answer' }
    })
    if (result.kind === 'fresh') {
      failures.delete(accountId)
      log.info('token refreshed', { accountId, expiresAtMs: result.credentials.expiresAtMs ?? null })
    } else noteFailure(account, result)
    // An account that is read again late is only stale: its next request finds the stored token.
    await Promise.resolve(deps.onStored(accountId)).catch((error) => log.error('reload failed', { accountId, error }))
    return result
  }

  function noteFailure(account: Account, { dead, message }: Rotated & { kind: 'failed' }): void {
    const times = (failureOf(account)?.times ?? 0) + 1
    const waitMs = Math.min(BACKOFF.mostMs, BACKOFF.firstMs * 2 ** Math.min(times - 1, 20))
    const { refreshToken } = account.credentials
    failures.set(account.id, { message, dead, times, retryAtMs: nowMs() + waitMs, refreshToken })
    log.warn('token refresh failed', { accountId: account.id, reason: message, dead, waitMs })
  }

  const refresh = (account: Account, wanted: Wanted) => flights.run(account.id, () => fly(account, wanted))

  async function refreshUnlessFailing(account: Account, wanted: Wanted): Promise<string | null> {
    const failure = failureOf(account)
    if (failure !== null && failure.retryAtMs > nowMs()) return null
    const result = await refresh(account, wanted)
    return result.kind === 'fresh' ? (result.credentials.accessToken ?? null) : null
  }

  function isDue(account: Account): boolean {
    const { credentials } = account
    if (account.type !== 'oauth' || account.status !== 'active' || credentials.refreshToken === undefined) return false
    if ((failureOf(account)?.retryAtMs ?? 0) > nowMs()) return false
    return !isUsable(credentials, { rejected: null, forMs: AHEAD_MS }, nowMs())
  }

  return {
    secretOf(account) {
      const { type, credentials } = account
      if (type === 'api_key') return credentials.apiKey ?? null
      // Never sent: it signs.
      if (type === 'aws') return credentials.awsSecretAccessKey ?? null
      if (isUsable(credentials, ON_DEMAND, nowMs())) return credentials.accessToken ?? null
      return credentials.refreshToken === undefined ? null : refreshUnlessFailing(account, ON_DEMAND)
    },

    async refreshAfter401(account, secretThatFailed) {
      if (account.type !== 'oauth' || account.credentials.refreshToken === undefined) return null
      const wanted: Wanted = { ...ON_DEMAND, rejected: secretThatFailed }
      const secret = await refreshUnlessFailing(account, wanted)
      // A refresh that was under way for another reason may have found this very token good.
      const other = secret === secretThatFailed ? await refreshUnlessFailing(account, wanted) : secret
      return other === secretThatFailed ? null : other
    },

    troubleOf(account) {
      const failure = failureOf(account)
      if (failure !== null) return { message: failure.message, untilMs: failure.dead ? null : failure.retryAtMs }
      const { refreshToken, accessToken } = account.credentials
      if (account.type !== 'oauth' || refreshToken !== undefined) return null
      const what = accessToken === undefined ? 'there is no access token' : 'the access token has expired'
      return { message: `${what} and there is no refresh token`, untilMs: null }
    },

    refreshNow: (account) => refresh(account, { ...ON_DEMAND, rejected: account.credentials.accessToken ?? null }),

    async refreshDue(accounts) {
      const due = Iterator.from(accounts).filter(isDue).toArray()
      const counts = { refreshed: 0, failed: 0 }
      const worker = async () => {
        for (let account = due.pop(); account; account = due.pop()) {
          const { kind } = await refresh(account, { rejected: null, forMs: AHEAD_MS })
          if (kind === 'fresh') counts.refreshed++
          else counts.failed++
        }
      }
      await Promise.all(Array.from({ length: AT_A_TIME }, worker))
      return counts
    },
    sign: (account, request) => signAws(account.credentials, request),
  }
}
