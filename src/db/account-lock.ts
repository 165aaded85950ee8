/**
 * An account's stored credentials, read and written while no other connection can change the row (ACC-10): `select … for update` inside a
 * transaction, so that of several instances that want to refresh a token one does and the others then read what it stored.
 *
 * The caller may wait for the network meanwhile, but less than Postgres' 60 s for idle transactions (./client.ts).
 * If it fails: rejects, and nothing was stored.
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
  return db.transaction(async (transaction) => {
    const [row] = await transaction
      .select({ sealed: accounts.sealedCredentials, status: accounts.status })
      .from(accounts)
      .where(and(eq(accounts.id, asId(id)), isNull(accounts.deletedAt)))
      .for('update')
    if (row === undefined) return null
    return work({
      credentials: openCredentials(box, id, row.sealed),
      save: (next) =>
        updateAccountCredentialsById(transaction, id, {
          sealedCredentials: sealCredentials(box, id, next),
          credentialHint: hintOf(next),
          previousSealed: row.sealed,
        }),
      async fail(message) {
        if (row.status === 'active') {
          await updateAccountStateById(transaction, id, { status: 'error', errorMessage: message })
        }
      },
    })
  })
}
