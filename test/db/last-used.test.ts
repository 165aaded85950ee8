import { afterAll, beforeAll, expect, test } from 'bun:test'
import { findAccountById } from '../../src/db/accounts.ts'
import { findApiKeyById } from '../../src/db/api-keys.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { seedAccount, seedKey } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
  // Notes each row that is written, in the tables where a last use could stand.
  await database.sql.unsafe(`
    create table writes (name text);
    create function note_write() returns trigger language plpgsql as $$
      begin insert into writes values (tg_table_name); return null; end $$;
    create trigger note after insert or update on usage_totals for each row execute function note_write();
    create trigger note after update on accounts for each row execute function note_write();
    create trigger note after update on api_keys for each row execute function note_write();`)
})
afterAll(() => database.drop())

test('the last use of accounts and keys reaches the database with a batch, not with a request (ACC-14, KEY-10)', async () => {
  const { db, sql } = database
  const [account, key] = [await seedAccount(db), await seedKey(db)]
  const batch = (firstMs: number) =>
    Array.from({ length: 100 }, (_, index) =>
      makeReceipt({ accountId: account.id, keyId: key.id, createdAtMs: firstMs + index * 10 }),
    )
  const writes = async () => {
    const rows = await sql<{ name: string; found: number }[]>`
      delete from writes returning name, 1 as found`
    return Object.fromEntries([...Map.groupBy(rows, ({ name }) => name)].map(([name, list]) => [name, list.length]))
  }
  await writes()
  await insertReceipts(sql, batch(NOON), { timeZone: 'UTC' })
  const lastUsedAt = new Date(NOON + 990)
  expect((await findAccountById(db, account.id))?.lastUsedAt).toEqual(lastUsedAt)
  expect((await findApiKeyById(db, key.id))?.lastUsedAt).toEqual(lastUsedAt)
  // Of 100 requests: one row for the account, the key and the model each, and one of the month.
  const { usage_totals: totals = 0, ...others } = await writes()
  expect(others).toEqual({})
  expect(totals).toBeGreaterThan(0)
  expect(totals).toBeLessThanOrEqual(8)
  // What comes late (a journal read after a crash) does not turn it back.
  await insertReceipts(sql, batch(NOON - 3_600_000), { timeZone: 'UTC' })
  expect((await findAccountById(db, account.id))?.lastUsedAt).toEqual(lastUsedAt)
})
