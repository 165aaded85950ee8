/**
 * The rollup rows that a report is made of (USE-10, USE-19): daily and hourly sums of one scope, each with the index of the period that it
 * belongs to. Reports group them; none reads records where sums do.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Pieces } from '../core/rollup-pieces.ts'
import { ROLLUP_SUMS, type RollupScope, usageHourly } from '../schema/usage-rollups.ts'
import { cleanText } from './page.ts'

export interface RollupQuery {
  pieces: Pieces
  scope: RollupScope
  /** Only of this user, key, account or group; of scope `all` there is only one. */
  scopeId?: string
  platform?: string
  model?: string
}

export type RollupSum = (typeof ROLLUP_SUMS)[number]
export type Sums<Name extends RollupSum> = Record<Name, bigint>

/** A table expression: bucket, scope_id, platform, model and all sums. */
export function rollupRows(query: RollupQuery): SQL {
  const { days, hours } = query.pieces
  const parts = [
    piecesJoin(query, { table: 'usage_daily', column: 'day', rows: days.map(dayRow) }),
    piecesJoin(query, { table: 'usage_hourly', column: 'hour', rows: hours.map(hourRow) }),
  ].filter((part) => part !== null)
  return sql`(${sql.join(parts, sql` union all `)}) as rollup`
}

/** `sum(requests)::bigint as "requests"` and so on. */
export function sumColumns(names: readonly RollupSum[]): SQL {
  return sql.raw(names.map((name) => `sum(${columnOf(name)})::bigint as "${name}"`).join(', '))
}

export function columnOf(name: RollupSum): string {
  return usageHourly[name].name
}

/** Days and hours were made by us from numbers: they go in as they are, so that the planner sees how many there are. */
const dayRow = ({ bucket, from, to }: Pieces['days'][number]) => `(${bucket}, date '${from}', date '${to}')`
const hourRow = ({ bucket, fromMs, toMs }: Pieces['hours'][number]) =>
  `(${bucket}, timestamptz '${new Date(fromMs).toISOString()}', timestamptz '${new Date(toMs).toISOString()}')`

interface Joined {
  table: 'usage_daily' | 'usage_hourly'
  column: 'day' | 'hour'
  rows: string[]
}

/** One walk of an index for each piece. The scope is written out: it decides which partition is read. */
function piecesJoin(query: RollupQuery, { table, column, rows }: Joined): SQL | null {
  if (rows.length === 0) return null
  const { scope, platform, model } = query
  const scopeId = scope === 'all' ? '' : query.scopeId
  const conditions = [
    sql.raw(`source.scope = '${scope}' and source.${column} >= piece.since and source.${column} < piece.until`),
    scopeId === undefined ? null : sql`source.scope_id = ${scopeId}`,
    platform === undefined ? null : sql`source.platform = ${platform}`,
    model === undefined ? null : sql`source.model = ${cleanText(model)}`,
  ].filter((condition) => condition !== null)
  return sql`select piece.bucket, source.scope_id, source.platform, source.model, ${sql.raw(SUM_COLUMNS)}
    from (values ${sql.raw(rows.join(', '))}) as piece (bucket, since, until)
    join ${sql.identifier(table)} as source on ${sql.join(conditions, sql` and `)}`
}

const SUM_COLUMNS = ROLLUP_SUMS.map((name) => `source.${columnOf(name)}`).join(', ')
