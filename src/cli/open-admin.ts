/**
 * The operator's functions for a command: database opened (and brought up to date), secrets read, everything given back.
 *
 * A running gateway on the same data folder is no obstacle: the embedded server is shared, and it hears of changes through the
 * database. If it fails: one line that says what to do.
 */
import { type Admin, createAdmin } from '../admin/admin.ts'
import { NOTHING_LIVE } from '../admin/live.ts'
import { openPepper } from '../admin/pepper.ts'
import { openEncryptionKey } from '../admin/secrets.ts'
import { openAccess } from '../app/open-access.ts'
import { openPrices } from '../app/open-prices.ts'
import { openStatistics } from '../app/open-statistics.ts'
import { runtimeSettingsOf } from '../config/runtime-settings.ts'
import type { Config } from '../config.ts'
import { insertDefaultGroups } from '../db/bootstrap.ts'
import { createDatabase, type Target } from '../db/client.ts'
import { startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrate.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { createSecretbox } from '../lib/secretbox.ts'
import { createStack } from '../lib/stack.ts'

/** Where the database is: the one named, or the embedded one, started if it doesn't run. */
export async function withTarget<T>(config: Config, use: (target: Target) => Promise<T>): Promise<T> {
  if (config.databaseUrl !== null) return use(config.databaseUrl)
  const embedded = await startEmbedded({ dataDir: config.dataDir, log: silentLog })
  try {
    return await use(embedded.target)
  } finally {
    await embedded.stop()
  }
}

export function withAdmin<T>(config: Config, use: (admin: Admin) => Promise<T>): Promise<T> {
  return withTarget(config, async (target) => {
    await migrate(target)
    const stack = createStack()
    try {
      const database = await stack.use(
        'database',
        () => createDatabase({ target, rawConnections: 1, adminConnections: 2 }),
        (opened) => opened.close(),
      )
      await insertDefaultGroups(database.db)
      const { value: encryptionKey } = openEncryptionKey(config)
      const box = createSecretbox(encryptionKey, config.previousEncryptionKeys)
      const admin = createAdmin({
        db: database.db,
        sql: database.sql,
        live: NOTHING_LIVE,
        box,
        pepper: await openPepper(database.db, box, encryptionKey),
        apiKeyPrefix: config.apiKeyPrefix,
        outbound: { allowPrivate: config.allowPrivateUpstreams },
        clock: systemClock,
        prices: async () => (await openPrices(database.db)).prices,
        priceSource: config.priceSource,
        timeZone: config.timezone,
        // Whatever the setting says: who asks for the statistics wants them read.
        statistics: openStatistics({
          config: { ...config, statisticsEnabled: true },
          sql: database.sql,
          log: silentLog,
          flush: async () => {},
        }),
        // Running instances hear it from the database.
        onChange: () => {},
        rootToken: null,
        configured: runtimeSettingsOf(config),
        access: openAccess({ config, database, box }),
        // Counted by the gateways, not here.
        keyUsages: async () => new Map(),
      })
      return await use(admin)
    } finally {
      await stack.stop()
    }
  })
}
