/**
 * The pepper under which API keys and admin tokens are hashed (KEY-1): kept sealed in the database, so that it outlives a change of
 * ENCRYPTION_KEY (ACC-8); made from the key at first, as installations before it was kept had it.
 *
 * If it fails: throws one line for the operator. Starting with a key that opens nothing would refuse every client and every account.
 */
import { opensStoredCredentials } from '../db/account-credentials.ts'
import type { Db } from '../db/client.ts'
import { findSealedValue, insertSealedValue } from '../db/sealed-values.ts'
import { createSecretbox, deriveSecret, type Secretbox } from '../lib/secretbox.ts'

const NAME = 'api key pepper'
const WRONG_KEY =
  'ENCRYPTION_KEY is not the one that this database is sealed with; if it was rotated, use the new key (a rotation that was interrupted ' +
  'leaves it in DATA_DIR/encryption-key.new)'

export async function openPepper(db: Db, box: Secretbox, encryptionKey: string): Promise<Uint8Array> {
  const kept = await find(db, box)
  if (kept !== null) return kept
  // The one moment at which a wrong key would be taken for the right one, and for good.
  if (!(await opensStoredCredentials(db, createSecretbox(encryptionKey)))) throw new Error(WRONG_KEY)
  const value = Buffer.from(deriveSecret(encryptionKey, 'api key pepper v1')).toString('base64url')
  await insertSealedValue(db, box, { name: NAME, value })
  // Another process may have been first; all use the one that is there.
  const agreed = await find(db, box)
  if (agreed === null) throw new Error('the pepper of API keys vanished while it was being stored')
  return agreed
}

async function find(db: Db, box: Secretbox): Promise<Uint8Array | null> {
  try {
    const text = await findSealedValue(db, box, NAME)
    return text === null ? null : Buffer.from(text, 'base64url')
  } catch (error) {
    if (!(error as Error).message.startsWith('cannot open')) throw error
    throw new Error(WRONG_KEY, { cause: error })
  }
}
