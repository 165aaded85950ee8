/** All calls of the admin API, in the order in which Swagger shows them. */
import type { Admin } from '../../admin/admin.ts'
import { accountAccessCalls } from './account-access.ts'
import { accountCalls } from './accounts.ts'
import { auditCalls } from './audit.ts'
import { cacheReportCalls } from './cache-reports.ts'
import type { Call } from './call.ts'
import { groupCalls } from './groups.ts'
import { keyCalls } from './keys.ts'
import { liveCalls } from './live.ts'
import { priceCalls } from './prices.ts'
import { proxyCalls } from './proxies.ts'
import { retentionCalls } from './retention.ts'
import { type SettingsSchemas, settingsCalls } from './settings.ts'
import { statisticsCalls } from './statistics.ts'
import { subscriptionCalls } from './subscriptions.ts'
import { tokenCalls } from './tokens.ts'
import { usageCalls } from './usage.ts'
import { usageExportCall } from './usage-export.ts'
import { usageReportCalls } from './usage-reports.ts'
import { userCalls } from './users.ts'

export function adminCalls(admin: Admin, settings: SettingsSchemas): Call[] {
  return [
    ...userCalls(admin.users),
    ...groupCalls(admin.groups),
    ...accountCalls(admin.accounts),
    ...accountAccessCalls(admin.access),
    ...proxyCalls(admin.proxies),
    ...keyCalls(admin.keys),
    ...subscriptionCalls(admin.subscriptions),
    ...priceCalls(admin.prices),
    ...usageCalls(admin.usage),
    ...liveCalls(admin.live),
    ...retentionCalls(admin.retention),
    ...usageReportCalls(admin.usage),
    ...cacheReportCalls(admin.usage),
    usageExportCall(admin.usage.read),
    ...statisticsCalls(admin.statistics),
    ...settingsCalls(admin.settings, settings),
    ...auditCalls(admin.audit),
    ...tokenCalls(admin.tokens),
  ]
}
