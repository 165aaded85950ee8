import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  deleteAdminTokenById,
  findAdminTokenByHash,
  insertAdminToken,
  listAdminTokens,
  updateAdminTokenLastUsedById,
} from '../../src/db/admin-tokens.ts'
import { insertAuditEntry, listAuditEntries } from '../../src/db/audit-log.ts'
import { changeBalance, findLedgerDrift, listLedgerEntriesByPayer } from '../../src/db/ledger.ts'
import { deletePricesByModel, listAllPrices, listPrices, upsertPrice } from '../../src/db/prices.ts'
import { listSettings, upsertSettings } from '../../src/db/settings.ts'
import {
  insertSubscription,
  listSubscriptions,
  revokeSubscriptionById,
  updateSubscriptionById,
} from '../../src/db/subscriptions.ts'
import { updateUserById } from '../../src/db/users.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { NOON } from '../support/receipts.ts'
import { granted, seedAccount, seedGroup, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const now = new Date(NOON)

describe('ledger', () => {
  test('fifty movements at once: the balance is the sum of the entries (BIL-11)', async () => {
    const { db, sql } = database
    const user = await seedUser(db)
    const amounts = Array.from({ length: 50 }, (_, index) => BigInt(index - 20))
    await Promise.all(
      amounts.map((amountNano) =>
        changeBalance(db, {
          payer: 'user',
          payerId: user.id,
          amountNano,
          kind: 'adjustment',
          actor: 'root',
          note: 'n',
        }),
      ),
    )
    const entries = granted(await listLedgerEntriesByPayer(db, user.id, { limit: 100 })).rows
    const sum = entries.reduce((total, { amountNano }) => total + amountNano, 0n)
    expect(sum).toBe(225n)
    expect(entries).toHaveLength(50)
    expect(granted(await updateUserById(db, user.id, {})).balanceNano).toBe(sum)
    expect(await findLedgerDrift(sql)).toEqual([])
  })

  test('a movement for nobody is null, and books nothing (BIL-11)', async () => {
    const { db } = database
    const payerId = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'
    const movement = { payer: 'user', payerId, amountNano: 1n, kind: 'top_up', actor: 'root' } as const
    expect(await changeBalance(db, movement)).toBeNull()
    expect(granted(await listLedgerEntriesByPayer(db, payerId, { limit: 10 })).rows).toEqual([])
  })

  test('drift is found on either side: a balance without entries, entries without their balance (BIL-11)', async () => {
    const own = await freshDatabase()
    const user = await seedUser(own.db, { balanceNano: 5n })
    await own.sql`update users set balance_nano = 6 where id = ${user.id}`
    expect(await findLedgerDrift(own.sql)).toEqual([
      { payer: 'user', payerId: user.id, balanceNano: 6n, entriesNano: 5n },
    ])
    await own.drop()
  })
})

describe('subscriptions', () => {
  test('lasts for days from its start, is extended by a patch and ended by revoking (contract)', async () => {
    const { db } = database
    const [user, group] = [await seedUser(db), await seedGroup(db, { billingType: 'subscription' })]
    const subscription = granted(await insertSubscription(db, { userId: user.id, groupId: group.id, days: 30 }, now))
    expect(subscription).toMatchObject({
      startsAt: now,
      expiresAt: new Date(NOON + 30 * 86_400_000),
      dailyUsedNano: 0n,
    })
    const later = new Date(NOON + 60 * 86_400_000)
    expect(granted(await updateSubscriptionById(db, subscription.id, { expiresAt: later })).expiresAt).toEqual(later)
    expect(await insertSubscription(db, { userId: user.id, groupId: group.id, days: 1 }, now)).toMatchObject({
      fault: 'conflict',
    })
    expect((await revokeSubscriptionById(db, subscription.id))?.status).toBe('revoked')
    expect(await revokeSubscriptionById(db, subscription.id)).toBeNull()
    granted(await insertSubscription(db, { userId: user.id, groupId: group.id, expiresAt: later }, now))
    expect(granted(await listSubscriptions(db, { limit: 10, userId: user.id })).rows).toHaveLength(2)
    expect(granted(await listSubscriptions(db, { limit: 10, groupId: group.id, status: 'active' })).rows).toHaveLength(
      1,
    )
  })

  test('only to a group of billing type subscription, with one end, after its start (BIL-10)', async () => {
    const { db } = database
    const [user, standard] = [await seedUser(db), await seedGroup(db)]
    const group = await seedGroup(db, { billingType: 'subscription' })
    const insert = (columns: object) => insertSubscription(db, { userId: user.id, groupId: group.id, ...columns }, now)
    expect(await insert({ groupId: standard.id, days: 1 })).toMatchObject({ fault: 'invalid', field: 'group_id' })
    expect(await insert({})).toMatchObject({ field: 'expires_at' })
    expect(await insert({ days: 1, expiresAt: now })).toMatchObject({ field: 'expires_at' })
    expect(await insert({ expiresAt: now })).toMatchObject({ field: 'expires_at' })
  })
})

describe('prices', () => {
  test('putting a price again replaces it; another date, platform or account is another row (BIL-2)', async () => {
    const { db } = database
    const account = await seedAccount(db)
    const put = (columns: object) => upsertPrice(db, { model: 'gpt-5', rates: { input_usd: 1 }, ...columns }, now)
    const first = granted(await put({}))
    expect(granted(await put({ rates: { input_usd: 2 } }))).toMatchObject({ id: first.id, rates: { input_usd: 2 } })
    granted(await put({ effectiveFrom: new Date(NOON + 1) }))
    granted(await put({ platform: 'openai' }))
    granted(await put({ accountId: account.id }))
    await Promise.all(Array.from({ length: 5 }, () => put({ note: 'at once' })))
    expect(await listAllPrices(db)).toHaveLength(4)
    expect(await put({ accountId: account.id, platform: 'gemini' })).toMatchObject({ field: 'account_id' })
    expect(granted(await listPrices(db, { limit: 10, model: 'gpt-5' })).rows).toHaveLength(4)
    expect(await deletePricesByModel(db, 'gpt-5', { platform: 'openai' })).toBe(1)
    expect(await deletePricesByModel(db, 'gpt-5', { accountId: account.id })).toBe(1)
    expect(await deletePricesByModel(db, 'gpt-5')).toBe(2)
    expect(await deletePricesByModel(db, 'gpt-5')).toBe(0)
  })
})

describe('settings, admin tokens, audit log', () => {
  test('settings are set together, replaced, and taken away by null (contract)', async () => {
    const { db } = database
    await upsertSettings(db, { max_attempts: 3, unpriced_models: 'deny', list: [1], nothing: null }, 'root')
    await upsertSettings(db, { max_attempts: 4, unpriced_models: null }, 'root')
    await upsertSettings(db, {}, 'root')
    expect(await listSettings(db)).toEqual({ list: [1], max_attempts: 4 })
  })

  test('admin tokens are found by hash, unique by name, and gone when deleted (OPS-9)', async () => {
    const { db } = database
    const insert = (name: string, tokenHash: string) =>
      insertAdminToken(db, { name, role: 'viewer', tokenHash, tokenLast4: 'abcd' })
    const token = granted(await insert('ci', 'hash'))
    expect(await insert('ci', 'other')).toMatchObject({ fault: 'conflict', field: 'name' })
    await updateAdminTokenLastUsedById(db, token.id, now)
    expect(await findAdminTokenByHash(db, 'hash')).toMatchObject({ name: 'ci', role: 'viewer', lastUsedAt: now })
    expect(granted(await listAdminTokens(db, { limit: 10 })).rows).toHaveLength(1)
    expect(await deleteAdminTokenById(db, token.id)).toBe(true)
    expect(await findAdminTokenByHash(db, 'hash')).toBeNull()
    granted(await insert('ci', 'another'))
  })

  test('an audit entry goes with the transaction of its write, or not at all (OPS-9)', async () => {
    const { db } = database
    const entry = {
      actor: 'root',
      action: 'user.patch',
      resource: 'user',
      resourceId: 'u1',
      changes: { role: 'admin' },
    }
    await insertAuditEntry(db, entry)
    await db
      .transaction(async (transaction) => {
        await insertAuditEntry(transaction, { ...entry, resourceId: 'u2' })
        transaction.rollback()
      })
      .catch(() => {})
    const { rows } = granted(await listAuditEntries(db, { limit: 10, resource: 'user' }))
    expect(rows).toMatchObject([entry])
    expect(granted(await listAuditEntries(db, { limit: 10, resourceId: 'u2' })).rows).toEqual([])
    expect(granted(await listAuditEntries(db, { limit: 10, actor: 'someone' })).rows).toEqual([])
  })
})
