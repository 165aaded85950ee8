/** Everything that one relayed request may reach for, taken from the opened parts: the list in relay/relay.ts, filled in. */
import { deny } from '../core/denial.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { startApiKeyExpiry } from '../db/api-keys.ts'
import type { Db } from '../db/client.ts'
import { systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { RelayDeps } from '../relay/relay.ts'
import type { Ground } from './ground.ts'
import type { OpenedAccounts } from './open-accounts.ts'
import type { OpenedCapacity } from './open-capacity.ts'
import type { OpenedLimits } from './open-limits.ts'
import type { OpenedPrices } from './open-prices.ts'
import type { OpenedRecords } from './open-records.ts'
import type { Telemetry } from './open-telemetry.ts'
import type { OpenedUpstream } from './open-upstream.ts'
import type { RelayControl } from './relay-control.ts'

export interface RelayParts extends Pick<RelayDeps, 'settings' | 'live' | 'keyAttempts'> {
  accounts: OpenedAccounts
  limits: OpenedLimits
  prices: OpenedPrices
  records: OpenedRecords
  upstream: OpenedUpstream
  capacity: OpenedCapacity
  credentials: Credentials
  control: RelayControl
  telemetry: Telemetry
}

export function toRelayDeps({ data, log }: Ground, parts: RelayParts): RelayDeps {
  const { settings, live, keyAttempts, records, control, credentials, telemetry } = parts
  const { directory, health } = parts.accounts
  const { upstream, watchdog } = parts.upstream
  const { slots, sticky, queue, bodies } = parts.capacity
  const { prices } = parts.prices
  return {
    ...{
      settings,
      live,
      directory,
      health,
      keyAttempts,
      slots,
      sticky,
      queue,
      bodies,
      upstream,
      watchdog,
      credentials,
    },
    nowMs: systemClock.nowMs,
    limiter: parts.limits.limiter,
    findSubscription: directory.findSubscription,
    prices: (account) => prices.bookFor(account?.id ?? null),
    accept: records.accept,
    closed: () =>
      control.isClosed ? deny('shutting_down', 'The gateway is restarting; try again.', 1) : records.receipts.refusal(),
    onUnauthenticated: telemetry.noteRefusedKey,
    onFirstUse: createExpiryStarter(data.database.db, log),
    onCrash: (error, requestId) => log.error('request failed', { requestId, error }),
  }
}

/** A key whose days count from its first use (KEY-5): told to the database once, and again if that failed. */
function createExpiryStarter(db: Db, log: Log): RelayDeps['onFirstUse'] {
  const started = new Set<string>()
  return (keyId, nowMs) => {
    if (started.has(keyId)) return
    started.add(keyId)
    startApiKeyExpiry(db, keyId, new Date(nowMs)).catch((error) => {
      started.delete(keyId)
      log.error('the expiry of a key could not be started', { keyId, error })
    })
  }
}
