/** Every sum that is kept of the usage records, worked out again the plain way: record by record, in bigints, by no SQL. */
import type { FreshDatabase } from './database.ts'

type Row = Record<string, unknown>
/** Name of a row of sums → column → sum. */
export type Sums = Record<string, Record<string, bigint>>

const TABLES = [
  ['usage_hourly', 'hour'],
  ['usage_daily', 'day'],
  ['usage_monthly', 'month'],
] as const
const ADDED = [
  ...['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens'],
  ...['reasoning_tokens', 'cost_nano', 'cache_read_cost_nano', 'cache_write_cost_nano', 'cache_saving_nano'],
  ...['cache_surcharge_nano', 'charged_nano', 'upstream_cost_nano', 'duration_ms', 'first_token_ms'],
]
const LABELS = new Set(['scope', 'scope_id', 'platform', 'model', 'period', 'hour', 'day', 'month', 'last_used_at'])

/** As they are kept, without rows that add up to nothing. */
export async function storedSums({ sql }: Pick<FreshDatabase, 'sql'>): Promise<Sums> {
  const stored: Sums = {}
  for (const [table, bucket] of TABLES) {
    const text = bucket === 'hour' ? `to_char(hour at time zone 'UTC', 'YYYY-MM-DD HH24')` : `${bucket}::text`
    const rows = await sql<Row[]>`select *, ${sql.unsafe(text)} as bucket from ${sql(table)}`
    for (const row of rows) {
      const { scope, scope_id, bucket: at, platform, model } = row
      keep(stored, [table, scope, scope_id, at, platform, model].join(' | '), row)
    }
  }
  for (const row of await sql<Row[]>`select * from usage_totals`) {
    keep(stored, ['usage_totals', row.scope, row.scope_id, row.period].join(' | '), row)
  }
  return stored
}

function keep(stored: Sums, name: string, row: Row): void {
  const sums = Object.entries(row).filter(([column]) => !LABELS.has(column) && column !== 'bucket')
  const whole = Object.fromEntries(sums.map(([column, value]) => [column, BigInt(value as string)]))
  if (Object.values(whole).some((sum) => sum !== 0n)) stored[name] = whole
}

/** As they must be. */
export async function plainSums({ sql }: Pick<FreshDatabase, 'sql'>, timeZone: string): Promise<Sums> {
  const sums: Sums = {}
  for (const record of await sql<Row[]>`select * from usage_records`) {
    const values = valuesOf(record)
    const { total_tokens: _, ...rolled } = values
    const at = record.created_at as Date
    const day = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(at)
    const buckets = [at.toISOString().slice(0, 13).replace('T', ' '), day, `${day.slice(0, 7)}-01`]
    for (const [scope, id] of rollupOwners(record)) {
      for (const [index, [table]] of TABLES.entries()) {
        add(sums, [table, scope, id, buckets[index], record.platform, record.model].join(' | '), rolled)
      }
    }
    const { requests, failed_requests, total_tokens, cost_nano, charged_nano, upstream_cost_nano } = values
    const total = { requests, failed_requests, total_tokens, cost_nano, charged_nano, upstream_cost_nano }
    for (const [scope, id] of [...rollupOwners(record).slice(1), ['model', record.model]]) {
      const periods = scope === 'account' ? ['', at.toISOString().slice(0, 7)] : ['']
      for (const period of periods) add(sums, ['usage_totals', scope, id, period].join(' | '), total)
    }
  }
  return sums
}

/** `all` comes first. */
function rollupOwners(record: Row): [string, unknown][] {
  const owners: [string, unknown][] = [
    ['all', ''],
    ['user', record.billing_type === 'key' ? null : record.user_id],
    ['key', record.key_id],
    ['account', record.account_id],
    ['group', record.group_id],
  ]
  return owners.filter(([, id]) => id !== null)
}

function valuesOf(record: Row): Record<string, bigint> {
  const { status, http_status } = record
  const is = (so: boolean) => (so ? 1n : 0n)
  const added = ADDED.map((column) => [column, BigInt((record[column] as string) ?? 0)])
  return {
    requests: 1n,
    completed_requests: is(status === 'completed'),
    failed_requests: is(status === 'failed'),
    error_requests: is(status === 'failed' || Number(http_status ?? 0) >= 400),
    cache_hit_requests: is(status === 'completed' && Number(record.cache_read_tokens) > 0),
    unpriced_requests: is(record.priced === false),
    first_token_requests: is(record.first_token_ms !== null),
    total_tokens: BigInt(record.total_tokens as string),
    ...Object.fromEntries(added),
  }
}

function add(sums: Sums, name: string, values: Record<string, bigint | undefined>): void {
  const row = sums[name] ?? {}
  sums[name] = row
  for (const [column, value = 0n] of Object.entries(values)) row[column] = (row[column] ?? 0n) + value
}
