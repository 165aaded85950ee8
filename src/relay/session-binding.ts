/**
 * Which account a request's session is bound to, in the pool that it is served from (ACC-4). A fallback group's pool has bindings of its own
 * (ACC-12): a session that was helped out comes home to its old account, and finds its helper again the next time.
 */
import type { PoolEntry } from '../core/pool-entry.ts'
import { bindingKey, sessionHash } from '../core/session.ts'
import { andThenWith, type Later } from '../lib/later.ts'
import type { Directory } from '../state/directory.ts'
import type { Health } from '../state/health.ts'
import type { Sticky } from '../state/sticky.ts'
import { askedFamily } from './account-wish.ts'
import type { Binding, Exchange } from './exchange.ts'

export interface BindingDeps {
  directory: Directory
  sticky: Sticky
  health: Pick<Health, 'blockedUntilMs'>
  nowMs(): number
}

/** The account bound in this pool, or null. What was found is kept in the exchange: for the other attempts, and for `bindSession`. */
export function boundEntry(deps: BindingDeps, exchange: Exchange, poolId: string): Later<PoolEntry | null> {
  exchange.session ??= sessionOf(exchange)
  if (exchange.session === null) return null
  const key = bindingKey({ poolId, keyId: exchange.policy.key.id }, exchange.session)
  if (exchange.binding?.key === key) return entryOf(deps, exchange.binding)
  return andThenWith(deps.sticky.find(key), { deps, exchange, key }, keepBinding)
}

interface Sought {
  deps: BindingDeps
  exchange: Exchange
  key: string
}

function keepBinding({ deps, exchange, key }: Sought, accountId: string | null): PoolEntry | null {
  exchange.binding = { key, accountId }
  return entryOf(deps, exchange.binding)
}

function entryOf({ directory }: BindingDeps, { accountId }: Binding): PoolEntry | null {
  return accountId === null ? null : (directory.pool.get(accountId) ?? null)
}

/** After a success the session stays with this account; one that only served because the bound one could not for a moment does not take over. */
export function bindSession(deps: BindingDeps, exchange: Exchange, accountId: string): void {
  const { binding } = exchange
  if (binding === null) return
  const bound = binding.accountId
  if (bound !== null && bound !== accountId && isPassing(deps, exchange, bound)) return
  deps.sticky.bind(binding.key, accountId)
}

/** About as long as a prompt cache stays warm. */
const PASSING_MS = 300_000

/** Full, or cooling down for minutes, as a whole or for this model: the account comes back, and with it the session's warm prompt cache. */
function isPassing({ directory, health, nowMs }: BindingDeps, exchange: Exchange, accountId: string): boolean {
  const entry = directory.pool.get(accountId)
  if (!entry) return false
  const now = nowMs()
  const limitedUntilMs = health.blockedUntilMs(entry, askedFamily(entry, exchange.inspected?.model ?? ''), now) ?? now
  const parkedUntilMs = entry.park === null ? now : (entry.park.untilMs ?? Number.POSITIVE_INFINITY)
  return Math.max(limitedUntilMs, parkedUntilMs) - now < PASSING_MS
}

function sessionOf(exchange: Exchange): string | null {
  const { inspected, body, call } = exchange
  if (!inspected) return null
  const { sessionHint: bodyHint, model, prefixSpans: prefix } = inspected
  // Not cryptographic: the key's scope is in clear before it, so that a collision is found only among one's own sessions.
  return sessionHash({ headers: call.request.headers, bodyHint, model, body, prefix }, Bun.hash.wyhash)
}
