/** Users, groups, accounts and keys for tests: each with what it must have, and what the test names. */
import { isFault } from '../../src/core/fault.ts'
import { insertAccount } from '../../src/db/accounts.ts'
import { insertApiKey } from '../../src/db/api-keys.ts'
import type { Db } from '../../src/db/client.ts'
import { insertGroup } from '../../src/db/groups.ts'
import { insertUser } from '../../src/db/users.ts'

let made = 0

/** The row of a write that must have been granted. */
export function granted<T>(result: T): Exclude<T, { fault: string } | null | undefined | false> {
  if (isFault(result)) throw new Error(`refused: ${result.message}`)
  if (result === null || result === undefined || result === false) throw new Error('not found')
  return result as Exclude<T, { fault: string } | null | undefined | false>
}

export async function seedUser(db: Db, columns: Partial<Parameters<typeof insertUser>[1]> = {}) {
  return granted(await insertUser(db, { email: `user${made++}@example.com`, ...columns }, 'root'))
}

export async function seedGroup(db: Db, columns: Partial<Parameters<typeof insertGroup>[1]> = {}) {
  return granted(await insertGroup(db, { name: `group-${made++}`, platform: 'openai', ...columns }))
}

export async function seedAccount(db: Db, columns: Partial<Parameters<typeof insertAccount>[1]> = {}) {
  const secret = { sealedCredentials: 'v1.sealed', credentialHint: { api_key: '…1234' } }
  return granted(
    await insertAccount(db, { name: `account-${made++}`, platform: 'openai', type: 'api_key', ...secret, ...columns }),
  )
}

export async function seedKey(db: Db, columns: Partial<Parameters<typeof insertApiKey>[1]> = {}) {
  const material = { keyHash: `hash-${made}`, keyPrefix: 'tp_0123', keyLast4: 'cdef' }
  return granted(await insertApiKey(db, { name: `key-${made++}`, ...material, ...columns }, 'root'))
}
