import { afterAll, describe, expect, test } from 'bun:test'
import { migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../../src/db/migrations.gen.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

const databases: FreshDatabase[] = []
afterAll(async () => {
  for (const database of databases) await database.drop()
})

async function open(options: { migrated: boolean }): Promise<FreshDatabase> {
  const database = await freshDatabase(options)
  databases.push(database)
  return database
}

describe('sums of usage (USE-10)', () => {
  test('a month begins at midnight of the configured zone, as its days do', async () => {
    const { sql } = await open({ migrated: true })
    const use = (createdAtMs: number) => makeReceipt({ createdAtMs, costNano: 1n })
    const turn = Date.UTC(2026, 6, 31, 22)
    await insertReceipts(sql, [use(NOON), use(turn - 1), use(turn)], { timeZone: 'Europe/Berlin' })
    expect([
      ...(await sql`select month::text, requests, cost_nano from usage_monthly where scope = 'all' order by month`),
    ]).toEqual([
      { month: '2026-07-01', requests: 2n, cost_nano: 2n },
      { month: '2026-08-01', requests: 1n, cost_nano: 1n },
    ])
  })

  test('each scope has a table of its own, and none holds what belongs to another', async () => {
    const { sql } = await open({ migrated: true })
    const ids = { userId: newId(), keyId: newId(), accountId: newId(), groupId: newId() }
    await insertReceipts(sql, [makeReceipt(ids)], { timeZone: 'UTC' })
    for (const table of ['usage_hourly', 'usage_daily', 'usage_monthly']) {
      const rows = await sql<{ at: string; scope: string }[]>`
        select tableoid::regclass::text as at, scope from ${sql(table)} order by scope`
      expect([...rows]).toEqual(
        ['account', 'all', 'group', 'key', 'user'].map((scope) => ({ at: `${table}_${scope}`, scope })),
      )
    }
  })

  test('sums that were there before months and scopes had tables are kept, and months are made of the days', async () => {
    const { target, sql } = await open({ migrated: false })
    await migrate(target, MIGRATIONS.slice(0, 2))
    const row = (day: string, requests: number) =>
      sql`insert into usage_daily (day, scope, scope_id, platform, model, requests, cost_nano) values (${day}, 'all', '', 'openai', 'm', ${requests}, 5)`
    for (const [day, requests] of [
      ['2026-06-30', 1],
      ['2026-07-01', 2],
      ['2026-07-31', 4],
    ] as const)
      await row(day, requests)
    await sql`insert into usage_hourly (hour, scope, scope_id, platform, model, requests) values ('2026-07-01T10:00:00Z', 'key', 'k', 'openai', 'm', 7)`
    await migrate(target)
    expect([...(await sql`select day::text, requests from usage_daily order by day`)]).toEqual([
      { day: '2026-06-30', requests: 1n },
      { day: '2026-07-01', requests: 2n },
      { day: '2026-07-31', requests: 4n },
    ])
    expect([
      ...(await sql`select month::text, requests, cost_nano, input_tokens from usage_monthly order by month`),
    ]).toEqual([
      { month: '2026-06-01', requests: 1n, cost_nano: 5n, input_tokens: 0n },
      { month: '2026-07-01', requests: 6n, cost_nano: 10n, input_tokens: 0n },
    ])
    expect([...(await sql`select scope_id, requests from usage_hourly`)]).toEqual([{ scope_id: 'k', requests: 7n }])
  })
})
