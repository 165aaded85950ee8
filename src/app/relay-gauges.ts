/** What the request path holds right now, for Prometheus (OPS-7). Read at each scrape; a scrape of 100,000 accounts takes 2 ms. */
import type { AccountPool } from '../core/account-pool.ts'
import type { Telemetry } from './open-telemetry.ts'
import type { RelayParts } from './relay-deps.ts'

export interface GaugedParts
  extends Pick<RelayParts, 'live' | 'capacity' | 'records' | 'limits' | 'accounts' | 'keyAttempts'> {
  isDatabaseAway(): boolean
}

export function addRelayGauges({ gauge, counter }: Telemetry, parts: GaugedParts): void {
  const { live, accounts, limits, isDatabaseAway } = parts
  const { bodies, queue } = parts.capacity
  gauge('turnpike_requests_in_flight', 'Requests that are not settled yet.', () => live.size)
  gauge('turnpike_requests_queued', 'Requests that wait for a free slot of an account.', () => queue.size)
  const waiting = parts.records.receipts.status
  gauge('turnpike_usage_backlog', 'Usage records that the database does not have yet.', () => waiting().backlog)
  gauge(
    'turnpike_flush_lag_seconds',
    'How long the oldest of them has waited; 0: none does.',
    () => waiting().lagMs / 1000,
  )
  gauge('turnpike_journal_bytes', 'Bytes of the usage journal.', () => waiting().journalBytes)
  gauge('turnpike_usage_unjournaled', 'Usage records that are in memory alone.', () => waiting().unjournaled)
  gauge('turnpike_usage_dropped', 'Requests served without a record since the start.', () => waiting().dropped)
  gauge('turnpike_request_body_bytes', 'Bytes of request bodies held.', () => bodies.held)
  gauge('turnpike_request_bodies_waiting', 'Requests that wait for room for their body.', () => bodies.waiting)
  const { counts } = parts.keyAttempts
  counter('turnpike_wrong_keys_total', 'Wrong API keys that were sent.', () => counts.wrong)
  counter('turnpike_slowed_keys_total', 'Of them, those that were told to wait.', () => counts.slowed)
  gauge('turnpike_accounts', 'Accounts by state: ready, full, or why they are out.', () =>
    accountStates(accounts.directory.pool),
  )
  gauge('turnpike_degraded', '1: works without this part.', () => [
    { labels: { part: 'redis' }, value: isShared(limits.counters.mode) ? 0 : 1 },
    { labels: { part: 'database' }, value: isDatabaseAway() ? 1 : 0 },
    { labels: { part: 'journal' }, value: waiting().journalFault === null ? 0 : 1 },
  ])
}

/** Counters are where they should be: in the process, or shared through a Redis that answers. */
export function isShared(mode: string): boolean {
  return mode === 'memory' || mode === 'shared'
}

function accountStates(pool: AccountPool) {
  const states = new Map<string, number>([['ready', 0]])
  for (const { countedAs } of pool.entries()) {
    const state = countedAs ?? 'ready'
    states.set(state, (states.get(state) ?? 0) + 1)
  }
  return [...states].map(([state, value]) => ({ labels: { state }, value }))
}
