/** What operators can do, given what runs: the functions behind the admin API (the command line makes its own, without a relay: cli/open-admin). */
import type { ActivityCache } from '../admin/activity-cache.ts'
import { type Admin, createAdmin } from '../admin/admin.ts'
import type { LiveSource } from '../admin/live.ts'
import { runtimeSettingsOf } from '../config/runtime-settings.ts'
import { systemClock } from '../lib/clock.ts'
import type { Ground } from './ground.ts'
import type { Ears } from './hear-changes.ts'
import type { OpenedRelay } from './open-relay.ts'

export interface AdminInput {
  live: LiveSource
  activityCache: ActivityCache
  /** An operator's change is followed here before its call is answered. */
  onChange: Ears['hear']
}

export function openAdmin({ config, data }: Ground, relay: OpenedRelay, input: AdminInput): Admin {
  return createAdmin({
    ...input,
    db: data.database.db,
    sql: data.database.sql,
    box: data.box,
    pepper: data.pepper,
    rootToken: data.adminToken.value,
    clock: systemClock,
    timeZone: config.timezone,
    apiKeyPrefix: config.apiKeyPrefix,
    priceSource: config.priceSource,
    configured: runtimeSettingsOf(config),
    access: relay.access,
    outbound: relay.outbound,
    prices: async () => relay.prices.prices,
    statistics: relay.records.statistics,
    keyUsages: relay.limits.keyUsages,
  })
}
