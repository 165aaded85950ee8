/**
 * What is known of users, keys, groups and accounts (the directory), and how each account does (its health).
 *
 * Read whole at the start, then one by one as changes are heard of (./follow-changes); what health learns here is written where operators and
 * other instances see it (./keep-health).
 * If it fails: at the start, the start fails; later, what was known stays in use.
 */
import type { Platform } from '../core/platform.ts'
import { systemClock } from '../lib/clock.ts'
import { createKeyHash } from '../lib/hash-api-key.ts'
import { PROTOCOLS } from '../protocols/table.ts'
import { providerFor } from '../providers/table.ts'
import { createDirectory, type Directory, type EntityKind, platformPool } from '../state/directory.ts'
import { createHealth, type Health } from '../state/health.ts'
import { createDirectoryLoader } from './directory-loader.ts'
import type { Ground } from './ground.ts'
import { openHealthKeeper } from './keep-health.ts'
import type { Telemetry } from './open-telemetry.ts'

export interface OpenedAccounts {
  directory: Directory
  health: Health
  /** Reads everything again, after changes may have been missed. */
  load(): Promise<void>
  /** Reads one thing again. */
  reload(kind: EntityKind, id: string): Promise<void>
  /** An operator's reset: whatever keeps this account out is forgotten (ACC-6). */
  reset(accountId: string): Promise<void>
}

export async function openAccounts(ground: Ground, telemetry: Telemetry): Promise<OpenedAccounts> {
  const directory = openDirectory(ground)
  const health = await openHealth(ground, directory, telemetry)
  const { pool } = directory

  function readStoredHealth(accountId: string): void {
    const entry = pool.get(accountId)
    if (entry) health.accountStored(entry.account)
  }
  async function load(): Promise<void> {
    await directory.load()
    for (const { account } of pool.entries()) health.accountStored(account)
  }
  await load()
  return {
    directory,
    health,
    load,
    async reload(kind, id) {
      await directory.reload(kind, id)
      if (kind === 'account') readStoredHealth(id)
    },
    async reset(accountId) {
      await directory.reload('account', accountId)
      health.reset(accountId)
      readStoredHealth(accountId)
    },
  }
}

function openDirectory({ config, data }: Ground): Directory {
  return createDirectory({
    loader: createDirectoryLoader(data.database.sql, data.box),
    hashKey: createKeyHash(data.pepper),
    poolsOf: (account) => (config.runMode === 'simple' ? simplePools(account.platform) : account.groupIds),
    nowMs: systemClock.nowMs,
  })
}

/** Without groups an account stands in the pool of every protocol that it can serve: Bedrock's beside Anthropic's own (ACC-13, ACC-16). */
function simplePools(platform: Platform): string[] {
  const protocols = Object.values(PROTOCOLS).filter((protocol) => protocol.platforms.includes(platform))
  return [...new Set(protocols.map((protocol) => platformPool(protocol.platform)))]
}

async function openHealth(ground: Ground, { pool }: Directory, telemetry: Telemetry): Promise<Health> {
  const { config, data, log, stack } = ground
  const keeper = await openHealthKeeper({
    db: data.database.db,
    log,
    stack,
    everyMs: config.flushIntervalMs,
    blocksOf: (accountId) => health.describe(accountId).blocks,
    prefixOf(accountId) {
      const account = pool.get(accountId)?.account
      return account ? (providerFor(account.platform, account.type)?.snapshotPrefix ?? null) : null
    },
  })
  const health: Health = createHealth({
    pool,
    nowMs: systemClock.nowMs,
    onChange(change) {
      if (change.block) telemetry.noteCooldown(change.block.cause)
      keeper.note(change)
    },
  })
  return health
}
