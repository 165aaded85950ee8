/**
 * Which details of an import are this gateway's own (USE-7): they are in its sums already and must not be added to them.
 *
 * Three things tell: a record of the usage log agrees in all that makes a detail's identity; or it was imported before; or, where retention has
 * deleted records, the hour's rollup of that key and model counts more requests than are recorded, and the detail is taken for one of these.
 * What is found is taken out of the staged details.
 */
import type { SqlTransaction } from './client.ts'
import { RECORD_FAILED, RECORD_INPUT, SUB_MILLISECOND } from './statistics-details.ts'

export interface OwnSeries {
  series: number
  requests: bigint
  tokens: bigint
  /** The file tells of this gateway's requests: some of its details are recorded here, or all of them are known. */
  found: boolean
}

/** Own sums of the file's keys and models; empty when none of them is of this gateway. */
export async function takeOwnDetails(sql: SqlTransaction): Promise<OwnSeries[]> {
  const own = await readOwnSums(sql)
  if (own.length === 0) return []
  await takeImported(sql)
  const found = [...(await takeRecorded(sql)), ...(await takeForgotten(sql))]
  const unknown = await sql<{ series: number }[]>`select distinct series from staged_details`
  const [foundIn, unknownIn] = [found, unknown].map((rows) => new Set(rows.map(({ series }) => series)))
  return own.map((row) => ({ ...row, found: foundIn?.has(row.series) || !unknownIn?.has(row.series) }))
}

async function readOwnSums(sql: SqlTransaction): Promise<Omit<OwnSeries, 'found'>[]> {
  return sql<Omit<OwnSeries, 'found'>[]>`
    select series, sum(requests)::bigint as requests,
      sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)::bigint as tokens
    from staged_series join usage_daily on scope = 'key' and scope_id = key_name and ${sameModel(sql, 'usage_daily')}
    group by series
    union all
    select series, count(*)::bigint, sum(total_tokens)::bigint
    from staged_series join usage_records on usage_records.key_id is null and key_name = 'POST ' || endpoint
      and ${sameModel(sql, 'usage_records')}
    where key_name like 'POST /%' group by series`
}

/** Before anything is taken for forgotten: otherwise importing again would find fewer of those. */
async function takeImported(sql: SqlTransaction): Promise<void> {
  await sql`
    delete from staged_details using staged_series, imported_usage_series, imported_usage_details
    where staged_details.series = staged_series.series
      and imported_usage_series.key_name = staged_series.key_name and imported_usage_series.model = staged_series.model
      and imported_usage_details.series_id = imported_usage_series.id
      and imported_usage_details.at_ns = staged_details.at_ns and imported_usage_details.identity = staged_details.identity`
}

async function takeRecorded(sql: SqlTransaction): Promise<{ series: number }[]> {
  const ofKey = sql`usage_records.key_id = staged_series.key_id`
  const ofNoKey = sql`usage_records.key_id is null and staged_series.key_name = 'POST ' || usage_records.endpoint`
  const found: { series: number }[] = []
  for (const sameKey of [ofKey, ofNoKey]) {
    found.push(
      ...(await sql<{ series: number }[]>`
        with taken as (
          delete from staged_details using staged_series, usage_records
          where staged_details.series = staged_series.series and ${sameKey} and ${sameModel(sql, 'usage_records')}
            and usage_records.created_at = ${atMs(sql)}
            and staged_details.at_ns % 1000000 = ${sql.unsafe(SUB_MILLISECOND)}
            and staged_details.source = usage_records.platform
            and staged_details.auth_index = coalesce(usage_records.account_id::text, '')
            and staged_details.failed = ${sql.unsafe(RECORD_FAILED)}
            and staged_details.input_tokens = ${sql.unsafe(RECORD_INPUT)}
            and staged_details.output_tokens = usage_records.output_tokens
            and staged_details.reasoning_tokens = usage_records.reasoning_tokens
            and staged_details.cached_tokens = usage_records.cache_read_tokens
            and staged_details.total_tokens = usage_records.total_tokens
          returning staged_details.series
        ) select distinct series from taken`),
    )
  }
  return found
}

async function takeForgotten(sql: SqlTransaction): Promise<{ series: number }[]> {
  return sql<{ series: number }[]>`
    with wanted as (
      select staged_details.series, key_name, key_id, staged_series.model, date_trunc('hour', ${atMs(sql)}, 'UTC') as hour
      from staged_details join staged_series using (series) where key_id is not null
      group by staged_details.series, key_name, key_id, staged_series.model, hour
    ),
    room as (
      select series, hour, (
        select coalesce(sum(requests), 0) from usage_hourly
        where scope = 'key' and scope_id = wanted.key_name and usage_hourly.hour = wanted.hour
          and ${sameModel(sql, 'usage_hourly', 'wanted')}
      ) - (
        select count(*) from usage_records where usage_records.key_id = wanted.key_id
          and created_at >= wanted.hour and created_at < wanted.hour + interval '1 hour'
          and ${sameModel(sql, 'usage_records', 'wanted')}
      ) as requests from wanted
    ),
    ranked as (
      select staged_details.ctid as row, room.series, room.requests,
        row_number() over (partition by room.series, room.hour order by at_ns) as rank
      from staged_details join room on room.series = staged_details.series
        and room.hour = date_trunc('hour', ${atMs(sql)}, 'UTC') and room.requests > 0
    ),
    taken as (
      delete from staged_details using ranked where staged_details.ctid = ranked.row and rank <= ranked.requests
      returning staged_details.series
    ) select distinct series from taken`
}

/** The time of a staged detail, to the millisecond. */
function atMs(sql: SqlTransaction) {
  return sql`(timestamptz 'epoch' + staged_details.at_ns / 1000000 * interval '1 millisecond')`
}

/** A request without a model is stored with an empty name (USE-6). */
function sameModel(sql: SqlTransaction, table: string, series = 'staged_series') {
  const [model, name] = [`${table}.model`, `${series}.model`]
  return sql.unsafe(`(${model} = ${name} or (${model} = '' and ${name} = 'unknown'))`)
}
