/**
 * Fills a database with traffic that looks like a team's, set by set: sessions of a few requests by day, of a few busy users and many quiet ones.
 * Totals and rollups are made by the very SQL of the flush, batch by batch, so that what is measured on them holds for real ones.
 */
import type { Sql, SqlTransaction } from '../../src/db/client.ts'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { sumParts } from '../../src/db/usage-sums.ts'

export interface Traffic {
  rows: number
  days: number
  users: number
  keys: number
  models: number
  accounts: number
  /** The last record is made before this. */
  nowMs: number
  timeZone: string
  onDay?(day: number): void
}

const DAY_MS = 86_400_000
const SESSION = 8
/** Of one insert, as the sums of a batch look each record up. */
const BATCH = 30_000

/** 'user', 7 → an id that is the same in each run. */
export const idOf = (kind: keyof typeof KINDS, number: number | string) =>
  `${KINDS[kind]}0000000-0000-7000-8000-${String(number).padStart(12, '0')}`
const KINDS = { user: 1, key: 2, account: 3, group: 4 }
const sqlId = (kind: keyof typeof KINDS, expression: string) =>
  `('${KINDS[kind]}0000000-0000-7000-8000-' || lpad((${expression})::text, 12, '0'))::uuid`

export async function generateUsage(sql: Sql, traffic: Traffic): Promise<void> {
  const { rows, days, nowMs } = traffic
  await insertOwners(sql, traffic)
  for (let month = 0; month <= days / 28; month++) await ensurePartitions(sql, nowMs - month * 28 * DAY_MS)
  const indexes = await dropIndexes(sql)
  for (let day = 0; day < days; day++) {
    const startMs = nowMs - (days - day) * DAY_MS
    const ofDay = Math.floor((rows * (day + 1)) / days) - Math.floor((rows * day) / days)
    for (let left = ofDay; left > 0; left -= BATCH) await insertBatch(sql, traffic, startMs, Math.min(left, BATCH))
    traffic.onDay?.(day + 1)
  }
  for (const index of indexes) await sql.unsafe(index)
  await sql`analyze`
}

/** Those of the records that nothing here looks into: made at the end, they take a fraction of the time. Their definitions. */
async function dropIndexes(sql: Sql): Promise<string[]> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select indexname as name, replace(indexdef, ' ON ONLY ', ' ON ') as definition from pg_indexes
    where tablename = 'usage_records' and indexname not like '%_pk'`
  for (const { name } of indexes) await sql`drop index ${sql(name)}`
  return indexes.map(({ definition }) => definition)
}

async function insertOwners(sql: Sql, { users, keys, accounts }: Traffic): Promise<void> {
  await sql.unsafe(`insert into users (id, email, username)
    select ${sqlId('user', 'n')}, 'user' || n || '@example.com', 'user ' || n from generate_series(0, ${users - 1}) as n`)
  await sql.unsafe(`insert into api_keys (id, name, user_id, key_hash, key_prefix, key_last4)
    select ${sqlId('key', 'n')}, 'key ' || n, ${sqlId('user', `n % ${users}`)}, 'hash ' || n, 'tp_', '0000'
    from generate_series(0, ${keys - 1}) as n`)
  await sql.unsafe(`insert into groups (id, name, platform)
    select ${sqlId('group', 'n')}, 'generated ' || n, 'openai' from generate_series(0, 4) as n`)
  await sql.unsafe(`insert into accounts (id, name, platform, type, sealed_credentials, credential_hint)
    select ${sqlId('account', 'n')}, 'account ' || n, 'openai', 'api_key', 'v1.sealed', '{}'
    from generate_series(0, ${accounts - 1}) as n`)
}

async function insertBatch(sql: Sql, traffic: Traffic, startMs: number, rows: number): Promise<void> {
  await sql.begin(async (transaction) => {
    const ids = await insertRecords(transaction, traffic, startMs, rows)
    const day = [new Date(startMs).toISOString(), new Date(startMs + DAY_MS).toISOString()]
    await transaction.unsafe(
      `with fresh as (
        select * from usage_records
        where created_at >= $2::timestamptz and created_at < $3::timestamptz and id = any(string_to_array($4::text, ',')::uuid[])
      ), ${sumParts('$1::text')} select 1`,
      [traffic.timeZone, ...day, ids.join(',')],
    )
  })
}

async function insertRecords(sql: SqlTransaction, traffic: Traffic, startMs: number, rows: number): Promise<string[]> {
  const { users, keys, models, accounts } = traffic
  const made = await sql.unsafe<{ id: string }[]>(`
    with session as (
      select floor(${users} * power(random(), 2))::int as person, floor(power(random(), 3) * ${Math.floor(keys / users)})::int as which,
        floor(power(random(), 2) * 4)::int as favourite, floor(${accounts} * random())::int as account,
        -- Most work is done by day, and lasts from seconds to half an hour between two requests.
        timestamptz '${new Date(startMs).toISOString()}' + interval '1 second' * (25200 + 43200 * (random() + random()) / 2) as began,
        2 * exp(random() * 6) as pace
      from generate_series(1, ${Math.ceil(rows / SESSION)})
    ), request as (
      select *, least(began + interval '1 second' * pace * (step + random()), timestamptz '${new Date(startMs + DAY_MS - 1).toISOString()}')::timestamptz(3) as at,
        (person + favourite) % ${models} as model, random() as luck, floor(random() * 4000)::bigint as input,
        floor(random() * 1500)::bigint as output, floor(greatest(0, random() - 0.3) * 60000)::bigint as cached, floor(random() * 3000)::bigint as written
      from session cross join generate_series(0, ${SESSION - 1}) as step limit ${rows}
    ), priced as (
      select *, (1 + model % 7) * 1000::bigint as rate from request
    )
    insert into usage_records (id, created_at, finished_at, user_id, key_id, account_id, group_id, platform, protocol, endpoint, model, upstream_model,
      input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, total_tokens,
      input_cost_nano, output_cost_nano, cache_write_cost_nano, cache_read_cost_nano, request_cost_nano, cost_nano, charged_nano, upstream_cost_nano,
      cache_saving_nano, cache_surcharge_nano, priced, price_used, metering, billing_type, stream, status, http_status, duration_ms, first_token_ms,
      attempts, user_agent)
    select uuidv7(at - clock_timestamp()), at, at + interval '3 seconds', ${sqlId('user', 'person')}, ${sqlId('key', `person + ${users} * which`)}, ${sqlId('account', 'account')},
      ${sqlId('group', 'person % 5')}, (array['openai', 'anthropic', 'gemini'])[1 + model % 3],
      (array['openai-responses', 'anthropic', 'gemini'])[1 + model % 3], '/v1/responses', 'model-' || model, 'model-' || model || '-2026-05-01',
      input, output, cached, written, 0, output / 3, input + output + cached + written,
      input * rate, output * rate * 5, written * rate * 5 / 4, cached * rate / 10, 0,
      input * rate + output * rate * 5 + written * rate * 5 / 4 + cached * rate / 10,
      input * rate + output * rate * 5 + written * rate * 5 / 4 + cached * rate / 10,
      input * rate + output * rate * 5 + written * rate * 5 / 4 + cached * rate / 10,
      cached * rate - cached * rate / 10, written * rate * 5 / 4 - written * rate, true,
      jsonb_build_object('model', 'model-' || model, 'match', 'exact', 'source', 'built-in', 'date', '2026-01-01', 'rates', jsonb_build_object('input', rate)),
      'measured', 'balance', true, case when luck < 0.95 then 'completed' when luck < 0.98 then 'failed' else 'cancelled' end,
      case when luck < 0.95 then 200 else 502 end, 500 + (luck * 20000)::int, 200 + (luck * 900)::int, '[]', 'claude-cli/2.1.0'
    from priced order by at
    returning id`)
  return made.map(({ id }) => id)
}
