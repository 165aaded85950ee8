/**
 * Months of the usage log (USE-18): made ahead, dropped whole when retention is over. A month for which none was made is kept in
 * the default partition; making the month later moves its rows there.
 *
 * If it fails: rejects; nothing is half made. A lock that is not free within 3 s is given up (the relay's flushes come
 * first): try again later.
 */
import type { Sql, SqlTransaction } from './client.ts'

const MONTHS_AHEAD = 2
const DELETE_BATCH = 1000

/** Makes the partitions of this month and the next two. Names of those that were missing. */
export async function ensurePartitions(sql: Sql, nowMs: number): Promise<string[]> {
  const now = new Date(nowMs)
  const made: string[] = []
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) {
    const start = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1))
    if (await createPartition(sql, start)) made.push(nameOf(start))
  }
  return made
}

export interface DeletedRecords {
  /** Those of dropped months too. */
  records: number
  /** Months dropped whole. */
  months: number
  /** Recorded headers and bodies (USE-1). */
  recordings: number
}

/** Deletes records older than that: whole months by dropping them, the rest in small steps. Totals, rollups and ledger stay. */
export async function deleteUsageRecordsBefore(sql: Sql, beforeMs: number): Promise<DeletedRecords> {
  const before = new Date(beforeMs)
  const dropped = await dropPartitionsBefore(sql, before)
  const records = await deleteInSteps(
    () => sql`
      delete from usage_records where (id, created_at) in (
        select id, created_at from usage_records where created_at < ${before} order by created_at
        limit ${DELETE_BATCH} for update skip locked
      ) and created_at < ${before}`,
  )
  const recordings = await deleteInSteps(
    () => sql`
      delete from request_recordings where id in (
        select id from request_recordings where created_at < ${before} order by created_at
        limit ${DELETE_BATCH} for update skip locked
      )`,
  )
  return { records: dropped.records + records, months: dropped.months, recordings }
}

/** Each step is a transaction of its own: no lock is held for longer than it takes, and what is done stays done. */
async function deleteInSteps(step: () => Promise<{ count: number }>): Promise<number> {
  for (let deleted = 0; ; ) {
    const { count } = await step()
    deleted += count
    if (count < DELETE_BATCH) return deleted
  }
}

async function dropPartitionsBefore(sql: Sql, before: Date): Promise<{ records: number; months: number }> {
  const partitions = await listPartitions(sql)
  const over = partitions.filter(({ start }) => monthAfter(start) <= before)
  let records = 0
  for (const { name } of over) {
    // Counted before anything is locked: nobody writes to a month that is long over.
    const [row] = await sql<{ found: bigint }[]>`select count(*) as found from ${sql(name)}`
    await sql.begin(async (transaction) => {
      await transaction`set local lock_timeout = '3s'`
      await transaction`drop table ${transaction(name)}`
    })
    records += Number(row?.found ?? 0)
  }
  return { records, months: over.length }
}

async function createPartition(sql: Sql, start: Date): Promise<boolean> {
  const name = nameOf(start)
  return sql.begin(async (transaction) => {
    // Several instances may do this at the turn of a month.
    await transaction`select pg_advisory_xact_lock(hashtext('usage_records partitions'))`
    const [found] = await transaction`select to_regclass(${name}) as name`
    if (found?.name !== null) return false
    await transaction`set local lock_timeout = '3s'`
    await attach(transaction, name, start)
    return true
  })
}

/** Made apart and attached, because a partition cannot be created over rows that are in the default one. */
async function attach(sql: SqlTransaction, name: string, start: Date): Promise<void> {
  const [from, to] = [start, monthAfter(start)]
  await sql`create table ${sql(name)} (like usage_records including defaults)`
  await sql`
    with moved as (
      delete from usage_records_default where created_at >= ${from} and created_at < ${to} returning *
    ) insert into ${sql(name)} select * from moved`
  const range = `from ('${from.toISOString()}') to ('${to.toISOString()}')`
  await sql`alter table usage_records attach partition ${sql(name)} for values ${sql.unsafe(range)}`
}

async function listPartitions(sql: Sql): Promise<{ name: string; start: Date }[]> {
  const rows = await sql<{ name: string }[]>`
    select relname::text as name from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'usage_records'::regclass order by relname`
  return rows.flatMap(({ name }) => {
    const [, year, month] = /^usage_records_(\d{4})_(\d{2})$/.exec(name) ?? []
    return year && month ? [{ name, start: new Date(Date.UTC(Number(year), Number(month) - 1, 1)) }] : []
  })
}

function nameOf(start: Date): string {
  return `usage_records_${start.toISOString().slice(0, 7).replace('-', '_')}`
}

function monthAfter(start: Date): Date {
  return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1))
}
