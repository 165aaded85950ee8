/**
 * Takes an account's own secrets out of what its upstream says (OPS-8): error texts are shown to operators, kept in records and, for the
 * client's own faults, passed on, and some upstreams repeat the key that they turn down. By value, because not every key looks like one.
 * Only on the way of errors: an answer is not looked through.
 */
import type { Account } from '../core/entities.ts'
import type { Failure } from '../core/failure.ts'
import { redactText, withoutSecrets } from '../lib/redact.ts'

export function scrubText(text: string, account: Account, used: string | null = null): string {
  return redactText(withoutSecrets(text, secretsOf(account, used)))
}

/** The same object when there is nothing to take out. */
export function scrubBytes(body: Uint8Array, account: Account, used: string | null): Uint8Array {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const found = secretsOf(account, used).filter((secret) => bytes.includes(secret))
  return found.length === 0 ? body : Buffer.from(withoutSecrets(bytes.toString('latin1'), found), 'latin1')
}

export function scrubFailure(failure: Failure, account: Account, used: string | null): Failure {
  const { error } = failure
  if (!error || error.message === null) return failure
  return { ...failure, error: { ...error, message: scrubText(error.message, account, used) } }
}

/** `used`: a token that was refreshed since the account was read. */
function secretsOf({ credentials, proxy }: Account, used: string | null): string[] {
  const { apiKey, accessToken, refreshToken, awsSecretAccessKey, awsSessionToken } = credentials
  const ofProxy = proxy === null ? undefined : URL.parse(proxy.url)?.password
  const all = [used, apiKey, accessToken, refreshToken, awsSecretAccessKey, awsSessionToken, ofProxy]
  return all.filter((secret): secret is string => !!secret)
}
