/**
 * Another ENCRYPTION_KEY for everything that is sealed (ACC-8): credentials of accounts and proxies, the pepper of API keys, which itself stays
 * what it is, so that every key and token goes on working.
 *
 * If it fails: throws one line. The change is one transaction; a key that is kept in DATA_DIR is written beside the old one before it and takes its
 * place after it, so that at no moment a sealed secret is without its key on disk. Running the same command again finishes an interrupted one.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { rotateSecrets } from '../db/account-credentials.ts'
import { countListeners } from '../db/changes.ts'
import type { Database } from '../db/client.ts'
import { createSecretbox } from '../lib/secretbox.ts'
import { openPepper } from './pepper.ts'

export interface KeyRotation {
  database: Pick<Database, 'sql' | 'db'>
  /** The key that seals now. */
  currentKey: string
  /** Keys that open, too. */
  previousKeys: readonly string[]
  newKey: string
  /** Where the current key is kept; null: the environment gives it. */
  keyFile: string | null
  /** Every running gateway knows both keys. */
  whileRunning: boolean
}

/** How many secrets were sealed again. */
export async function rotateEncryptionKey(rotation: KeyRotation): Promise<number> {
  const { database, currentKey, previousKeys, newKey, keyFile } = rotation
  const running = await countListeners(database.sql)
  if (running > 0 && !rotation.whileRunning) {
    throw new Error(
      `${running === 1 ? 'a gateway is' : `${running} gateways are`} running on this database and would lose its accounts: stop it, or start it with ` +
        'both keys (PREVIOUS_ENCRYPTION_KEYS) and give --while-running',
    )
  }
  const aside = keyFile === null ? null : `${keyFile}.new`
  const interrupted = aside !== null && existsSync(aside) ? [readFileSync(aside, 'utf8').trim()] : []
  const known = [currentKey, ...previousKeys, ...interrupted]
  const box = createSecretbox(newKey, known)
  // An installation that has not kept its pepper yet must keep it before the key that it comes from is gone.
  await openPepper(database.db, box, currentKey)
  if (aside !== null) writeDurably(aside, newKey)
  const changed = await rotateSecrets(database.sql, box)
  if (aside !== null && keyFile !== null) renameSync(aside, keyFile)
  return changed
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
