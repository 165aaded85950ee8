/**
 * Charges of records that have just been inserted: ledger entries and balances (BIL-8, BIL-11) as parts of the flush's statement
 * (./receipts.ts), and the windows of subscriptions (BIL-10) after it, in the same transaction. A balance moves only by entries that the
 * statement truly inserted.
 *
 * Payers are locked in the order of their ids: two flushes cannot deadlock.
 */
import { addToWindow, type UsageWindow, type WindowName } from '../core/subscription.ts'
import type { SqlTransaction } from './client.ts'

/** Columns of `fresh`, the records just inserted, that charges are made of. */
export const CHARGED_FROM = ['id', 'finished_at', 'user_id', 'key_id', 'billing_type', 'charged_nano']

export const CHARGE_PARTS = `
  entries as (
    insert into ledger_entries (id, payer, payer_id, kind, amount_nano, request_id, created_at)
    select id, payer, payer_id, 'charge', -charged_nano, id, finished_at
    from fresh cross join lateral (
      select 'user' as payer, user_id as payer_id where billing_type = 'balance'
      union all select 'key', key_id where billing_type = 'key'
    ) as payers
    where charged_nano > 0 and payer_id is not null
    order by id
    on conflict (id) do nothing
    returning payer, payer_id, amount_nano
  ),
  movements as materialized (
    select payer, payer_id as id, sum(amount_nano)::bigint as amount from entries group by payer, payer_id
  ),
  ${balances('users', 'user')},
  ${balances('api_keys', 'key')}`

function balances(table: string, payer: string): string {
  return `locked_${table} as materialized (
    select id from ${table} where id in (select id from movements where payer = '${payer}') order by id for no key update
  ),
  moved_${table} as (
    update ${table} as payer set balance_nano = payer.balance_nano + movements.amount
    from movements join locked_${table} using (id) where payer.id = movements.id and movements.payer = '${payer}'
  )`
}

/** What a record with a subscription used of it. */
export interface SubscriptionUse {
  id: string
  atMs: number
  costNano: string
}

/** The uses among `fresh` as JSON, in the order of the requests' ends; null when there are none. */
export const SUBSCRIPTION_USES = `
  select json_agg(json_build_object('id', subscription_id, 'atMs', extract(epoch from finished_at) * 1000,
    'costNano', cost_nano::text) order by finished_at, id)
  from fresh where billing_type = 'subscription' and subscription_id is not null and cost_nano > 0`
export const SUBSCRIBED_FROM = ['id', 'finished_at', 'subscription_id', 'billing_type', 'cost_nano']

/** List-price cost counts in the three windows (BIL-10). */
export async function addToSubscriptions(sql: SqlTransaction, uses: readonly SubscriptionUse[]): Promise<void> {
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
    const next = used.reduce<UsageWindow>(
      (current, { atMs, costNano }) => addToWindow(current, name, { atMs, amountNano: BigInt(costNano) }),
      window,
    )
    await sql`update subscriptions set ${sql(`${name}_started_at`)} = ${new Date(next.startedAtMs ?? 0)},
      ${sql(`${name}_used_nano`)} = ${String(next.usedNano)}::bigint where id = ${id}`
  }
}
