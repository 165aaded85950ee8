/**
 * The two secrets that everything else hangs on: the root admin token and the encryption key (OPS-3).
 *
 * Given by the environment, or made at the first start and kept under DATA_DIR, so that the next start uses the same.
 * If it fails: throws naming the file; starting with another key than the one that sealed the credentials would lose them.
 */
import { join } from 'node:path'
import { type KeptSecret, keepSecret } from '../lib/kept-secret.ts'

export interface SecretSettings {
  dataDir: string
  adminToken: string | null
  encryptionKey: string | null
  databaseUrl: string | null
}

export interface AdminToken {
  value: string
  /** Was it made just now? The one moment to show it. */
  made: boolean
  /** Where it is kept, unless it was given. */
  path: string
  /** Sentences for the operator's log. */
  warnings: string[]
}

export interface EncryptionKey {
  value: string
  warnings: string[]
}

const SHORT = 16

/** Where the encryption key is kept unless the environment gives it. */
export const keyFileIn = (dataDir: string) => join(dataDir, 'encryption-key')

/** For `serve` only: whoever makes the token must show it. */
export function openAdminToken({ dataDir, adminToken }: SecretSettings): AdminToken {
  const path = join(dataDir, 'admin-token')
  const token = given(adminToken) ?? keepSecret(path, () => `tpa_${randomHex()}`)
  const short = `ADMIN_TOKEN is shorter than ${SHORT} characters: it can be guessed`
  return { ...token, path, warnings: token.value.length < SHORT ? [short] : [] }
}

export function openEncryptionKey({ dataDir, encryptionKey, databaseUrl }: SecretSettings): EncryptionKey {
  const path = keyFileIn(dataDir)
  const { value } = given(encryptionKey) ?? keepSecret(path, randomHex)
  const warnings: string[] = []
  if (value.length < SHORT) warnings.push(`ENCRYPTION_KEY is shorter than ${SHORT} characters: it can be guessed`)
  if (databaseUrl !== null && encryptionKey === null) {
    warnings.push(`ENCRYPTION_KEY is not set: other instances on this database need the key in ${path}`)
  }
  return { value, warnings }
}

function given(value: string | null): KeptSecret | null {
  return value === null ? null : { value, made: false }
}

/** 256 bits. */
function randomHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
}
