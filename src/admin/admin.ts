/** Everything that an operator does, without HTTP: the admin API and the command line call the same functions. */

import { type AuditFilter, listAuditEntries } from '../db/audit-log.ts'
import type { Sql } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { findRecordingById } from '../db/recordings.ts'
import { findUsageRecordById, listUsageRecords, type UsageFilter } from '../db/usage.ts'
import { readUsageRecords } from '../db/usage-export.ts'
import { type AccountAccess, createAccountAccessAdmin } from './account-access.ts'
import { createAccountsAdmin } from './accounts.ts'
import { type ActivityCache, createActivityCache } from './activity-cache.ts'
import { createAdminTokensAdmin } from './admin-tokens.ts'
import { createGroupsAdmin } from './groups.ts'
import { createKeysAdmin, type KeysDeps } from './keys.ts'
import { createLiveAdmin, type LiveSource } from './live.ts'
import { createPauseReports } from './pause-reports.ts'
import type { PriceRefreshDeps } from './price-refresh.ts'
import { createPricesAdmin } from './prices.ts'
import { createProxiesAdmin } from './proxies.ts'
import { createReprice } from './reprice.ts'
import { createRetentionAdmin } from './retention.ts'
import { createSettingsAdmin, type Settings } from './settings.ts'
import { createStatisticsAdmin, type StatisticsDeps } from './statistics.ts'
import { createSubscriptionsAdmin } from './subscriptions.ts'
import { createUsageReports } from './usage-reports.ts'
import { createUsersAdmin } from './users.ts'

export type Admin = ReturnType<typeof createAdmin>

export function createAdmin(
  deps: PriceRefreshDeps &
    KeysDeps &
    StatisticsDeps & {
      rootToken: string | null
      configured: Readonly<Settings>
      access: AccountAccess
      timeZone: string
      sql: Sql
      live: LiveSource
      /** Only a process that answers many needs one that outlives it. */
      activityCache?: ActivityCache
    },
) {
  const { db } = deps
  const accounts = createAccountsAdmin(deps)
  const settings = createSettingsAdmin(deps)
  const defaultMultiplier = async () => Math.round(Number((await settings.get()).default_rate_multiplier ?? 1) * 1e6)
  return {
    users: createUsersAdmin(deps),
    groups: createGroupsAdmin(deps),
    accounts,
    access: createAccountAccessAdmin({ ...deps, accounts }),
    keys: createKeysAdmin(deps),
    proxies: createProxiesAdmin(deps),
    subscriptions: createSubscriptionsAdmin(deps),
    prices: createPricesAdmin(deps),
    settings,
    statistics: createStatisticsAdmin({ ...deps, settings }),
    tokens: createAdminTokensAdmin(deps),
    audit: { list: (query: PageQuery & AuditFilter) => listAuditEntries(db, query) },
    live: createLiveAdmin({ live: deps.live, nowMs: deps.clock.nowMs }),
    retention: createRetentionAdmin(deps),
    usage: {
      list: (query: PageQuery & UsageFilter) => listUsageRecords(db, query),
      read: (filter: UsageFilter) => readUsageRecords(db, filter),
      find: (id: string) => findUsageRecordById(db, id),
      findRecording: (id: string) => findRecordingById(db, id),
      reprice: createReprice({ ...deps, defaultMultiplier }),
      ...createUsageReports({ ...deps, activityCache: deps.activityCache ?? createActivityCache(deps.clock) }),
      ...createPauseReports(deps),
    },
  }
}
