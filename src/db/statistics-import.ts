/**
 * Stores a file of usage statistics: all of it or nothing, in one transaction (USE-7). What is there stays; details that are there already, here
 * or in an earlier import, are skipped; totals move as core/stats-merge says. One import at a time over all instances.
 *
 * Each detail is a row under its identity, so importing twice adds nothing, across restarts and instances. Measured with 1 M details of another
 * tool on a busy machine: 7 s of CPU for the whole import here, 12 s of Postgres's (test/bench/statistics.ts).
 * If it fails: rejects; nothing is stored.
 */
import type { FileSeries, Spread, StatsFile } from '../core/stats-file.ts'
import {
  type Amount,
  claimOf,
  type Held,
  heldTotal,
  noteUnlisted,
  spreadChange,
  type Unlisted,
} from '../core/stats-merge.ts'
import { newId } from '../lib/ids.ts'
import { CHANNEL } from './changes.ts'
import type { Sql, SqlTransaction } from './client.ts'
import { readImportedBuckets } from './statistics-base.ts'
import { type OwnSeries, takeOwnDetails } from './statistics-own.ts'
import { stageFile } from './statistics-stage.ts'

export interface ImportWish {
  /** Every instance hears of the import by this. */
  id: string
  file: StatsFile
  /** IANA name: whose days and hours new details count in. */
  timeZone: string
  actor: { name: string; clientIp: string | null }
  onStaged(details: number): void
}

export interface ImportResult {
  /** Details that are new. */
  added: number
  /** Details that were there. */
  skipped: number
}

export function importStatsFile(sql: Sql, wish: ImportWish): Promise<ImportResult> {
  return sql.begin(async (transaction) => {
    // A million rows take longer than a query of an operator may.
    await transaction`set local statement_timeout = 0`
    await transaction`set local work_mem = '64MB'`
    await transaction`select pg_advisory_xact_lock(hashtext('import of usage statistics'))`
    await stageFile(transaction, wish.file, wish.onStaged)
    const own = await takeOwnDetails(transaction)
    const series = await openSeries(transaction, claimsOf(wish.file.series, own))
    const fresh = await insertDetails(transaction, wish.timeZone)
    const change = await updateSeries(transaction, { series, fresh: fresh.bySeries })
    const held = spreadOf(await readImportedBuckets(transaction))
    await addToBuckets(transaction, spreadChange({ fresh: fresh.spread, unlisted: change, file: wish.file, held }))
    const result = { added: fresh.count, skipped: wish.file.details.count - fresh.count }
    await writeDown(transaction, wish, result)
    return result
  })
}

function claimsOf(
  series: readonly FileSeries[],
  own: readonly OwnSeries[],
): { key: string; model: string; claimed: Amount }[] {
  const ownOf = new Map(own.map((row) => [row.series, row]))
  return series.flatMap((entry, index) => {
    const { requests = 0n, tokens = 0n, found = false } = ownOf.get(index) ?? {}
    const claimed = claimOf(entry, { requests: Number(requests), tokens: Number(tokens) }, found)
    return claimed.requests > 0 || claimed.tokens > 0 ? [{ key: entry.key, model: entry.model, claimed }] : []
  })
}

interface StoredSeries extends Held {
  id: number
  /** What this file claims. */
  wanted: Amount
}

/** The series that the file has something for, as they were, made where they are new. */
async function openSeries(sql: SqlTransaction, claims: ReturnType<typeof claimsOf>): Promise<StoredSeries[]> {
  const rows = claims.map(({ key, model, claimed }) => ({ key_name: key, model, ...claimed }))
  await sql`create temporary table staged_claims on commit drop as
    select * from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as given (key_name text, model text, requests bigint, tokens bigint)`
  await sql`
    insert into imported_usage_series (key_name, model)
    select key_name, model from staged_series where exists (
      select from staged_details where staged_details.series = staged_series.series)
    union select key_name, model from staged_claims
    order by 1, 2 on conflict (key_name, model) do nothing`
  return sql<StoredSeries[]>`
    select id, ${amountJson(sql, 'listed_requests', 'listed_tokens')} as listed,
      ${amountJson(sql, 'claimed_requests', 'claimed_tokens')} as claimed,
      ${amountJson(sql, 'coalesce(requests, 0)', 'coalesce(tokens, 0)')} as wanted
    from imported_usage_series left join staged_claims using (key_name, model)
    where (key_name, model) in (select key_name, model from staged_series)`
}

/** As an object, its numbers as JSON's: the driver would give them as bigints. */
function amountJson(sql: SqlTransaction, requests: string, tokens: string) {
  return sql.unsafe(`json_build_object('requests', ${requests}, 'tokens', ${tokens})`)
}

interface FreshRow {
  kind: 'series' | 'day' | 'hour' | 'outcome'
  name: string
  requests: number
  tokens: number
}

/**
 * Rows come as they stand in the file, those of a series together and in time: nearly the order of the primary key, whose index is thus appended to
 * without sorting first. New details are counted by series, minute and outcome
 * first: asking the time zone for each of a million rows would take longer than storing them.
 */
async function insertDetails(sql: SqlTransaction, timeZone: string) {
  const rows = await sql<FreshRow[]>`
    with fresh as (
      insert into imported_usage_details
      select imported_usage_series.id, at_ns, identity, source, auth_index, failed, input_tokens, output_tokens,
        reasoning_tokens, cached_tokens, total_tokens
      from staged_details join staged_series using (series)
      join imported_usage_series using (key_name, model)
      on conflict do nothing
      returning series_id, at_ns / 60000000000 as minute, failed, total_tokens
    ),
    counted as (
      select series_id, to_timestamp(minute * 60) as at, failed, count(*) as requests, sum(total_tokens) as tokens
      from fresh group by grouping sets ((series_id), (minute), (failed))
    )
    select 'series' as kind, series_id::text as name, requests::float8, tokens::float8
    from counted where series_id is not null
    union all
    select 'outcome', case when failed then 'failed' else 'ok' end, requests::float8, 0
    from counted where failed is not null
    union all
    select 'day', (at at time zone ${timeZone}::text)::date::text as name, sum(requests)::float8, sum(tokens)::float8
    from counted where at is not null group by name
    union all
    select 'hour', to_char(date_trunc('hour', at, 'UTC') at time zone ${timeZone}::text, 'HH24') as name,
      sum(requests)::float8, sum(tokens)::float8
    from counted where at is not null group by name`
  const bySeries = new Map<number, Amount>()
  let count = 0
  for (const { kind, name, requests, tokens } of rows) {
    if (kind !== 'series') continue
    bySeries.set(Number(name), { requests, tokens })
    count += requests
  }
  return { count, bySeries, spread: spreadOf(rows) }
}

interface SeriesChange {
  series: readonly StoredSeries[]
  fresh: ReadonlyMap<number, Amount>
}

async function updateSeries(sql: SqlTransaction, { series, fresh }: SeriesChange): Promise<Unlisted> {
  const unlisted: Unlisted = { grown: { requests: 0, tokens: 0 }, shrunk: { requests: 0, tokens: 0 } }
  const changed: Record<string, number>[] = []
  for (const before of series) {
    const { requests, tokens } = fresh.get(before.id) ?? { requests: 0, tokens: 0 }
    const listed = { requests: before.listed.requests + requests, tokens: before.listed.tokens + tokens }
    const after: Held = { listed, claimed: heldTotal({ listed: before.claimed, claimed: before.wanted }) }
    noteUnlisted(unlisted, before, after)
    changed.push({
      id: before.id,
      listed_requests: listed.requests,
      listed_tokens: listed.tokens,
      claimed_requests: after.claimed.requests,
      claimed_tokens: after.claimed.tokens,
    })
  }
  await sql`
    update imported_usage_series set listed_requests = given.listed_requests, listed_tokens = given.listed_tokens,
      claimed_requests = given.claimed_requests, claimed_tokens = given.claimed_tokens
    from json_to_recordset(${JSON.stringify(changed)}::text::json) as given (id integer, listed_requests bigint,
      listed_tokens bigint, claimed_requests bigint, claimed_tokens bigint)
    where imported_usage_series.id = given.id`
  return unlisted
}

function spreadOf(
  rows: readonly { kind: string; name: string; requests: bigint | number; tokens: bigint | number }[],
): Spread {
  const spread: Spread = { day: new Map(), hour: new Map(), outcome: new Map() }
  for (const { kind, name, requests, tokens } of rows) {
    if (kind === 'day' || kind === 'hour')
      spread[kind].set(name, { requests: Number(requests), tokens: Number(tokens) })
    else if (kind === 'outcome') spread.outcome.set(name, { requests: Number(requests), tokens: 0 })
  }
  return spread
}

async function addToBuckets(sql: SqlTransaction, change: Spread): Promise<void> {
  const rows = Object.entries(change).flatMap(([kind, tallies]) =>
    [...tallies].map(([name, amount]) => ({ kind, name, ...amount })),
  )
  await sql`
    insert into imported_usage_buckets as bucket (kind, name, requests, tokens)
    select kind, name, requests, tokens from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as given (kind text, name text, requests bigint, tokens bigint)
    on conflict (kind, name) do update set
      requests = bucket.requests + excluded.requests, tokens = bucket.tokens + excluded.tokens`
}

/** The audit log's entry (OPS-9), and the notice to every instance. */
async function writeDown(sql: SqlTransaction, { id, actor }: ImportWish, result: ImportResult): Promise<void> {
  await sql`
    insert into audit_log (id, actor, action, resource, resource_id, changes, client_ip)
    values (${newId()}, ${actor.name}, 'statistics.import', 'statistics', ${id}, ${JSON.stringify(result)}::text::jsonb,
      ${actor.clientIp})`
  await sql`select pg_notify(${CHANNEL}, ${`statistics:${id}`})`
}
