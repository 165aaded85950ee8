import { expect, test } from 'bun:test'
import { freshDatabase, withDatabase } from './database.ts'

test('a test database is migrated, and nobody else writes to it', async () => {
  const [one, two] = await Promise.all([freshDatabase(), freshDatabase()])
  await one.sql`create table only_here ()`
  const tables = (database: typeof one) =>
    database.sql`select to_regclass('users') is not null as migrated, to_regclass('only_here') is not null as own`
  expect([...(await tables(one))]).toEqual([{ migrated: true, own: true }])
  expect([...(await tables(two))]).toEqual([{ migrated: true, own: false }])
  await Promise.all([one.drop(), two.drop()])
})

test('a test database is gone after its use, also when the test throws', async () => {
  let name = ''
  const failing = withDatabase(async ({ sql }) => {
    name = (await sql`select current_database() as name`)[0]?.name
    throw new Error('a failed test')
  })
  await expect(failing).rejects.toThrow('a failed test')
  await withDatabase(async ({ sql }) => {
    expect([...(await sql`select 1 from pg_database where datname = ${name}`)]).toEqual([])
  })
})

test('an unmigrated test database is empty', async () => {
  const { sql, drop } = await freshDatabase({ migrated: false })
  expect([...(await sql`select 1 from pg_tables where schemaname = 'public'`)]).toEqual([])
  await drop()
})
