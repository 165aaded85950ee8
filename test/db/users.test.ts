import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findApiKeyById } from '../../src/db/api-keys.ts'
import { listLedgerEntriesByPayer } from '../../src/db/ledger.ts'
import { findSubscriptionById, insertSubscription } from '../../src/db/subscriptions.ts'
import {
  deleteUserById,
  findUserByEmail,
  findUserById,
  insertUser,
  listUsers,
  updateUserById,
} from '../../src/db/users.ts'
import { UserView } from '../../src/schema/users.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { NOON } from '../support/receipts.ts'
import { granted, seedGroup, seedKey, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('users', () => {
  test('a new user has what was given, the defaults of the rest, and is shown in the contract’s names (contract)', async () => {
    const { db } = database
    const user = await seedUser(db, { email: 'Ada@example.com', quotaNano: 5_000_000_000n })
    expect(UserView.show(user)).toMatchObject({
      email: 'Ada@example.com',
      username: 'Ada',
      role: 'user',
      status: 'active',
      balance_usd: 0,
      quota_usd: 5,
      used_usd: 0,
      request_count: 0,
      last_used_at: null,
    })
    expect(await findUserById(db, user.id)).toEqual(user)
    expect(await findUserByEmail(db, 'ada@EXAMPLE.com')).toEqual(user)
  })

  test('an opening balance is the first ledger entry (BIL-11)', async () => {
    const { db } = database
    const user = await seedUser(db, { balanceNano: 7n })
    const page = granted(await listLedgerEntriesByPayer(db, user.id, { limit: 10 }))
    expect(user.balanceNano).toBe(7n)
    expect(page.rows).toMatchObject([{ kind: 'top_up', amountNano: 7n, actor: 'root', payer: 'user' }])
  })

  test('a second user with the e-mail address, whatever its case, is a conflict that names email (contract)', async () => {
    const { db } = database
    await seedUser(db, { email: 'grace@example.com' })
    const second = await insertUser(db, { email: 'GRACE@example.com' }, 'root')
    expect(second).toEqual({ fault: 'conflict', field: 'email', message: 'another user has this e-mail address' })
    const other = await seedUser(db)
    expect(await updateUserById(db, other.id, { email: 'grace@example.com' })).toMatchObject({ field: 'email' })
  })

  test('a conflict does not spoil the transaction that it happens in (OPS-9)', async () => {
    const { db } = database
    const { email } = await seedUser(db)
    const after = await db.transaction(async (transaction) => {
      await insertUser(transaction, { email }, 'root')
      return findUserByEmail(transaction, email)
    })
    expect(after?.email).toBe(email)
  })

  test('a patch changes what it names and nothing else (KEY-10)', async () => {
    const { db } = database
    const user = await seedUser(db, { quotaNano: 3n, balanceNano: 9n })
    const patched = granted(await updateUserById(db, user.id, { username: 'Lovelace' }))
    expect({ ...patched, updatedAt: null }).toEqual({ ...user, username: 'Lovelace', updatedAt: null })
    expect(granted(await updateUserById(db, user.id, { quotaNano: null })).quotaNano).toBeNull()
  })

  test('what is not there is null or false, also when the id is none (contract)', async () => {
    const { db } = database
    const nobody = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'
    for (const id of [nobody, "' or 1=1", '']) {
      expect(await findUserById(db, id)).toBeNull()
      expect(await updateUserById(db, id, { username: 'x' })).toBeNull()
      expect(await deleteUserById(db, id)).toBe(false)
    }
  })

  test('text that cannot be stored is refused, not a database error (OPS-11)', async () => {
    const user = await seedUser(database.db)
    expect(await updateUserById(database.db, user.id, { username: 'a\0b' })).toMatchObject({ fault: 'invalid' })
  })

  test('deleting a user ends their keys and subscriptions, frees the address, and keeps the ledger (KEY-12)', async () => {
    const { db } = database
    const user = await seedUser(db, { balanceNano: 7n })
    const key = await seedKey(db, { userId: user.id })
    const group = await seedGroup(db, { billingType: 'subscription' })
    const subscription = granted(
      await insertSubscription(db, { userId: user.id, groupId: group.id, days: 30 }, new Date(NOON)),
    )

    expect(await deleteUserById(db, user.id)).toBe(true)
    expect(await findUserById(db, user.id)).toBeNull()
    expect(await findApiKeyById(db, key.id)).toBeNull()
    expect((await findSubscriptionById(db, subscription.id))?.status).toBe('revoked')
    expect(granted(await listLedgerEntriesByPayer(db, user.id, { limit: 10 })).rows).toHaveLength(1)
    expect((await seedUser(db, { email: user.email })).id).not.toBe(user.id)
    expect(await deleteUserById(db, user.id)).toBe(false)
  })

  test('pages go newest first through all rows once, also when rows are added meanwhile (contract)', async () => {
    const own = await freshDatabase()
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.unshift((await seedUser(own.db)).id)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof listUsers>> = await listUsers(own.db, { limit: 3, cursor })
      const { rows, nextCursor } = granted(page)
      seen.push(...rows.map(({ id }) => id))
      await seedUser(own.db)
      cursor = nextCursor
    } while (cursor !== null)
    expect(seen).toEqual(ids)
    expect(await listUsers(own.db, { limit: 3, cursor: 'nonsense' })).toMatchObject({ field: 'cursor' })
    await own.drop()
  })

  test('lists filter by status, role and text (contract)', async () => {
    const { db } = database
    const boss = await seedUser(db, { username: '100%_boss', role: 'admin', status: 'disabled' })
    const find = async (filter: Parameters<typeof listUsers>[1]) =>
      granted(await listUsers(db, filter)).rows.map(({ id }) => id)
    expect(await find({ limit: 10, role: 'admin' })).toEqual([boss.id])
    expect(await find({ limit: 10, status: 'disabled' })).toEqual([boss.id])
    expect(await find({ limit: 10, search: '%_B' })).toEqual([boss.id])
    expect(await find({ limit: 10, search: 'nobody\0' })).toEqual([])
  })
})
