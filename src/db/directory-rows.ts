/**
 * The queries behind ./directory.ts: each gives entities as core names them, so that nothing is renamed in JavaScript for
 * 100,000 rows. `id` null: all of them. Times come as epoch milliseconds, jsonb and bigint as the driver reads them.
 */
import type { Account, Group, Proxy as UpstreamProxy, User } from '../core/entities.ts'
import type { Subscription, UsageWindow } from '../core/subscription.ts'
import type { Sql, SqlTransaction } from './client.ts'
import type { KeyEntry } from './directory.ts'

type Query = Sql | SqlTransaction

const only = (sql: Query, table: string, id: string | null) => (id === null ? sql`` : sql`and ${sql(table)}.id = ${id}`)

/** timestamptz → epoch ms as a float, which a number holds exactly. */
const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`

export async function readUsers(sql: Query, id: string | null): Promise<User[]> {
  return sql<User[]>`
    select users.id, email, username, role, status, balance_nano as "balanceNano", quota_nano as "quotaNano",
      coalesce(charged_nano, 0) as "usedNano"
    from users left join usage_totals on scope = 'user' and scope_id = users.id::text and period = ''
    where deleted_at is null ${only(sql, 'users', id)}`
}

export async function readGroups(sql: Query, id: string | null): Promise<Group[]> {
  return sql<Group[]>`
    select groups.id, name, platform, status, billing_type as "billingType", rate_multiplier as "rateMultiplier",
      daily_limit_nano as "dailyLimitNano", weekly_limit_nano as "weeklyLimitNano",
      monthly_limit_nano as "monthlyLimitNano", exclusive, fallback_group_id as "fallbackGroupId",
      is_default as "isDefault",
      coalesce((select jsonb_agg(user_id) from group_users where group_id = groups.id), '[]') as "userIds"
    from groups where deleted_at is null ${only(sql, 'groups', id)}`
}

export async function readProxies(
  sql: Query,
  id: string | null,
): Promise<(UpstreamProxy & { sealed: string | null })[]> {
  return sql<(UpstreamProxy & { sealed: string | null })[]>`
    select id, name, url, status, sealed_credentials as sealed from proxies where true ${only(sql, 'proxies', id)}`
}

type StoredAccount = Omit<Account, 'credentials' | 'proxy' | 'blocks'> & {
  sealed: string
  proxyId: string | null
  /** As it stands in `extra`. */
  blocks: unknown
}

export async function readAccounts(sql: Query, id: string | null): Promise<StoredAccount[]> {
  return sql<StoredAccount[]>`
    select accounts.id, name, platform, type, sealed_credentials as sealed, status, schedulable, priority, concurrency,
      model_mapping as "modelMapping", proxy_id as "proxyId", rate_multiplier as "rateMultiplier",
      free_tier as "freeTier", custom_error_codes as "customErrorCodes", error_message as "errorMessage",
      first_byte_timeout_ms as "firstByteTimeoutMs", stream_idle_timeout_ms as "streamIdleTimeoutMs",
      request_timeout_ms as "requestTimeoutMs", ${sql.unsafe(ACCOUNT_TIMES)}, extra -> 'blocks' as blocks,
      coalesce((select jsonb_agg(group_id) from account_groups where account_id = accounts.id), '[]') as "groupIds"
    from accounts left join usage_totals on scope = 'account' and scope_id = accounts.id::text and period = ''
    where deleted_at is null ${only(sql, 'accounts', id)}`
}

const ACCOUNT_TIMES = [
  `${ms('expires_at')} as "expiresAtMs"`,
  `${ms('last_used_at')} as "lastUsedAtMs"`,
  `${ms('rate_limited_until')} as "rateLimitedUntilMs"`,
  `${ms('overloaded_until')} as "overloadedUntilMs"`,
  `${ms('unschedulable_until')} as "unschedulableUntilMs"`,
].join(', ')

/** The row of a key: its entity with the hashes beside. */
type StoredKey = KeyEntry['key'] & { hash: string; previousHash: string | null; previousExpiresAtMs: number | null }

const KEYS_AT_A_TIME = 2000

export async function readKeys(sql: Query, id: string | null): Promise<KeyEntry[]> {
  const entries: KeyEntry[] = []
  // A cursor, so that 100,000 rows are turned into objects in portions and the event loop gets its turn between them.
  const portions = sql<StoredKey[]>`
    select id, name, user_id as "userId", group_id as "groupId", active, expires_after_days as "expiresAfterDays",
      permissions, token_limit::float8 as "tokenLimit", concurrency_limit as "concurrencyLimit",
      rate_limit_window_minutes as "rateLimitWindowMinutes", rate_limit_requests as "rateLimitRequests",
      rate_limit_tokens::float8 as "rateLimitTokens", rate_limit_cost_nano as "rateLimitCostNano", rpm, tpm,
      daily_cost_limit_nano as "dailyCostLimitNano", weekly_cost_limit_nano as "weeklyCostLimitNano",
      total_cost_limit_nano as "totalCostLimitNano", model_restriction as "modelRestriction", models,
      client_restriction as "clientRestriction", clients, ip_allow as "ipAllow", ip_deny as "ipDeny",
      bound_accounts as "boundAccounts", standalone, balance_nano as "balanceNano",
      on_client_disconnect as "onClientDisconnect", sse_keepalive_seconds as "sseKeepaliveSeconds",
      ${sql.unsafe(KEY_TIMES)}, key_hash as hash, previous_key_hash as "previousHash"
    from api_keys where deleted_at is null ${only(sql, 'api_keys', id)}`.cursor(KEYS_AT_A_TIME)
  for await (const portion of portions) for (const row of portion) entries.push(toKeyEntry(row))
  return entries
}

const KEY_TIMES = `${ms('expires_at')} as "expiresAtMs", ${ms('previous_key_expires_at')} as "previousExpiresAtMs"`

function toKeyEntry({ hash, previousHash, previousExpiresAtMs, ...key }: StoredKey): KeyEntry {
  const previous =
    previousHash === null || previousExpiresAtMs === null
      ? null
      : { hash: previousHash, expiresAtMs: previousExpiresAtMs }
  return { key, hash, previous }
}

type StoredWindows = Record<'daily' | 'weekly' | 'monthly', UsageWindow>
type StoredSubscription = Omit<Subscription, keyof StoredWindows> & {
  dailyStartedAtMs: number | null
  dailyUsedNano: bigint
  weeklyStartedAtMs: number | null
  weeklyUsedNano: bigint
  monthlyStartedAtMs: number | null
  monthlyUsedNano: bigint
}

/** Those that are not revoked; expired ones too, because they may be extended. */
export async function readSubscriptions(sql: Query, id: string | null): Promise<Subscription[]> {
  const stored = await sql<StoredSubscription[]>`
    select id, user_id as "userId", group_id as "groupId", status, ${sql.unsafe(SUBSCRIPTION_TIMES)},
      daily_used_nano as "dailyUsedNano", weekly_used_nano as "weeklyUsedNano", monthly_used_nano as "monthlyUsedNano"
    from subscriptions where status = 'active' ${only(sql, 'subscriptions', id)}`
  return stored.map(({ id, userId, groupId, status, startsAtMs, expiresAtMs, ...window }) => ({
    id,
    userId,
    groupId,
    status,
    startsAtMs,
    expiresAtMs,
    daily: { startedAtMs: window.dailyStartedAtMs, usedNano: window.dailyUsedNano },
    weekly: { startedAtMs: window.weeklyStartedAtMs, usedNano: window.weeklyUsedNano },
    monthly: { startedAtMs: window.monthlyStartedAtMs, usedNano: window.monthlyUsedNano },
  }))
}

const SUBSCRIPTION_TIMES = [
  `${ms('starts_at')} as "startsAtMs"`,
  `${ms('expires_at')} as "expiresAtMs"`,
  `${ms('daily_started_at')} as "dailyStartedAtMs"`,
  `${ms('weekly_started_at')} as "weeklyStartedAtMs"`,
  `${ms('monthly_started_at')} as "monthlyStartedAtMs"`,
].join(', ')
