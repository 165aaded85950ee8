/**
 * What limits start from (KEY-5, BIL-7, BIL-10): totals of a key, the money of a payer, the windows of a subscription, and which of some
 * requests are contained in them. All read in one snapshot, so that each request is either in the totals or not.
 * If it fails: rejects; the caller decides whether to go on without.
 */
import { userAvailable } from '../core/quota.ts'
import type { UsageWindow, WindowName } from '../core/subscription.ts'
import type { Sql, SqlTransaction } from './client.ts'
import { isUuid } from './page.ts'

export interface LimitTotalsQuery {
  /** Null: not asked for. */
  keyId: string | null
  dayStartMs: number
  weekStartMs: number
  funds: { kind: 'key' | 'balance'; id: string } | null
  subscriptionId: string | null
  requestIds: readonly string[]
}

export interface LimitTotals {
  recordedIds: readonly string[]
  key: { tokens: number; costNano: bigint; dayCostNano: bigint; weekCostNano: bigint } | null
  /** Null: not asked for, or without limit. 0 for a payer that is gone. */
  fundsNano: bigint | null
  subscription: Readonly<Record<WindowName, UsageWindow>> | null
}

/** `timeZone`: the one in which the daily rollup's days begin. */
export function loadLimitTotals(sql: Sql, query: LimitTotalsQuery, timeZone: string): Promise<LimitTotals> {
  return sql.begin('isolation level repeatable read read only', async (transaction) => ({
    recordedIds: await findRecorded(transaction, query.requestIds),
    key: query.keyId === null ? null : await readKey(transaction, query.keyId, query, timeZone),
    fundsNano: query.funds === null ? null : await readFunds(transaction, query.funds),
    subscription: query.subscriptionId === null ? null : await readSubscription(transaction, query.subscriptionId),
  }))
}

async function findRecorded(sql: SqlTransaction, ids: readonly string[]): Promise<string[]> {
  const valid = ids.filter(isUuid)
  if (valid.length === 0) return []
  const rows = await sql<{ id: string }[]>`select id from usage_records where id in ${sql(valid)}`
  return rows.map((row) => row.id)
}

async function readKey(sql: SqlTransaction, keyId: string, query: LimitTotalsQuery, timeZone: string) {
  const [total] = await sql<{ tokens: bigint; costNano: bigint }[]>`
    select total_tokens::bigint as tokens, cost_nano as "costNano" from usage_totals
    where scope = 'key' and scope_id = ${keyId} and period = ''`
  const dayOf = (ms: number) => sql`(to_timestamp(${ms / 1000}::float8) at time zone ${timeZone})::date`
  const [since] = await sql<{ day: bigint; week: bigint }[]>`
    select coalesce(sum(cost_nano) filter (where day >= ${dayOf(query.dayStartMs)}), 0)::bigint as day,
      coalesce(sum(cost_nano), 0)::bigint as week
    from usage_daily where scope = 'key' and scope_id = ${keyId} and day >= ${dayOf(query.weekStartMs)}`
  return {
    tokens: Number(total?.tokens ?? 0n),
    costNano: total?.costNano ?? 0n,
    dayCostNano: since?.day ?? 0n,
    weekCostNano: since?.week ?? 0n,
  }
}

async function readFunds(sql: SqlTransaction, funds: { kind: 'key' | 'balance'; id: string }): Promise<bigint | null> {
  if (funds.kind === 'key') {
    const [key] = await sql<{ balanceNano: bigint }[]>`
      select balance_nano as "balanceNano" from api_keys where id = ${funds.id} and deleted_at is null`
    return key?.balanceNano ?? 0n
  }
  const [user] = await sql<
    { role: 'user' | 'admin'; balanceNano: bigint; quotaNano: bigint | null; usedNano: bigint }[]
  >`
    select role, balance_nano as "balanceNano", quota_nano as "quotaNano", coalesce(charged_nano, 0)::bigint as "usedNano"
    from users left join usage_totals on scope = 'user' and scope_id = users.id::text and period = ''
    where users.id = ${funds.id} and deleted_at is null`
  return user ? userAvailable(user) : 0n
}

async function readSubscription(sql: SqlTransaction, id: string): Promise<Record<WindowName, UsageWindow> | null> {
  const [row] = await sql<Record<string, bigint | Date | null>[]>`
    select daily_started_at as "dailyStartedAt", daily_used_nano as "dailyUsedNano", weekly_started_at as "weeklyStartedAt",
      weekly_used_nano as "weeklyUsedNano", monthly_started_at as "monthlyStartedAt", monthly_used_nano as "monthlyUsedNano"
    from subscriptions where id = ${id}`
  if (!row) return null
  const window = (name: WindowName): UsageWindow => ({
    startedAtMs: (row[`${name}StartedAt`] as Date | null)?.getTime() ?? null,
    usedNano: (row[`${name}UsedNano`] as bigint | null) ?? 0n,
  })
  return { daily: window('daily'), weekly: window('weekly'), monthly: window('monthly') }
}
