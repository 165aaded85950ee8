import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examineDatabase, examineRedis } from '../../src/admin/doctor.ts'
import { runCli } from '../../src/cli/cli.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { type FreshDatabase, freshDatabase, withDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { startRedis } from '../support/redis.ts'
import { seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
  const user = await seedUser(database.db, { balanceNano: 9_000n })
  const part = { userId: user.id, billingType: 'balance', costNano: 5n, chargedNano: 7n } as const
  const receipts = [0, 3_600_000, 7_200_000].map((later) => {
    const createdAtMs = NOON + later
    return makeReceipt({ ...part, createdAtMs, finishedAtMs: createdAtMs, usage: { input: 4 } })
  })
  await insertReceipts(database.sql, receipts, { timeZone: 'UTC' })
})
afterAll(() => database.drop())

const redis = await startRedis()
afterAll(() => redis?.stop())

async function run(environment: Record<string, string>) {
  const out: string[] = []
  const errors: string[] = []
  const terminal = { out: (line: string) => out.push(line), error: (line: string) => errors.push(line) }
  const code = await runCli(['doctor'], { ...terminal, environment, readInput: async () => '' })
  return { code, out, errors, text: out.join('\n') }
}

/** What the doctor finds wrong while `harm` is done; it is undone afterwards. */
async function faultsAfter(harm: string): Promise<string[]> {
  const found = await withHarm(harm)
  return found.filter(({ advice }) => advice !== null).map(({ what, message }) => `${what}: ${message}`)
}

async function withHarm(harm: string) {
  await database.sql.unsafe(`create table kept_users as table users; create table kept_totals as table usage_totals;
    create table kept_hours as table usage_hourly; create table kept_records as table usage_records`)
  try {
    await database.sql.unsafe(harm)
    return await examineDatabase(database.target)
  } finally {
    await database.sql.unsafe(`update users set balance_nano = kept_users.balance_nano from kept_users where users.id = kept_users.id;
      truncate usage_totals, usage_hourly, usage_records; insert into usage_totals table kept_totals;
      insert into usage_hourly table kept_hours; insert into usage_records table kept_records;
      drop table kept_users, kept_totals, kept_hours, kept_records`)
  }
}

describe('what the doctor finds', () => {
  test('nothing, when all is well: each thing that was looked at is told (BIL-11, BIL-12)', async () => {
    const findings = await examineDatabase(database.target)
    expect(findings.map(({ what, advice }) => [what, advice])).toEqual([
      ['database', null],
      ['schema', null],
      ['ledger', null],
      ['totals', null],
    ])
  })

  test('a balance that is not the sum of its entries (BIL-11)', async () => {
    const faults = await faultsAfter('update users set balance_nano = balance_nano + 1')
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain('ledger: 1 balances are not the sum of their entries')
    expect(faults[0]).toContain('has 0.00000898, entries say 0.000008979')
  })

  test('a total that lost or gained something, in any of its sums (BIL-12)', async () => {
    for (const column of ['requests', 'cost_nano', 'charged_nano', 'upstream_cost_nano']) {
      const [fault] = await faultsAfter(`update usage_totals set ${column} = ${column} + 1 where scope = 'model'`)
      expect(fault).toStartWith('totals: usage totals are not the sums of the usage records: model gpt-5 has')
    }
    expect((await faultsAfter("delete from usage_totals where scope = 'user'"))[0]).toContain('has 0 requests')
  })

  test('a record that is gone from the middle, or that was never counted (BIL-12)', async () => {
    const at = new Date(NOON + 3_600_000).toISOString()
    const [lost] = await faultsAfter(`delete from usage_records where created_at = '${at}'`)
    expect(lost).toContain('hour 2026-07-24T13:00:00Z has 1 requests for 0.000000005 USD, counted are 0 for 0')
    const [changed] = await faultsAfter(
      `update usage_records set cost_nano = 6 where created_at = '${new Date(NOON).toISOString()}'`,
    )
    expect(changed).toContain('hour 2026-07-24T12:00:00Z')
    const [uncounted] = await faultsAfter(`delete from usage_hourly where hour = '${at}'`)
    expect(uncounted).toContain('hour 2026-07-24T13:00:00Z has 0 requests for 0 USD, counted are 1')
  })

  test('nothing, when old records were deleted: their sums stay (USE-18)', async () => {
    expect(
      await faultsAfter(`delete from usage_records where created_at < '${new Date(NOON + 1).toISOString()}'`),
    ).toEqual([])
    expect(await faultsAfter('delete from usage_records')).toEqual([])
  })

  test('a database that is not migrated, or by a newer version (OPS-3)', async () => {
    await withDatabase(async (newer) => {
      await newer.sql`insert into turnpike_migrations (name, hash) values ('9999_future', 'x')`
      expect((await examineDatabase(newer.target)).at(-1)?.message).toContain('newer than this turnpike')
    })
    const empty = await freshDatabase({ migrated: false })
    const findings = await examineDatabase(empty.target)
    expect(findings.at(-1)).toMatchObject({ what: 'schema', advice: 'run turnpike migrate' })
    await empty.drop()
  })

  test('a Redis that is not there', async () => {
    expect(await examineRedis('redis://127.0.0.1:1')).toMatchObject({ message: 'does not answer: ECONNREFUSED' })
    expect((await examineRedis(null)).advice).toBeNull()
  })

  test.skipIf(!redis)('nothing about a Redis that answers', async () => {
    expect(await examineRedis(redis!.url)).toEqual({ what: 'redis', message: 'answers', advice: null })
  })
})

describe('turnpike doctor', () => {
  test('a setting that is not allowed is a fault: told, and exit 1 (contract.md)', async () => {
    const { code, out, errors } = await run({ RUN_MODE: 'turbo' })
    expect([code, errors, out.length]).toEqual([1, [], 2])
    expect(out[0]).toBe('FAULT config    RUN_MODE must be one of standard, simple, not "turbo"')
  })

  test('before the first start there is nothing to find fault with, and nothing is made (contract.md)', async () => {
    const home = mkdtempSync(join(tmpdir(), 'turnpike-doctor-'))
    const { code, text } = await run({ DATA_DIR: join(home, 'data') })
    expect([code, existsSync(join(home, 'data'))]).toEqual([0, false])
    expect(text).toContain('not made yet')
    rmSync(home, { recursive: true })
  })

  test('a database that does not answer: what to do, exit 1, no password shown (contract.md)', async () => {
    const { code, text } = await run({ DATABASE_URL: 'postgres://turnpike:hunter2@127.0.0.1:1/none' })
    expect(code).toBe(1)
    expect(text).toContain('FAULT database  cannot reach Postgres at 127.0.0.1:1/none')
    expect(text).toContain('mend DATABASE_URL')
    expect(text).not.toContain('hunter2')
  })
})
