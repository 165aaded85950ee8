import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Receipt } from '../../src/core/receipt.ts'
import { findApiKeyById } from '../../src/db/api-keys.ts'
import { findLedgerDrift, listLedgerEntriesByPayer } from '../../src/db/ledger.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { findSubscriptionById, insertSubscription } from '../../src/db/subscriptions.ts'
import { findUserById } from '../../src/db/users.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { granted, seedAccount, seedGroup, seedKey, seedUser } from '../support/seed.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const HOUR = 3_600_000
const UTC = { timeZone: 'UTC' }

/** Everything that moves with a record, as one value to compare. */
async function readSums({ sql }: FreshDatabase) {
  return {
    records:
      await sql`select count(*), coalesce(sum(cost_nano), 0)::text as cost, coalesce(sum(total_tokens), 0)::text as tokens from usage_records`,
    totals: [...(await sql`select * from usage_totals order by scope, scope_id, period`)],
    hourly: [...(await sql`select * from usage_hourly order by scope, scope_id, hour, platform, model`)],
    daily: [...(await sql`select * from usage_daily order by scope, scope_id, day, platform, model`)],
    ledger: [...(await sql`select * from ledger_entries order by id`)],
    users: [...(await sql`select id, balance_nano from users order by id`)],
    keys: [...(await sql`select id, balance_nano from api_keys order by id`)],
    subscriptions: [...(await sql`select * from subscriptions order by id`)],
  }
}

describe('a flushed batch', () => {
  test('moves record, totals, rollups, ledger and balance together (BIL-12, BIL-8)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { balanceNano: 1000n })
    const [key, group, account] = [await seedKey(db, { userId: user.id }), await seedGroup(db), await seedAccount(db)]
    const receipt = makeReceipt({
      userId: user.id,
      keyId: key.id,
      groupId: group.id,
      accountId: account.id,
      billingType: 'balance',
      costNano: 100n,
      chargedNano: 150n,
      usage: { input: 10, output: 5, cacheRead: 3, reasoning: 2 },
    })
    expect(await insertReceipts(sql, [receipt], UTC)).toEqual({ inserted: [receipt.id], rejected: [] })

    expect(await findUserById(db, user.id)).toMatchObject({
      balanceNano: 850n,
      requests: 1,
      totalTokens: 18,
      costNano: 100n,
      chargedNano: 150n,
      lastUsedAt: new Date(NOON),
    })
    const { rows: entries } = granted(await listLedgerEntriesByPayer(db, user.id, { limit: 10 }))
    expect(entries.find(({ kind }) => kind === 'charge')).toMatchObject({
      id: receipt.id,
      amountNano: -150n,
      requestId: receipt.id,
      actor: null,
      createdAt: new Date(receipt.finishedAtMs),
    })
    expect(entries).toHaveLength(2)
    const scopes = await sql`select scope, period, requests from usage_totals
      where scope_id in (${user.id}, ${key.id}, ${group.id}, ${account.id}, 'gpt-5') order by scope, period`
    expect([...scopes]).toEqual([
      { scope: 'account', period: '', requests: 1n },
      { scope: 'account', period: '2026-07', requests: 1n },
      { scope: 'group', period: '', requests: 1n },
      { scope: 'key', period: '', requests: 1n },
      { scope: 'model', period: '', requests: 1n },
      { scope: 'user', period: '', requests: 1n },
    ])
  })

  test('sent twice changes nothing the second time (BIL-13, OPS-1)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { balanceNano: 1000n })
    const batch = Array.from({ length: 10 }, (_, index) =>
      makeReceipt({
        userId: user.id,
        billingType: 'balance',
        costNano: 1n,
        chargedNano: 1n,
        createdAtMs: NOON + index,
      }),
    )
    expect((await insertReceipts(sql, batch, UTC)).inserted).toHaveLength(10)
    const before = await readSums(database)
    expect(await insertReceipts(sql, batch, UTC)).toEqual({ inserted: [], rejected: [] })
    expect(await readSums(database)).toEqual(before)
  })

  test('a batch that names one receipt twice counts it once (BIL-13)', async () => {
    const receipt = makeReceipt({ costNano: 1n })
    expect((await insertReceipts(database.sql, [receipt, receipt], UTC)).inserted).toEqual([receipt.id])
  })

  test('a standalone key pays itself and its creator’s sums do not move (BIL-10)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { balanceNano: 1000n })
    const key = await seedKey(db, { userId: user.id, standalone: true, balanceNano: 500n })
    const receipt = makeReceipt({ userId: user.id, keyId: key.id, billingType: 'key', costNano: 20n, chargedNano: 20n })
    await insertReceipts(sql, [receipt], UTC)
    expect(await findApiKeyById(db, key.id)).toMatchObject({ balanceNano: 480n, requests: 1, chargedNano: 20n })
    expect(await findUserById(db, user.id)).toMatchObject({ balanceNano: 1000n, requests: 0, chargedNano: 0n })
  })

  test('with nobody to pay (RUN_MODE=simple) the cost is recorded and no balance moves (ACC-13)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { balanceNano: 1000n })
    await insertReceipts(sql, [makeReceipt({ userId: user.id, billingType: 'none', costNano: 20n })], UTC)
    expect(await findUserById(db, user.id)).toMatchObject({ balanceNano: 1000n, requests: 1, costNano: 20n })
    expect(granted(await listLedgerEntriesByPayer(db, user.id, { limit: 10 })).rows).toHaveLength(1)
  })

  test('a subscription’s windows count list-price cost and renew by themselves; the balance is untouched (BIL-10)', async () => {
    const { db, sql } = database
    const user = await seedUser(db, { balanceNano: 1000n })
    const group = await seedGroup(db, { billingType: 'subscription' })
    const subscription = granted(
      await insertSubscription(db, { userId: user.id, groupId: group.id, days: 90 }, new Date(NOON)),
    )
    const use = (hours: number, costNano: bigint) =>
      makeReceipt({
        userId: user.id,
        subscriptionId: subscription.id,
        billingType: 'subscription',
        costNano,
        chargedNano: costNano,
        createdAtMs: NOON + hours * HOUR - 1200,
      })
    await insertReceipts(sql, [use(0, 1n), use(23, 2n), use(30, 4n)], UTC)
    await insertReceipts(sql, [use(31, 8n)], UTC)
    expect(await findSubscriptionById(db, subscription.id)).toMatchObject({
      dailyStartedAt: new Date(NOON + 30 * HOUR),
      dailyUsedNano: 12n,
      weeklyStartedAt: new Date(NOON),
      weeklyUsedNano: 15n,
      monthlyUsedNano: 15n,
    })
    expect((await findUserById(db, user.id))?.balanceNano).toBe(1000n)
  })

  test('a day begins at midnight of the configured time zone, an hour in UTC (USE-10)', async () => {
    const { sql } = database
    const key = await seedKey(database.db)
    const at = Date.UTC(2026, 6, 31, 22, 30)
    await insertReceipts(sql, [makeReceipt({ keyId: key.id, createdAtMs: at })], { timeZone: 'Europe/Berlin' })
    expect([...(await sql`select day::text from usage_daily where scope_id = ${key.id}`)]).toEqual([
      { day: '2026-08-01' },
    ])
    expect([...(await sql`select hour from usage_hourly where scope_id = ${key.id}`)]).toEqual([
      { hour: new Date(Date.UTC(2026, 6, 31, 22)) },
    ])
  })

  test('an account has its totals of each month beside those of all time (BIL-12)', async () => {
    const { db, sql } = database
    const [key, account] = [await seedKey(db), await seedAccount(db)]
    const use = (createdAtMs: number, costNano: bigint) =>
      makeReceipt({ keyId: key.id, accountId: account.id, costNano, createdAtMs })
    await insertReceipts(sql, [use(NOON - 30 * 24 * HOUR, 1n), use(NOON, 2n), use(NOON + HOUR, 4n)], UTC)
    const totals = await sql`select period, requests::int, upstream_cost_nano::int as cost from usage_totals
      where scope = 'account' and scope_id = ${account.id} order by period`
    expect([...totals]).toEqual([
      { period: '', requests: 3, cost: 7 },
      { period: '2026-06', requests: 1, cost: 1 },
      { period: '2026-07', requests: 2, cost: 6 },
    ])
  })

  test('a rollup row holds what reports need (USE-12, USE-16)', async () => {
    const { sql } = database
    const key = await seedKey(database.db)
    const parts = { keyId: key.id, costNano: 7n }
    await insertReceipts(
      sql,
      [
        makeReceipt({ ...parts, usage: { input: 1, cacheRead: 5, cacheWrite5m: 2 } }),
        makeReceipt({ ...parts, status: 'failed', firstTokenMs: null, priced: false }),
        makeReceipt({ ...parts, status: 'cancelled', usage: { output: 3, cacheWrite1h: 4, reasoning: 1 } }),
      ],
      UTC,
    )
    const [row] = await sql`select * from usage_daily where scope = 'key' and scope_id = ${key.id}`
    expect(row).toMatchObject({
      requests: 3n,
      completed_requests: 1n,
      failed_requests: 1n,
      cache_hit_requests: 1n,
      unpriced_requests: 1n,
      input_tokens: 1n,
      output_tokens: 3n,
      cache_read_tokens: 5n,
      cache_write_5m_tokens: 2n,
      cache_write_1h_tokens: 4n,
      reasoning_tokens: 1n,
      cost_nano: 21n,
      upstream_cost_nano: 21n,
      duration_ms: 3600n,
      first_token_ms: 600n,
      first_token_requests: 2n,
    })
  })
})

describe('receipts that cannot be stored', () => {
  test('an illegal one is rejected by field and the others are stored (USE-2)', async () => {
    const good = makeReceipt()
    const bad = makeReceipt({ usage: { input: -1 } })
    const nameless = makeReceipt({ id: 'no id' })
    expect(await insertReceipts(database.sql, [bad, good, nameless], UTC)).toEqual({
      inserted: [good.id],
      rejected: [
        { receipt: bad, reason: 'usage.input cannot be true' },
        { receipt: nameless, reason: 'id is no UUID' },
      ],
    })
  })

  test('one that only the database refuses does not hold up the rest of its batch (USE-9)', async () => {
    const batch = Array.from({ length: 9 }, () => makeReceipt())
    const guilty = makeReceipt({ keyId: 'no uuid' })
    const { inserted, rejected } = await insertReceipts(database.sql, [...batch, guilty], UTC)
    expect(inserted.sort()).toEqual(batch.map(({ id }) => id).sort())
    expect(rejected).toMatchObject([{ receipt: { id: guilty.id } }])
    expect(rejected[0]?.reason).toContain('uuid')
  })

  test('text that no database takes, and text without end, is stored as far as it can be (OPS-11)', async () => {
    const receipt = makeReceipt({
      model: 'm'.repeat(100_000),
      userAgent: 'a\0b\ud800c',
      errorMessage: `${'x'.repeat(1999)}\u{1f600}`,
      attempts: [{ accountId: 'a', status: null, durationMs: 1, reason: 'x\0y', upstreamRequestId: null, usage: null }],
    })
    expect((await insertReceipts(database.sql, [receipt], UTC)).inserted).toEqual([receipt.id])
    const [row] =
      await database.sql`select model, user_agent, error_message, attempts from usage_records where id = ${receipt.id}`
    expect(row).toMatchObject({ model: 'm'.repeat(256), user_agent: 'ab\ufffdc', attempts: [{ reason: 'xy' }] })
  })

  test('a failure that is not the data’s rejects the call and leaves nothing: the batch is to be sent again (OPS-1)', async () => {
    const own = await freshDatabase()
    await own.sql`drop table usage_daily`
    await expect(insertReceipts(own.sql, [makeReceipt()], UTC)).rejects.toThrow('usage_daily')
    expect([...(await own.sql`select count(*) from usage_records`)]).toEqual([{ count: 0n }])
    await own.drop()
  })
})

describe('any batches, overlapping, in any order, at the same time', () => {
  test('totals = sums of records = rollups, and balance = sum of ledger entries (BIL-11, BIL-12, BIL-13)', async () => {
    const own = await freshDatabase()
    const users = [await seedUser(own.db, { balanceNano: 10n ** 9n }), await seedUser(own.db)]
    const keys = [
      await seedKey(own.db, { userId: users[0]?.id }),
      await seedKey(own.db, { userId: users[1]?.id, standalone: true, balanceNano: 5n }),
    ]
    const receipt = fc
      .record({
        who: fc.nat(1),
        costNano: fc.bigInt({ min: 0n, max: 10n ** 12n }),
        input: fc.nat(100_000),
        status: fc.constantFrom('completed' as const, 'failed' as const, 'cancelled' as const),
        hours: fc.nat(72),
        model: fc.constantFrom('a', 'b'),
      })
      .map(({ who, costNano, input, status, hours, model }) =>
        makeReceipt({
          userId: users[who]?.id ?? null,
          keyId: keys[who]?.id ?? null,
          billingType: who === 0 ? 'balance' : 'key',
          costNano,
          chargedNano: costNano,
          usage: { input },
          status,
          model,
          createdAtMs: NOON + hours * HOUR,
        }),
      )
    const pool = fc.array(receipt, { minLength: 1, maxLength: 25 })
    const batches = pool.chain((receipts) =>
      fc.tuple(fc.constant(receipts), fc.array(fc.subarray(receipts), { minLength: 1, maxLength: 4 })),
    )
    await fc.assert(
      fc.asyncProperty(batches, async ([, sent]) => {
        await Promise.all(sent.map((batch: Receipt[]) => insertReceipts(own.sql, batch, { timeZone: 'Asia/Kolkata' })))
        expect(await findLedgerDrift(own.sql)).toEqual([])
        expect(await findDisagreements(own)).toEqual([])
      }),
      { numRuns: 25 },
    )
    await own.drop()
  }, 30_000)
})

/** Scopes whose totals or rollups are not the sums of the records. */
async function findDisagreements({ sql }: FreshDatabase) {
  return [
    ...(await sql`
      with truth as (
        select scope, scope_id, count(*)::text || '/' || sum(cost_nano)::text || '/' || sum(total_tokens)::text as sums
        from usage_records cross join lateral (values
          ('all', ''), ('key', key_id::text), ('user', case when billing_type <> 'key' then user_id::text end)
        ) as owner (scope, scope_id) where scope_id is not null group by scope, scope_id
      ), told as (
        select 'totals' as by, scope, scope_id, requests::text || '/' || cost_nano::text || '/' || total_tokens::text as sums
        from usage_totals where period = '' and scope in ('user', 'key')
        union all
        select 'hourly', scope, scope_id, sum(requests)::text || '/' || sum(cost_nano)::text || '/' || sum(input_tokens)::text
        from usage_hourly group by scope, scope_id
        union all
        select 'daily', scope, scope_id, sum(requests)::text || '/' || sum(cost_nano)::text || '/' || sum(input_tokens)::text
        from usage_daily group by scope, scope_id
      )
      select told.*, truth.sums as truth from told full join truth using (scope, scope_id)
      where told.sums is distinct from truth.sums`),
  ]
}
