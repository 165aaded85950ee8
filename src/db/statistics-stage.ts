/**
 * Brings an import's details into temporary tables by COPY, the fastest way in, without holding the event loop: some hundred rows a slice.
 * The tables go with the transaction.
 */
import type { DetailList } from '../core/detail-list.ts'
import { identityOf } from '../core/stats.ts'
import type { FileSeries, StatsFile } from '../core/stats-file.ts'
import type { SqlTransaction } from './client.ts'

/** Some 60 kB of text, half a millisecond. */
const ROWS_A_SLICE = 500

export async function stageFile(
  sql: SqlTransaction,
  { series, details }: StatsFile,
  onStaged: (rows: number) => void,
): Promise<void> {
  await sql`create temporary table staged_series (
    series integer primary key, key_name text not null, model text not null, key_id uuid) on commit drop`
  await sql`create temporary table staged_details (
    series integer not null, at_ns bigint not null, identity bigint not null, source text not null, auth_index text not null,
    failed boolean not null, input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null,
    cached_tokens bigint not null, total_tokens bigint not null) on commit drop`
  await sql`
    insert into staged_series (series, key_name, model, key_id)
    select series, key_name, model, case when key_name ~ ${UUID} then key_name::uuid end
    from json_to_recordset(${seriesJson(series)}::text::json) as given (series integer, key_name text, model text)`
  await copyDetails(sql, details, onStaged)
  await sql`analyze staged_series`
  await sql`analyze staged_details`
}

const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

function seriesJson(series: readonly FileSeries[]): string {
  return JSON.stringify(series.map(({ key, model }, index) => ({ series: index, key_name: key, model })))
}

async function copyDetails(sql: SqlTransaction, details: DetailList, onStaged: (rows: number) => void): Promise<void> {
  if (details.count === 0) return
  const stream = await sql`copy staged_details from stdin`.writable()
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  stream.once('error', reject)
  stream.once('finish', resolve)
  // Awaited below; a failure that comes before must not be an unhandled one.
  closed.catch(() => {})
  for (let from = 0; from < details.count && !stream.destroyed; from += ROWS_A_SLICE) {
    const to = Math.min(details.count, from + ROWS_A_SLICE)
    const flowing = stream.write(rowsText(details, from, to))
    if (!flowing) await Promise.race([new Promise((resume) => stream.once('drain', resume)), closed])
    else await new Promise(setImmediate)
    onStaged(to)
  }
  stream.end()
  await closed
}

function rowsText(details: DetailList, from: number, to: number): string {
  let text = ''
  for (let index = from; index < to; index++) {
    const detail = details.at(index)
    const { seconds, nanos, source, authIndex, failed, tokens } = detail
    // Seconds and nanoseconds side by side are the nanoseconds since the epoch.
    const atNs = seconds === 0 ? nanos : `${seconds}${String(nanos).padStart(9, '0')}`
    text += `${details.seriesAt(index)}\t${atNs}\t${identityOf(detail)}\t${toCopyText(source)}\t${toCopyText(authIndex)}\t${failed ? 't' : 'f'}\t`
    text += `${tokens.input}\t${tokens.output}\t${tokens.reasoning}\t${tokens.cached}\t${tokens.total}\n`
  }
  return text
}

const SPECIAL = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2 */
function toCopyText(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] as string) : text
}
