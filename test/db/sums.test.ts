/** Every sum against the records it is a sum of, column by column, whatever happened to the records in whatever order. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { toLostReceipt } from '../../src/core/lost-request.ts'
import { NO_COSTS, type Receipt } from '../../src/core/receipt.ts'
import { migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../../src/db/migrations.gen.ts'
import { deleteUsageRecordsBefore } from '../../src/db/partitions.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { listUnpricedForUpdate, updateRepriced } from '../../src/db/reprice.ts'
import { findHourDrift, findRollupDrift, findTotalsDrift } from '../../src/db/totals-drift.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, freshDatabase, withDatabase } from '../support/database.ts'
import { makeLive } from '../support/live.ts'
import { plainSums, storedSums } from '../support/plain-sums.ts'
import { makeReceipt } from '../support/receipts.ts'

const ZONE = 'Europe/Berlin'
/** Days and months of Berlin turn at 22:00 UTC. */
const EVENING = Date.UTC(2026, 6, 31, 20, 30)
const IDS = [newId(), newId()]

const drawn = fc.record({
  hour: fc.nat(4),
  owners: fc.array(fc.option(fc.nat(1)), { minLength: 4, maxLength: 4 }),
  billingType: fc.constantFrom('balance', 'key', 'none'),
  ended: fc.constantFrom(['completed', 200], ['failed', 502], ['failed', 200], ['cancelled', 499], ['cancelled', 200]),
  tokens: fc.array(fc.nat(9), { minLength: 6, maxLength: 6 }),
  nano: fc.array(fc.nat(99), { minLength: 7, maxLength: 7 }),
  model: fc.constantFrom('gpt-5', 'claude', ''),
  priced: fc.boolean(),
  firstTokenMs: fc.option(fc.nat(900)),
  durationMs: fc.nat(5000),
})
type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never

function toReceipt({ hour, owners, ended, tokens, nano, priced, ...rest }: Drawn): Receipt {
  const [userId, keyId, accountId, groupId] = owners.map((which) => (which === null ? null : IDS[which]!))
  const [input, output, cacheRead, cacheWrite5m, cacheWrite1h, reasoning] = tokens
  const receipt = makeReceipt({
    ...{ ...rest, priced, userId, keyId, accountId, groupId, createdAtMs: EVENING + hour * 3_600_000 },
    ...{ status: ended[0] as Receipt['status'], httpStatus: ended[1] as number },
    usage: { input, output, cacheRead, cacheWrite5m, cacheWrite1h, reasoning },
  })
  return { ...receipt, costs: priced ? toCosts(nano) : NO_COSTS }
}

function toCosts(nano: readonly number[]): Receipt['costs'] {
  const [input, write, read, saving, surcharge, charged, upstream] = nano.map(BigInt) as [bigint, ...bigint[]]
  return {
    ...NO_COSTS,
    ...{ inputNano: input, cacheWriteNano: write!, cacheReadNano: read!, totalNano: input + write! + read! },
    ...{
      cacheSavingNano: saving! - 50n,
      cacheSurchargeNano: surcharge!,
      chargedNano: charged!,
      upstreamNano: upstream!,
    },
  }
}

function lostTwin(receipt: Receipt): Receipt {
  const { id, userId, keyId, accountId, groupId, createdAtMs, model, billingType, firstTokenMs } = receipt
  const request = makeLive({ id, userId, keyId, accountId, groupId, createdAtMs, model, billingType, firstTokenMs })
  return toLostReceipt(request, EVENING + 9000)
}

/** All that have no price get one. */
function reprice({ db }: FreshDatabase, nano: readonly number[]): Promise<void> {
  return db.transaction(async (transaction) => {
    const records = await listUnpricedForUpdate(transaction, { after: null, limit: 100 })
    const costs = toCosts(nano)
    const parts = { inputNano: 0n, outputNano: 0n, cacheWriteNano: 0n, cacheReadNano: 0n, requestNano: 0n }
    const costed = { costs, charged: parts, upstream: parts, priced: true, priceUsed: null }
    const repriced = records.map((record) => ({ record, costed }))
    await updateRepriced(transaction, repriced, { actor: 'test', timeZone: ZONE })
  })
}

const turn = fc.oneof(
  fc.record({
    do: fc.constantFrom('marks' as const, 'receipts' as const),
    which: fc.array(fc.nat(7), { maxLength: 6 }),
  }),
  fc.record({ do: fc.constant('reprice' as const), nano: fc.array(fc.nat(99), { minLength: 7, maxLength: 7 }) }),
)

test('hours, days, months and totals are the plain sums of the records after any order of receipts, marks of lost requests and repricing (BIL-3, BIL-12, USE-3, USE-10)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(drawn, { minLength: 1, maxLength: 8 }), fc.array(turn, { maxLength: 6 }), (all, turns) =>
      withDatabase(async (database) => {
        const receipts = all.map(toReceipt)
        for (const step of turns) {
          if (step.do === 'reprice') await reprice(database, step.nano)
          else {
            const chosen = step.which.map((index) => receipts[index % receipts.length]!)
            const batch = step.do === 'marks' ? chosen.map(lostTwin) : chosen
            await insertReceipts(database.sql, batch, { timeZone: ZONE })
          }
          expect(await storedSums(database)).toEqual(await plainSums(database, ZONE))
        }
        expect(await findTotalsDrift(database.sql)).toEqual([])
        expect(await findHourDrift(database.sql)).toEqual([])
        expect(await findRollupDrift(database.sql)).toEqual([])
      }),
    ),
    { numRuns: 15 },
  )
}, 60_000)

test('what is deleted for its age stays in every sum, and is no drift (USE-18, BIL-12)', () =>
  withDatabase(async (database) => {
    const { sql } = database
    const old = makeReceipt({ createdAtMs: Date.UTC(2026, 2, 31, 23), accountId: IDS[0]!, costNano: 5n })
    const recent = makeReceipt({ createdAtMs: EVENING, accountId: IDS[0]!, costNano: 7n })
    await insertReceipts(sql, [old, recent], { timeZone: ZONE })
    const before = await storedSums(database)
    expect(await deleteUsageRecordsBefore(sql, EVENING - 1)).toMatchObject({ records: 1 })
    expect(await storedSums(database)).toEqual(before)
    for (const find of [findTotalsDrift, findHourDrift, findRollupDrift]) expect(await find(sql)).toEqual([])
  }))

test('doctor finds a day or month that is not the sum of its parts, in any column (BIL-12, USE-10)', () =>
  withDatabase(async ({ sql }) => {
    await insertReceipts(sql, [makeReceipt({ createdAtMs: EVENING, costNano: 5n })], { timeZone: ZONE })
    expect(await findRollupDrift(sql)).toEqual([])
    await sql`update usage_monthly set cache_saving_nano = cache_saving_nano + 1`
    expect(await findRollupDrift(sql)).toMatchObject([{ of: 'usage_monthly all ' }])
    await sql`update usage_daily set error_requests = error_requests + 1`
    expect((await findRollupDrift(sql)).map(({ of }) => of)).toEqual(['usage_daily all ', 'usage_monthly all '])
  }))

/** What a turnpike of the second migration had written of a request without key, user, account and group. */
async function writeAsBefore({ sql }: FreshDatabase, record: { at: string; status: string; httpStatus: number }) {
  const { at, status, httpStatus } = record
  await sql`
    insert into usage_records (id, created_at, finished_at, platform, protocol, endpoint, model, input_tokens, output_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, total_tokens, input_cost_nano,
      output_cost_nano, cache_write_cost_nano, cache_read_cost_nano, request_cost_nano, cost_nano, charged_nano,
      upstream_cost_nano, priced, metering, billing_type, stream, status, http_status, duration_ms, attempts)
    values (${newId(Date.parse(at))}, ${at}, ${at}, 'openai', 'openai-chat', '/v1/chat/completions', 'gpt-5', 3, 0, 0, 0, 0, 0, 3,
      7, 0, 0, 0, 0, 7, 0, 0, true, 'measured', 'none', false, ${status}, ${httpStatus}, 20, '[]')`
  const completed = status === 'completed' ? 1 : 0
  const sums = sql`1, ${completed}, ${1 - completed}, 3, 7, 20`
  await sql`
    insert into usage_hourly (hour, scope, scope_id, platform, model, requests, completed_requests, failed_requests,
      input_tokens, cost_nano, duration_ms)
    values (date_trunc('hour', ${at}::timestamptz, 'UTC'), 'all', '', 'openai', 'gpt-5', ${sums})`
  await sql`
    insert into usage_daily (day, scope, scope_id, platform, model, requests, completed_requests, failed_requests,
      input_tokens, cost_nano, duration_ms)
    values ((${at}::timestamptz at time zone ${ZONE}::text)::date, 'all', '', 'openai', 'gpt-5', ${sums})`
  await sql`
    insert into usage_totals as total (scope, scope_id, requests, failed_requests, total_tokens, cost_nano)
    values ('model', 'gpt-5', 1, ${1 - completed}, 3, 7)
    on conflict (scope, scope_id, period) do update set requests = total.requests + 1,
      failed_requests = total.failed_requests + excluded.failed_requests, total_tokens = total.total_tokens + 3,
      cost_nano = total.cost_nano + 7`
}

/** Tables, columns and indexes, as Postgres describes them; columns in any order. */
async function schemaOf({ sql }: FreshDatabase) {
  const columns = await sql`
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
    where table_schema = 'public' and table_name not like 'usage_records_2%' order by 1, 2`
  const indexes = await sql`
    select tablename, indexdef from pg_indexes where schemaname = 'public' and tablename not like 'usage_records_2%' order by 1, 2`
  return { columns: [...columns], indexes: [...indexes] }
}

test('a database of an early version, with records in it, becomes what a fresh one is, and its sums stay right (OPS-3, BIL-12)', () =>
  withDatabase(async (fresh) => {
    const old = await freshDatabase({ migrated: false })
    try {
      await migrate(old.target, MIGRATIONS.slice(0, 2))
      await writeAsBefore(old, { at: '2026-06-30T23:30:00Z', status: 'completed', httpStatus: 200 })
      await writeAsBefore(old, { at: '2026-07-31T20:30:00Z', status: 'failed', httpStatus: 502 })
      await migrate(old.target)
      expect(await schemaOf(old)).toEqual(await schemaOf(fresh))
      expect(await storedSums(old)).toEqual(await plainSums(old, ZONE))
      const lost = makeReceipt({ createdAtMs: EVENING, costNano: 9n, accountId: IDS[0]! })
      for (const receipt of [lostTwin(lost), lost]) await insertReceipts(old.sql, [receipt], { timeZone: ZONE })
      expect(await storedSums(old)).toEqual(await plainSums(old, ZONE))
      for (const find of [findTotalsDrift, findHourDrift, findRollupDrift]) expect(await find(old.sql)).toEqual([])
    } finally {
      await old.drop()
    }
  }))
