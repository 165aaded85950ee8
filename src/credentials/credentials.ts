/**
 * Turns an account into what its provider wants to see: an API key or an OAuth access token to send, or a signature made with AWS keys.
 * If it fails: null: the account can't be used now, and the relay goes on to the next one.
 */
import type { Account } from '../core/entities.ts'
import type { AccountType } from '../core/platform.ts'
import { type AwsRequest, signAws } from './sign-aws.ts'

export interface Credentials {
  secretOf(account: Account): string | null | Promise<string | null>
  /** Headers that sign a request, for providers that want it signed. */
  sign(account: Account, request: AwsRequest): Promise<Record<string, string> | null>
}

const SECRET_OF: Readonly<Record<AccountType, (credentials: Account['credentials']) => string | undefined>> = {
  api_key: ({ apiKey }) => apiKey,
  oauth: ({ accessToken }) => accessToken,
  // Never sent: it signs.
  aws: ({ awsSecretAccessKey }) => awsSecretAccessKey,
}

export function createCredentials(): Credentials {
  return {
    secretOf: (account) => SECRET_OF[account.type](account.credentials) ?? null,
    sign: (account, request) => signAws(account.credentials, request),
  }
}
