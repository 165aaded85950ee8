/**
 * Details of the usage statistics, read in portions: the newest of this gateway's usage log, and of each imported key and model (USE-8).
 * If it fails: rejects; what was handed out before is right.
 */
import type { Detail } from '../core/stats.ts'
import type { Sql } from './client.ts'

/** What a row gives; times and tokens as floats, which numbers up to 2^53 survive. */
interface DetailRow {
  key: string
  model: string
  seconds: number
  nanos: number
  source: string
  authIndex: string
  failed: boolean
  input: number
  output: number
  reasoning: number
  cached: number
  total: number
}

export interface KeyedDetail {
  key: string
  model: string
  detail: Detail
}

/** Rows at a time: some milliseconds of parsing, then everybody else has a turn. */
const PORTION = 1000

/** The nanoseconds below the millisecond of a request: `detailOf` in core/stats makes the same of its id. */
export const SUB_MILLISECOND = `(('x' || right(usage_records.id::text, 5))::bit(20)::int % 1000000)`
const RECORD_MS = '(extract(epoch from usage_records.created_at) * 1000)::bigint'
export const RECORD_FAILED = `(usage_records.status = 'failed' or coalesce(usage_records.http_status >= 400, false))`
export const RECORD_INPUT =
  'usage_records.input_tokens + usage_records.cache_write_5m_tokens + usage_records.cache_write_1h_tokens'

/** The newest `limit` records made since a time, those of one key and model together. */
export async function* readOwnDetails(
  sql: Sql,
  { sinceMs, limit }: { sinceMs: number; limit: number },
): AsyncGenerator<KeyedDetail[]> {
  const portions = sql<DetailRow[]>`
    select * from (select coalesce(key_id::text, 'POST ' || endpoint) as key, model, (${sql.unsafe(RECORD_MS)} / 1000)::float8 as seconds,
      (${sql.unsafe(RECORD_MS)} % 1000 * 1000000 + ${sql.unsafe(SUB_MILLISECOND)})::float8 as nanos,
      platform as source, coalesce(account_id::text, '') as "authIndex", ${sql.unsafe(RECORD_FAILED)} as failed,
      (${sql.unsafe(RECORD_INPUT)})::float8 as input, output_tokens::float8 as output,
      reasoning_tokens::float8 as reasoning, cache_read_tokens::float8 as cached, total_tokens::float8 as total
    from usage_records where created_at >= ${new Date(sinceMs)}
    order by created_at desc, id desc limit ${limit}) as newest order by key, model`.cursor(PORTION)
  for await (const rows of portions) yield rows.map(toKeyedDetail)
}

/** The newest of each imported key and model, together; `most` over all of them, shared out evenly. */
export async function* readImportedDetails(
  sql: Sql,
  { mostOfOne, most }: { mostOfOne: number; most: number },
): AsyncGenerator<KeyedDetail[]> {
  const [counted] = await sql<{ series: number }[]>`select count(*)::int as series from imported_usage_series`
  if (!counted || counted.series === 0) return
  const limit = Math.min(mostOfOne, Math.ceil(most / counted.series))
  const portions = sql<DetailRow[]>`
    select key_name as key, model, (at_ns / 1000000000)::float8 as seconds, (at_ns % 1000000000)::float8 as nanos, source,
      auth_index as "authIndex", failed, input_tokens::float8 as input, output_tokens::float8 as output,
      reasoning_tokens::float8 as reasoning, cached_tokens::float8 as cached, total_tokens::float8 as total
    from imported_usage_series series cross join lateral (
      select * from imported_usage_details where series_id = series.id order by at_ns desc limit ${limit}
    ) as newest`.cursor(PORTION)
  for await (const rows of portions) yield rows.map(toKeyedDetail)
}

function toKeyedDetail({ key, model, seconds, nanos, source, authIndex, failed, ...tokens }: DetailRow): KeyedDetail {
  return { key, model, detail: { seconds, nanos, source, authIndex, failed, tokens } }
}
