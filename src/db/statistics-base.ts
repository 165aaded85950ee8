/**
 * The sums that statistics start from (USE-8): this gateway's own by the rollups, and what was imported, read in one snapshot of the database.
 *
 * Which receipts that snapshot holds is told with it: the caller names those that it has not seen written when the snapshot was taken, and learns
 * which of them were in it. So a flush may run at any moment, also one whose answer was lost.
 * If it fails: rejects; nothing was changed.
 */
import { UNKNOWN_MODEL } from '../core/stats.ts'
import type { Sql, SqlTransaction } from './client.ts'
import { isUuid } from './page.ts'

interface Total {
  requests: bigint
  tokens: bigint
}
type NamedTotal = Total & { name: string }
type SeriesTotal = Total & { key: string; model: string }

export interface StoredBase {
  series: SeriesTotal[]
  days: NamedTotal[]
  hours: NamedTotal[]
  failures: bigint
}

export interface BaseQuery {
  timeZone: string
  /** Called when the snapshot is taken: ids of receipts that may be in it. */
  onSnapshot(): string[]
}

const ROWS_AT_A_TIME = 5000
const TOKENS = 'input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens'

export function readStatsBase(sql: Sql, query: BaseQuery): Promise<{ base: StoredBase; held: Set<string> }> {
  return sql.begin('isolation level repeatable read read only', async (transaction) => {
    await transaction`select 1`
    const held = await findHeld(transaction, query.onSnapshot())
    const series = await readSeries(transaction)
    const buckets = await readImportedBuckets(transaction)
    const own = await readOwnTimes(transaction, query.timeZone)
    const base: StoredBase = {
      series: [...series, ...(await readKeyless(transaction, series)), ...(await readImportedSeries(transaction))],
      days: [...own.days, ...buckets.filter(({ kind }) => kind === 'day')],
      hours: [...own.hours, ...buckets.filter(({ kind }) => kind === 'hour')],
      failures:
        own.failures + (buckets.find(({ kind, name }) => kind === 'outcome' && name === 'failed')?.requests ?? 0n),
    }
    return { base, held }
  })
}

async function findHeld(sql: SqlTransaction, ids: readonly string[]): Promise<Set<string>> {
  const list = ids.filter(isUuid).join(',')
  if (list === '') return new Set()
  const rows = await sql<{ id: string }[]>`
    select id from usage_records where id = any(string_to_array(${list}::text, ',')::uuid[])`
  return new Set(rows.map(({ id }) => id))
}

/** The largest first: they are the ones that keep their names when there are too many models. */
async function readSeries(sql: SqlTransaction): Promise<SeriesTotal[]> {
  const series: SeriesTotal[] = []
  const portions = sql<SeriesTotal[]>`
    select scope_id as key, model, sum(requests)::bigint as requests, sum(${sql.unsafe(TOKENS)})::bigint as tokens
    from usage_daily where scope = 'key' group by scope_id, model order by 3 desc`.cursor(ROWS_AT_A_TIME)
  for await (const portion of portions) for (const row of portion) series.push(named(row))
  return series
}

/** Requests without a key are in no key's rollup: by name as long as their records are there, then as what is left of all. */
async function readKeyless(sql: SqlTransaction, keyed: readonly SeriesTotal[]): Promise<SeriesTotal[]> {
  const recorded = await sql<SeriesTotal[]>`
    select 'POST ' || endpoint as key, model, count(*)::bigint as requests, sum(total_tokens)::bigint as tokens
    from usage_records where key_id is null group by 1, 2`
  const all = await sql<(Total & { model: string })[]>`
    select model, sum(requests)::bigint as requests, sum(${sql.unsafe(TOKENS)})::bigint as tokens
    from usage_daily where scope = 'all' group by model`
  const rest = new Map(all.map((row) => [row.model || UNKNOWN_MODEL, { requests: 0n, tokens: 0n }]))
  for (const { model, requests, tokens } of all) addTo(rest.get(model || UNKNOWN_MODEL), requests, tokens)
  const byName = recorded.map(named)
  for (const { model, requests, tokens } of [...keyed, ...byName]) addTo(rest.get(model), -requests, -tokens)
  const nameless = [...rest].filter(([, { requests }]) => requests > 0n)
  return [...byName, ...nameless.map(([model, total]) => ({ key: 'unknown', model, ...total }))]
}

function addTo(total: Total | undefined, requests: bigint, tokens: bigint): void {
  if (total === undefined) return
  total.requests += requests
  total.tokens += tokens
}

/** Hours are named by the local time at which each hour of UTC begins, as core/stats-time does. */
async function readOwnTimes(sql: SqlTransaction, timeZone: string) {
  const days = await sql<(NamedTotal & { failures: bigint })[]>`
    select day::text as name, sum(requests)::bigint as requests, sum(${sql.unsafe(TOKENS)})::bigint as tokens,
      sum(error_requests)::bigint as failures
    from usage_daily where scope = 'all' group by day`
  const hours = await sql<NamedTotal[]>`
    select to_char(hour at time zone ${timeZone}::text, 'HH24') as name, sum(requests)::bigint as requests,
      sum(${sql.unsafe(TOKENS)})::bigint as tokens
    from usage_hourly where scope = 'all' group by 1`
  return { days: [...days], hours: [...hours], failures: days.reduce((sum, { failures }) => sum + failures, 0n) }
}

async function readImportedSeries(sql: SqlTransaction): Promise<SeriesTotal[]> {
  return sql<SeriesTotal[]>`
    select key_name as key, model, greatest(listed_requests, claimed_requests) as requests,
      greatest(listed_tokens, claimed_tokens) as tokens
    from imported_usage_series order by 3 desc`
}

export async function readImportedBuckets(sql: SqlTransaction): Promise<(NamedTotal & { kind: string })[]> {
  return sql<(NamedTotal & { kind: string })[]>`select kind, name, requests, tokens from imported_usage_buckets`
}

function named<T extends { model: string }>(row: T): T {
  return { ...row, model: row.model || UNKNOWN_MODEL }
}
