import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { deleteUsageRecordsBefore, ensurePartitions } from '../../src/db/partitions.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const insertAt = (...times: number[]) =>
  insertReceipts(
    database.sql,
    times.map((createdAtMs) => makeReceipt({ createdAtMs, costNano: 1n })),
    { timeZone: 'UTC' },
  )

async function countByPartition(): Promise<Record<string, number>> {
  const rows = await database.sql<{ name: string; total: bigint }[]>`
    select tableoid::regclass::text as name, count(*) as total from usage_records group by 1 order by 1`
  return Object.fromEntries(rows.map(({ name, total }) => [name, Number(total)]))
}

describe('months of the usage log', () => {
  test('a record of a month without a partition is not lost (USE-18)', async () => {
    expect((await insertAt(NOON)).inserted).toHaveLength(1)
    expect(await countByPartition()).toEqual({ usage_records_default: 1 })
  })

  test('several instances make this month and the next two once; what lay in the default partition moves (USE-18)', async () => {
    const { sql } = database
    const made = await Promise.all(Array.from({ length: 3 }, () => ensurePartitions(sql, NOON)))
    expect(made.flat().sort()).toEqual(['usage_records_2026_07', 'usage_records_2026_08', 'usage_records_2026_09'])
    expect(await ensurePartitions(sql, NOON)).toEqual([])
    expect(await countByPartition()).toEqual({ usage_records_2026_07: 1 })
  })

  test('months are UTC: the last millisecond of one and the first of the next are told apart (USE-18)', async () => {
    await insertAt(Date.UTC(2026, 7, 1) - 1, Date.UTC(2026, 7, 1))
    expect(await countByPartition()).toEqual({ usage_records_2026_07: 2, usage_records_2026_08: 1 })
  })

  test('a year’s turn is a month like others (USE-18)', async () => {
    expect(await ensurePartitions(database.sql, Date.UTC(2026, 10, 30))).toEqual([
      'usage_records_2026_11',
      'usage_records_2026_12',
      'usage_records_2027_01',
    ])
  })

  test('retention drops whole months, deletes the rest in steps, and leaves ledger and rollups (USE-18)', async () => {
    const { sql } = database
    await insertAt(...Array.from({ length: 1500 }, (_, index) => Date.UTC(2026, 7, 10) + index))
    const [before] = await sql`select sum(requests) as total from usage_daily where scope = 'all'`
    expect(await deleteUsageRecordsBefore(sql, Date.UTC(2026, 7, 10) + 1200)).toEqual({
      records: 1203,
      months: 1,
      recordings: 0,
    })
    expect(await countByPartition()).toEqual({ usage_records_2026_08: 300 })
    const [after] = await sql`select sum(requests) as total from usage_daily where scope = 'all'`
    expect(after).toEqual(before)
  })
})
