/**
 * The rollup rows that a report is made of (USE-10, USE-19): monthly, daily and hourly sums of one scope, each with the index of the period
 * that it belongs to. Reports group them; none reads records where sums do.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Pieces } from '../core/rollup-pieces.ts'
import { type ROLLUP_SUMS, type RollupScope, usageHourly } from '../schema/usage-rollups.ts'
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

/** A table expression: bucket, scope_id, platform, model and the sums named. */
export function rollupRows(query: RollupQuery, sums: readonly RollupSum[]): SQL {
  return rowsOf(query, `scope_id, platform, model, ${sums.map(columnOf).join(', ')}`, '')
}

/** Only bucket and sums, one row a piece that holds any: half the work where nothing else is asked for. */
export function rollupPieces(query: RollupQuery, sums: readonly RollupSum[]): SQL {
  const added = sums.map((name) => `sum(${columnOf(name)}) as ${columnOf(name)}`)
  return rowsOf(query, added.join(', '), 'having count(*) > 0')
}

function rowsOf(query: RollupQuery, columns: string, having: string): SQL {
  const { months, days, hours } = query.pieces
  const parts = [
    piecesJoin(query, { table: 'usage_monthly', column: 'month', rows: months.map(dayRow), columns, having }),
    piecesJoin(query, { table: 'usage_daily', column: 'day', rows: days.map(dayRow), columns, having }),
    piecesJoin(query, { table: 'usage_hourly', column: 'hour', rows: hours.map(hourRow), columns, having }),
  ].filter((part) => part !== null)
  return sql`(${sql.join(parts, sql` union all `)}) as rollup`
}

/** `sum(requests)::bigint as "requests"` and so on. */
export function sumColumns(names: readonly RollupSum[]): SQL {
  return sql.raw(names.map((name) => `sum(${columnOf(name)})::bigint as "${name}"`).join(', '))
}

function columnOf(name: RollupSum): string {
  return usageHourly[name].name
}

/** Days and hours were made by us from numbers: they go in as they are, so that the planner sees how many there are. */
const dayRow = ({ bucket, from, to }: Pieces['days'][number]) => `(${bucket}, date '${from}', date '${to}')`
const hourRow = ({ bucket, fromMs, toMs }: Pieces['hours'][number]) =>
  `(${bucket}, timestamptz '${new Date(fromMs).toISOString()}', timestamptz '${new Date(toMs).toISOString()}')`

interface Joined {
  table: 'usage_monthly' | 'usage_daily' | 'usage_hourly'
  column: 'month' | 'day' | 'hour'
  rows: string[]
  columns: string
  having: string
}

/**
 * One walk of an index for each piece: `offset 0` keeps the planner from a plain join, for which it reads all rows of the scope and holds
 * each against each piece (0.9 s instead of 20 ms for a heat map). The scope is written out: it decides which partition is read.
 */
function piecesJoin(query: RollupQuery, { table, column, rows, columns, having }: Joined): SQL | null {
  if (rows.length === 0) return null
  const { scope, platform, model } = query
  const scopeId = scope === 'all' ? '' : query.scopeId
  const conditions = [
    sql.raw(`scope = '${scope}' and ${column} >= piece.since and ${column} < piece.until`),
    scopeId === undefined ? null : sql`scope_id = ${scopeId}`,
    platform === undefined ? null : sql`platform = ${platform}`,
    model === undefined ? null : sql`model = ${cleanText(model)}`,
  ].filter((condition) => condition !== null)
  return sql`select piece.bucket, sums.*
    from (values ${sql.raw(rows.join(', '))}) as piece (bucket, since, until)
    cross join lateral (
      select ${sql.raw(columns)} from ${sql.identifier(table)}
      where ${sql.join(conditions, sql` and `)} ${sql.raw(having)} offset 0
    ) as sums`
}
