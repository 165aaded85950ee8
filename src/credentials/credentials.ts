/**
 * Turns an account into the secret that its provider sends: an API key, or an OAuth access token.
 * If it fails: null: the account can't be used now, and the relay goes on to the next one.
 */
import type { Account } from '../core/entities.ts'

export interface Credentials {
  secretOf(account: Account): string | null | Promise<string | null>
}

export function createCredentials(): Credentials {
  return {
    secretOf: (account) =>
      (account.type === 'oauth' ? account.credentials.accessToken : account.credentials.apiKey) ?? null,
  }
}
