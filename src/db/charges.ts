/**
 * Charges of records that have just been inserted: ledger entries and balances, in the same transaction (BIL-8, BIL-11), and the
 * windows of subscriptions (BIL-10). A balance moves only by entries that this call truly inserted.
 *
 * Payers are locked in the order of their ids, users before keys: two flushes cannot deadlock.
 */
import { addToWindow, type UsageWindow, type WindowName } from '../core/subscription.ts'
import type { SqlTransaction } from './client.ts'
import { type Batch, inBatch } from './usage-sums.ts'

export async function bookCharges(sql: SqlTransaction, batch: Batch): Promise<void> {
  const sums = await sql<{ payer: 'user' | 'key'; payerId: string; amountNano: bigint }[]>`
    with entries as (
      insert into ledger_entries (id, payer, payer_id, kind, amount_nano, request_id, created_at)
      select id, payer, payer_id, 'charge', -charged_nano, id, finished_at
      from usage_records cross join lateral (
        select 'user' as payer, user_id as payer_id where billing_type = 'balance'
        union all select 'key', key_id where billing_type = 'key'
      ) as payers
      where ${inBatch(sql, batch)} and charged_nano > 0 and payer_id is not null
      order by id
      on conflict (id) do nothing
      returning payer, payer_id, amount_nano
    )
    select payer, payer_id as "payerId", sum(amount_nano)::bigint as "amountNano" from entries group by payer, payer_id`
  for (const payer of ['user', 'key'] as const) {
    const movements = sums.filter((sum) => sum.payer === payer)
    if (movements.length > 0) await moveBalances(sql, payer, movements)
  }
}

async function moveBalances(
  sql: SqlTransaction,
  payer: 'user' | 'key',
  movements: { payerId: string; amountNano: bigint }[],
): Promise<void> {
  const table = sql(payer === 'user' ? 'users' : 'api_keys')
  const json = JSON.stringify(movements.map(({ payerId, amountNano }) => ({ id: payerId, amount: String(amountNano) })))
  await sql`
    with movements as (select id, amount from json_to_recordset(${json}::text::json) as movement (id uuid, amount bigint)),
    locked as materialized (
      select id from ${table} where id in (select id from movements) order by id for no key update
    )
    update ${table} as payer set balance_nano = payer.balance_nano + movements.amount
    from movements join locked using (id) where payer.id = movements.id`
}

interface SubscriptionUse {
  id: string
  atMs: number
  amountNano: bigint
}

/** List-price cost counts in the three windows (BIL-10); the order is that of the requests' ends. */
export async function addToSubscriptions(sql: SqlTransaction, batch: Batch): Promise<void> {
  const uses = await sql<SubscriptionUse[]>`
    select subscription_id as id, (extract(epoch from finished_at) * 1000)::float8 as "atMs", cost_nano as "amountNano"
    from usage_records
    where ${inBatch(sql, batch)} and billing_type = 'subscription' and subscription_id is not null and cost_nano > 0
    order by finished_at, usage_records.id`
  if (uses.length === 0) return
  const ids = [...new Set(uses.map(({ id }) => id))]
  const windows = await sql<{ id: string; name: WindowName; startedAtMs: number | null; usedNano: bigint }[]>`
    with locked as materialized (
      select * from subscriptions where id = any(string_to_array(${ids.join(',')}::text, ',')::uuid[])
      order by id for no key update
    )
    select id, name, (extract(epoch from started_at) * 1000)::float8 as "startedAtMs", used_nano as "usedNano"
    from locked cross join lateral (values
      ('daily', daily_started_at, daily_used_nano),
      ('weekly', weekly_started_at, weekly_used_nano),
      ('monthly', monthly_started_at, monthly_used_nano)
    ) as named (name, started_at, used_nano)`
  for (const { id, name, ...window } of windows) {
    const used = uses.filter((use) => use.id === id)
    const next = used.reduce<UsageWindow>((current, use) => addToWindow(current, name, use), window)
    await sql`update subscriptions set ${sql(`${name}_started_at`)} = ${new Date(next.startedAtMs ?? 0)},
      ${sql(`${name}_used_nano`)} = ${String(next.usedNano)}::bigint where id = ${id}`
  }
}
