import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  deleteApiKeyById,
  disableExpiredApiKeys,
  findApiKeyById,
  insertApiKey,
  listApiKeys,
  rotateApiKeyById,
  startApiKeyExpiry,
  updateApiKeyById,
} from '../../src/db/api-keys.ts'
import { findLedgerDrift, listLedgerEntriesByPayer } from '../../src/db/ledger.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { ApiKeyCreate, ApiKeyView } from '../../src/schema/api-key-views.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { granted, seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const DAY = 86_400_000

describe('API keys', () => {
  test('every field of KEY-5 is stored and shown as it was given (KEY-5)', async () => {
    const { db } = database
    const [user, group, account] = [await seedUser(db), await seedGroup(db), await seedAccount(db)]
    const body = {
      name: 'laptop',
      description: 'Ada’s',
      user_id: user.id,
      group_id: group.id,
      tags: ['research'],
      active: true,
      expires_at: '2027-01-01T00:00:00.000Z',
      expires_after_days: 30,
      permissions: ['openai' as const, 'claude' as const],
      token_limit: 5_000_000_000,
      concurrency_limit: 4,
      rate_limit_window: 60,
      rate_limit_requests: 100,
      rate_limit_tokens: 3_000_000_000,
      rate_limit_cost_usd: 5.5,
      rpm: 60,
      tpm: 200_000,
      daily_cost_limit_usd: 10,
      weekly_cost_limit_usd: 50,
      total_cost_limit_usd: 500.000000001,
      model_restriction: 'allow' as const,
      models: ['claude-*'],
      client_restriction: true,
      clients: ['claude_code'],
      ip_allow: ['10.0.0.0/8'],
      ip_deny: ['10.1.0.0/16'],
      bound_accounts: { openai: account.id },
      standalone: true,
      balance_usd: 2.5,
      on_client_disconnect: 'abort' as const,
      sse_keepalive: 15,
    }
    const material = { keyHash: 'h', keyPrefix: 'tp_4f2a', keyLast4: '9c1e' }
    const key = granted(await insertApiKey(db, { ...granted(ApiKeyCreate.read(body)), ...material }, 'root'))
    const shown = ApiKeyView.show({ ...key, window: null, concurrency: null })
    expect(shown).toMatchObject({ ...body, key_prefix: 'tp_4f2a', key_last4: '9c1e' })
    expect(JSON.stringify(shown)).not.toContain('keyHash')
  })

  test('a key that exists already, and references to what is not there, are refused by name (contract)', async () => {
    const { db } = database
    const gemini = await seedAccount(db, { platform: 'gemini' })
    const nobody = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10'
    const material = { keyHash: 'taken', keyPrefix: 'tp_', keyLast4: '0000' }
    granted(await insertApiKey(db, { name: 'a', ...material }, 'root'))
    const insert = (columns: object) =>
      insertApiKey(db, { name: 'b', ...material, keyHash: 'free', ...columns }, 'root')
    expect(await insert({ keyHash: 'taken' })).toMatchObject({ fault: 'conflict', field: 'api_key' })
    expect(await insert({ userId: nobody })).toMatchObject({ fault: 'invalid', field: 'user_id' })
    expect(await insert({ groupId: nobody })).toMatchObject({ fault: 'invalid', field: 'group_id' })
    expect(await insert({ boundAccounts: { openai: gemini.id } })).toMatchObject({ field: 'bound_accounts.openai' })
  })

  test('an edit and a flush at the same time lose nothing of each other (KEY-10)', async () => {
    const { db, sql } = database
    const key = await seedKey(db)
    const receipts = Array.from({ length: 20 }, () => makeReceipt({ keyId: key.id, costNano: 3n, usage: { input: 2 } }))
    await Promise.all([
      ...receipts.map((receipt) => insertReceipts(sql, [receipt], { timeZone: 'UTC' })),
      ...receipts.map((_, index) => updateApiKeyById(db, key.id, { rpm: index + 1 }, 'root')),
    ])
    const after = granted(await findApiKeyById(db, key.id))
    expect(after).toMatchObject({ requests: 20, totalTokens: 40, costNano: 60n, lastUsedAt: new Date(NOON) })
    expect(after.rpm).toBeGreaterThan(0)
    expect(after.name).toBe(key.name)
  })

  test('setting a balance books the difference as an adjustment (BIL-11)', async () => {
    const { db, sql } = database
    const key = await seedKey(db, { standalone: true, balanceNano: 10n })
    expect(granted(await updateApiKeyById(db, key.id, { balanceNano: 4n }, 'ada')).balanceNano).toBe(4n)
    granted(await updateApiKeyById(db, key.id, { balanceNano: 4n }, 'ada'))
    const { rows } = granted(await listLedgerEntriesByPayer(db, key.id, { limit: 10 }))
    expect(rows).toMatchObject([
      { kind: 'adjustment', amountNano: -6n, actor: 'ada', payer: 'key' },
      { kind: 'top_up', amountNano: 10n },
    ])
    expect(await findLedgerDrift(sql)).toEqual([])
  })

  test('rotation keeps the key and, for a time, the old secret (KEY-10)', async () => {
    const { db } = database
    const key = await seedKey(db)
    const graceUntil = new Date(NOON)
    const rotate = (keyHash: string, until: Date | null) =>
      rotateApiKeyById(db, key.id, { keyHash, keyPrefix: 'tp_ffff', keyLast4: '1111', graceUntil: until })
    expect(await rotate('second', graceUntil)).toMatchObject({
      id: key.id,
      keyHash: 'second',
      previousKeyHash: key.keyHash,
      previousKeyExpiresAt: graceUntil,
    })
    expect(await rotate('third', null)).toMatchObject({
      keyHash: 'third',
      previousKeyHash: null,
      previousKeyExpiresAt: null,
    })
  })

  test('days from first use are counted once, from the first (KEY-5)', async () => {
    const { db } = database
    const key = await seedKey(db, { expiresAfterDays: 30 })
    await startApiKeyExpiry(db, key.id, new Date(NOON))
    await startApiKeyExpiry(db, key.id, new Date(NOON + DAY))
    expect((await findApiKeyById(db, key.id))?.expiresAt).toEqual(new Date(NOON + 30 * DAY))
    const forever = await seedKey(db)
    await startApiKeyExpiry(db, forever.id, new Date(NOON))
    expect((await findApiKeyById(db, forever.id))?.expiresAt).toBeNull()
  })

  test('the expiry job marks what has expired, once, and deletes nothing (KEY-11)', async () => {
    const { db } = database
    const expired = await seedKey(db, { expiresAt: new Date(1000) })
    const valid = await seedKey(db, { expiresAt: new Date(2000) })
    expect(await disableExpiredApiKeys(db, new Date(1000))).toEqual([expired.id])
    expect(await disableExpiredApiKeys(db, new Date(1000))).toEqual([])
    expect((await findApiKeyById(db, expired.id))?.active).toBe(false)
    expect((await findApiKeyById(db, valid.id))?.active).toBe(true)
  })

  test('deleting a key keeps its usage and its name for reports (KEY-12)', async () => {
    const { db, sql } = database
    const key = await seedKey(db, { name: 'old laptop' })
    await insertReceipts(sql, [makeReceipt({ keyId: key.id, costNano: 3n })], { timeZone: 'UTC' })
    expect(await deleteApiKeyById(db, key.id)).toBe(true)
    expect(await findApiKeyById(db, key.id)).toBeNull()
    expect(await deleteApiKeyById(db, key.id)).toBe(false)
    const report = await sql`
      select name, cost_nano from api_keys join usage_totals on scope = 'key' and scope_id = api_keys.id::text
      where api_keys.id = ${key.id}`
    expect([...report]).toEqual([{ name: 'old laptop', cost_nano: 3n }])
  })

  test('lists filter by user, group, state, tag and text (contract)', async () => {
    const { db } = database
    const [user, group] = [await seedUser(db), await seedGroup(db)]
    const key = await seedKey(db, {
      userId: user.id,
      groupId: group.id,
      tags: ['x', 'y"z'],
      active: false,
      name: 'Needle',
    })
    const find = async (filter: Omit<Parameters<typeof listApiKeys>[1], 'limit'>) =>
      granted(await listApiKeys(db, { limit: 10, ...filter })).rows.map(({ id }) => id)
    expect(await find({ userId: user.id })).toEqual([key.id])
    expect(await find({ groupId: group.id, active: false })).toEqual([key.id])
    expect(await find({ groupId: group.id, active: true })).toEqual([])
    expect(await find({ tag: 'y"z' })).toEqual([key.id])
    expect(await find({ search: 'nEEdl' })).toEqual([key.id])
    expect(await find({ userId: 'no id' })).toEqual([])
  })
})
