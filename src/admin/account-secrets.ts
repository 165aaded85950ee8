/** Credentials of accounts, sealed for their account and replaced field by field (ACC-8). */
import { isDeepStrictEqual } from 'node:util'
import type { AccountCredentials } from '../core/entities.ts'
import { conflict, type Fault, isFault } from '../core/fault.ts'
import { openCredentials, sealCredentials } from '../db/account-credentials.ts'
import { type SealedCredentials, updateAccountCredentialsById } from '../db/accounts.ts'
import type { Db } from '../db/client.ts'
import {
  type CredentialsBody,
  type CredentialsPatchBody,
  hintOf,
  readCredentials,
} from '../schema/account-credentials.ts'
import type { AccountRecord } from '../schema/accounts.ts'
import { checkCredentials } from './account-checks.ts'
import type { AdminDeps } from './deps.ts'

export function createAccountSecrets({ box, outbound }: Pick<AdminDeps, 'box' | 'outbound'>) {
  function seal(id: string, credentials: AccountCredentials): SealedCredentials {
    return { sealedCredentials: sealCredentials(box, id, credentials), credentialHint: hintOf(credentials) }
  }

  /**
   * A new api_key doesn't lose the base_url. Compared and set: a token refreshed at the same moment is not overwritten. `same`: what was
   * given is what was stored, and nothing is written.
   */
  async function replace(
    transaction: Db,
    account: AccountRecord,
    body: CredentialsPatchBody,
  ): Promise<'replaced' | 'same' | Fault> {
    const { id, type, sealedCredentials: previousSealed } = account
    const stored = openCredentials(box, id, previousSealed)
    const given = readCredentials(type, merged(toBody(stored), body))
    if (isFault(given)) return given
    const fault = checkCredentials(given, outbound)
    if (fault) return fault
    if (isDeepStrictEqual(toBody(given), toBody(stored))) return 'same'
    const replaced = await updateAccountCredentialsById(transaction, id, { ...seal(id, given), previousSealed })
    return replaced
      ? 'replaced'
      : conflict('credentials', 'the credentials were refreshed at this very moment; try again')
  }

  return { seal, replace }
}

/** Null takes a field away; only of `expires_at` it is a value of its own ("unknown"). */
function merged(stored: CredentialsBody, patch: CredentialsPatchBody): CredentialsBody {
  const entries = Object.entries({ ...stored, ...patch })
  return Object.fromEntries(entries.filter(([name, value]) => value !== null || name === 'expires_at'))
}

/** Stored credentials as a body would give them. */
function toBody(stored: AccountCredentials): CredentialsBody {
  const { expiresAtMs } = stored
  const body: { [Name in keyof Required<CredentialsBody>]: CredentialsBody[Name] } = {
    api_key: stored.apiKey,
    base_url: stored.baseUrl,
    access_token: stored.accessToken,
    refresh_token: stored.refreshToken,
    expires_at: typeof expiresAtMs === 'number' ? new Date(expiresAtMs).toISOString() : expiresAtMs,
    chatgpt_account_id: stored.chatgptAccountId,
    aws_access_key_id: stored.awsAccessKeyId,
    aws_secret_access_key: stored.awsSecretAccessKey,
    aws_session_token: stored.awsSessionToken,
    aws_region: stored.awsRegion,
    user_agent: stored.userAgent,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}
