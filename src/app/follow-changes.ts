/**
 * What a change means for what this process remembers (KEY-3): which part reads what again. Changes made here and those heard from other
 * instances go the same way; ./hear-changes says when they come.
 *
 * If it fails: the caller hears it, and reads everything again.
 */
import type { ActivityCache } from '../admin/activity-cache.ts'
import type { Config } from '../config.ts'
import type { Change } from '../db/changes.ts'
import type { EntityKind } from '../state/directory.ts'
import type { Ears } from './hear-changes.ts'
import type { OpenedRelay } from './open-relay.ts'

export interface FollowInput {
  relay: OpenedRelay
  activityCache: ActivityCache
  /** The configuration with what operators have stored over it, as it is now. */
  currentConfig(): Promise<Config>
}

export function followChanges({ relay, activityCache, currentConfig }: FollowInput): Ears {
  const { accounts, control, limits, prices } = relay
  const { loader } = relay.records.statistics
  return {
    async hear({ kind, id }: Change) {
      if (kind === 'user') activityCache.forgetUser(id)
      if (kind === 'setting') control.configure(await currentConfig())
      else if (kind === 'price') await prices.reload()
      else if (kind === 'statistics') await loader.heardOfImport(id)
      else if (kind === 'account_reset') await accounts.reset(id)
      else if (isEntity(kind)) {
        await accounts.reload(kind, id)
        await tellCounters(relay, kind, id)
      }
    },
    // Whatever was changed meanwhile, also by a command or another instance (KEY-3, BIL-7).
    async readAll() {
      limits.limiter.distrust()
      control.configure(await currentConfig())
      await Promise.all([accounts.load(), prices.reload(), loader.heardOfImport('missed')])
    },
  }
}

const ENTITIES: readonly EntityKind[] = ['user', 'group', 'key', 'account', 'proxy', 'subscription']

function isEntity(kind: string): kind is EntityKind {
  return (ENTITIES as readonly string[]).includes(kind)
}

/** Limits and money may have been changed: the counters read them again at the next admission. */
async function tellCounters({ accounts, limits }: OpenedRelay, kind: EntityKind, id: string): Promise<void> {
  const { directory } = accounts
  const { news } = limits
  const policy = kind === 'key' ? directory.findKey(id) : null
  if (policy) await news.keyChanged(policy.key)
  else if (kind === 'user') await news.userChanged(id)
  else if (kind === 'subscription') {
    const subscription = directory.findSubscriptionById(id)
    if (subscription) await news.subscriptionChanged(subscription)
  }
}
