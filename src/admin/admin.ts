/** Everything that an operator does, without HTTP: the admin API and the command line call the same functions. */

import { type AuditFilter, listAuditEntries } from '../db/audit-log.ts'
import type { PageQuery } from '../db/page.ts'
import { findUsageRecordById, listUsageRecords, type UsageFilter } from '../db/usage.ts'
import { type AccountAccess, createAccountAccessAdmin } from './account-access.ts'
import { createAccountsAdmin } from './accounts.ts'
import { createAdminTokensAdmin } from './admin-tokens.ts'
import { createGroupsAdmin } from './groups.ts'
import { createKeysAdmin } from './keys.ts'
import type { PriceRefreshDeps } from './price-refresh.ts'
import { createPricesAdmin } from './prices.ts'
import { createProxiesAdmin } from './proxies.ts'
import { createReprice } from './reprice.ts'
import { createSettingsAdmin, type Settings } from './settings.ts'
import { createStatisticsAdmin, type StatisticsDeps } from './statistics.ts'
import { createSubscriptionsAdmin } from './subscriptions.ts'
import { createUsersAdmin } from './users.ts'

export type Admin = ReturnType<typeof createAdmin>

export function createAdmin(
  deps: PriceRefreshDeps &
    StatisticsDeps & {
      rootToken: string | null
      configured: Readonly<Settings>
      access: AccountAccess
      timeZone: string
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
    usage: {
      list: (query: PageQuery & UsageFilter) => listUsageRecords(db, query),
      find: (id: string) => findUsageRecordById(db, id),
      reprice: createReprice({ ...deps, defaultMultiplier }),
    },
  }
}
