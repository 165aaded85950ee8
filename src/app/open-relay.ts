/**
 * Puts the request path together. The order is that of need:
 *
 * telemetry, which others tell → accounts and keys, prices → limits, which ask the directory → records, which tell the limits what reached the
 * database → what a crash left in the journals, so that it counts from the first request on → upstream, capacity and credentials → the relay.
 *
 * The relay never awaits SQL: everything from the database was loaded before or comes by a change; records leave through the journal.
 * If it fails: the start fails, and the stack stops what was opened.
 */
import type { AccountAccess } from '../admin/account-access.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { systemClock } from '../lib/clock.ts'
import type { Exchange } from '../relay/exchange.ts'
import { createKeyInfo, type KeyInfo } from '../relay/key-info.ts'
import { createLiveRequests, type LiveRequests } from '../relay/live-requests.ts'
import { createModels, type Models } from '../relay/models.ts'
import { createRelay, type Relay } from '../relay/relay.ts'
import { createKeyAttempts } from '../state/key-attempts.ts'
import type { Ground } from './ground.ts'
import { toAccess } from './open-access.ts'
import { type OpenedAccounts, openAccounts } from './open-accounts.ts'
import { openCapacity } from './open-capacity.ts'
import { openCredentials } from './open-credentials.ts'
import { type OpenedLimits, openLimits } from './open-limits.ts'
import { type OpenedPrices, openPrices } from './open-prices.ts'
import { type OpenedRecords, openRecords } from './open-records.ts'
import { openTelemetry, type Telemetry } from './open-telemetry.ts'
import { type OpenedUpstream, openUpstream } from './open-upstream.ts'
import { createRelayControl, type RelayControl } from './relay-control.ts'
import { type RelayParts, toRelayDeps } from './relay-deps.ts'
import { addRelayGauges } from './relay-gauges.ts'
import { toRelaySettings } from './relay-settings.ts'

export interface OpenedRelay {
  endpoints: ClientEndpoints
  accounts: OpenedAccounts
  prices: OpenedPrices
  limits: OpenedLimits
  records: OpenedRecords
  credentials: Credentials
  /** How operators reach platforms through this process. */
  access: AccountAccess
  outbound: OpenedUpstream['outbound']
  telemetry: Telemetry
  control: RelayControl
  /** What is under way, to be looked at (USE-4). */
  liveRequests: LiveRequests
  /** Relaying goes on without it (OPS-5). */
  isDatabaseAway(): boolean
}

/** What clients call. */
export interface ClientEndpoints {
  relay: Relay
  models: Models
  keyInfo: KeyInfo
}

export async function openRelay(ground: Ground): Promise<OpenedRelay> {
  const { config, data, log, stack } = ground
  const live = new Set<Exchange>()
  const telemetry = await openTelemetry(config, log, stack)
  const accounts = await openAccounts(ground, telemetry)
  const prices = await openPrices(data.database.db)
  const limits = await openLimits(ground, accounts.directory)
  const records = await openRecords(ground, { live, telemetry, news: limits.news })
  // Before anybody is served: what was used before a crash is part of limits and balances (BIL-7).
  if ((await records.receipts.adopt()) > 0) await accounts.load()
  const upstream = await openUpstream(ground)
  const capacity = await openCapacity(ground, accounts.directory.pool, limits.counters.counters)
  const opened = openCredentials({
    ...{ config, database: data.database, box: data.box, log, gate: upstream.gate },
    onStored: (accountId) => accounts.directory.reload('account', accountId),
  })
  const { credentials } = opened
  const { outbound } = upstream
  const settings = toRelaySettings(config)
  const control = createRelayControl({
    ...{ settings, outbound, live },
    queue: capacity.queue,
    upstream: upstream.upstream,
    counters: limits.counters,
    enableStatistics: records.statistics.loader.enable,
  })
  const keyAttempts = createKeyAttempts({
    clock: systemClock,
    onSlowed: (clientIp) => log.warn('wrong API keys from one address are slowed', { clientIp }),
  })
  const parts = {
    settings,
    live,
    accounts,
    limits,
    prices,
    records,
    upstream,
    capacity,
    credentials,
    keyAttempts,
    control,
    telemetry,
  }
  const isDatabaseAway = () => data.presence.isAway || records.receipts.status().failures > 0
  addRelayGauges(telemetry, { ...parts, isDatabaseAway })
  return {
    ...{ accounts, prices, limits, records, credentials, outbound, telemetry, control, isDatabaseAway },
    ...openEndpoints(ground, parts),
    access: toAccess(opened, upstream.upstream, prices.prices.bookFor),
  }
}

function openEndpoints(ground: Ground, parts: RelayParts): Pick<OpenedRelay, 'endpoints' | 'liveRequests'> {
  const { config } = ground
  const { limits, prices } = parts
  const deps = toRelayDeps(ground, parts)
  return {
    endpoints: {
      relay: createRelay(deps),
      models: createModels({ ...deps, simple: config.runMode === 'simple', pricedModels: prices.prices.modelsOf }),
      keyInfo: createKeyInfo({ ...deps, loadTotals: limits.loadTotals, timeZone: config.timezone }),
    },
    liveRequests: createLiveRequests(deps),
  }
}
