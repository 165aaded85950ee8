/**
 * An account's stored credentials, read and written while no other connection can change the row (ACC-10): `select … for update` inside a
 * transaction, so that of several instances that want to refresh a token one does and the others then read what it stored.
 *
 * The caller may wait for the network meanwhile, but less than Postgres' 60 s for idle transactions (./client.ts).
 * If it fails: rejects, and nothing was stored. A connection that dies meanwhile rejects at once, while `work` is still under way; nothing must be
 * said on it any more: postgres.js 3.4.9 writes to a socket that is null then, which no one can catch and which ends the process.
 */
import { and, eq, isNull } from 'drizzle-orm'
import type { AccountCredentials } from '../core/entities.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import { hintOf } from '../schema/account-credentials.ts'
import { accounts } from '../schema/accounts.ts'
import { openCredentials, sealCredentials } from './account-credentials.ts'
import { updateAccountCredentialsById, updateAccountStateById } from './accounts.ts'
import type { Db } from './client.ts'
import { asId } from './page.ts'

export interface LockedAccount {
  readonly credentials: AccountCredentials
  /** Only if they are still the ones that were read. */
  save(next: AccountCredentials): Promise<boolean>
  /** Status `error`; one that an operator disabled stays disabled. */
  fail(message: string): Promise<void>
}

/** Resolves after the commit; null: there is no such account. */
export async function withAccountLocked<T>(
  { db, box }: { db: Db; box: Secretbox },
  id: string,
  work: (account: LockedAccount) => Promise<T>,
): Promise<T | null> {
  let over = false
  const transaction = db.transaction(async (opened) => {
    const [row] = await opened
      .select({ sealed: accounts.sealedCredentials, status: accounts.status })
      .from(accounts)
      .where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
      .for('update')
    if (row === undefined) return null
    const locked = lockedAccount({ db: opened, box }, id, row)
    const unlessOver = <R>(say: () => Promise<R>) => (over ? never() : say())
    try {
      const result = await work({
        credentials: locked.credentials,
        save: (next) => unlessOver(() => locked.save(next)),
        fail: (message) => unlessOver(() => locked.fail(message)),
      })
      return over ? await never() : result
    } catch (error) {
      if (over) await never()
      throw error
    }
  })
  transaction.catch(() => {
    over = true
  })
  return transaction
}

/** Whoever waits for it goes no further, and is forgotten with it. */
const never = () => new Promise<never>(() => {})

function lockedAccount(
  { db, box }: { db: Db; box: Secretbox },
  id: string,
  row: { sealed: string; status: string },
): LockedAccount {
  return {
    credentials: openCredentials(box, id, row.sealed),
    save: (next) =>
      updateAccountCredentialsById(db, id, {
        sealedCredentials: sealCredentials(box, id, next),
        credentialHint: hintOf(next),
        previousSealed: row.sealed,
      }),
    async fail(message) {
      if (row.status === 'active') await updateAccountStateById(db, id, { status: 'error', errorMessage: message })
    },
  }
}
