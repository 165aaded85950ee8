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

export interface Secrets {
  adminToken: string
  encryptionKey: string
  /** The token, if it was made just now: the one moment to show it. */
  newAdminToken: string | null
  adminTokenFile: string
  /** Sentences for the operator's log. */
  warnings: string[]
}

const SHORT = 16

export function openSecrets({ dataDir, adminToken, encryptionKey, databaseUrl }: SecretSettings): Secrets {
  const adminTokenFile = join(dataDir, 'admin-token')
  const keyFile = join(dataDir, 'encryption-key')
  const token = given(adminToken) ?? keepSecret(adminTokenFile, () => `tpa_${randomHex()}`)
  const key = given(encryptionKey) ?? keepSecret(keyFile, randomHex)
  const warnings: string[] = []
  if (token.value.length < SHORT) warnings.push(`ADMIN_TOKEN is shorter than ${SHORT} characters: it can be guessed`)
  if (key.value.length < SHORT) warnings.push(`ENCRYPTION_KEY is shorter than ${SHORT} characters: it can be guessed`)
  if (databaseUrl !== null && encryptionKey === null) {
    warnings.push(`ENCRYPTION_KEY is not set: other instances on this database need the key in ${keyFile}`)
  }
  return {
    adminToken: token.value,
    encryptionKey: key.value,
    newAdminToken: token.made ? token.value : null,
    adminTokenFile,
    warnings,
  }
}

function given(value: string | null): KeptSecret | null {
  return value === null ? null : { value, made: false }
}

/** 256 bits. */
function randomHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
}
