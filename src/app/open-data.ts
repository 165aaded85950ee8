/**
 * Opens what turnpike stands on: the secrets, the database (embedded or given), its migrations, the default groups, this month's partitions.
 * If it fails: throws one clear line; what was opened is closed by the stack.
 */
import { openPepper } from '../admin/pepper.ts'
import { type AdminToken, openAdminToken, openEncryptionKey } from '../admin/secrets.ts'
import type { Config } from '../config.ts'
import { insertDefaultGroups } from '../db/bootstrap.ts'
import { createDatabase, type Database, type Target } from '../db/client.ts'
import { startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrate.ts'
import { ensurePartitions } from '../db/partitions.ts'
import type { Log } from '../lib/log.ts'
import { type PresenceWatch, watchPresence } from '../lib/presence-watch.ts'
import { createSecretbox, type Secretbox } from '../lib/secretbox.ts'
import type { Stack } from '../lib/stack.ts'

export interface Data {
  database: Database
  /** For those who need a connection of their own. */
  target: Target
  /** Does the database answer? Known also without traffic (OPS-5). */
  presence: PresenceWatch
  /** The root administrator's. */
  adminToken: AdminToken
  box: Secretbox
  /** Under which keys and tokens are hashed (KEY-1). */
  pepper: Uint8Array
}

export async function openData(config: Config, log: Log, stack: Stack): Promise<Data> {
  const adminToken = openAdminToken(config)
  const encryptionKey = openEncryptionKey(config)
  for (const warning of [...adminToken.warnings, ...encryptionKey.warnings]) log.warn(warning)
  const target = await openTarget(config, log, stack)
  const applied = await migrate(target)
  if (applied.length > 0) log.info('database migrated', { applied })
  const database = await stack.use(
    'database',
    () => createDatabase({ target }),
    (opened) => opened.close(),
  )
  const presence = await stack.use(
    'database watch',
    () => watchDatabase(database, log),
    (watch) => watch.stop(),
  )
  await insertDefaultGroups(database.db)
  await ensurePartitions(database.sql, Date.now())
  const box = createSecretbox(encryptionKey.value, config.previousEncryptionKeys)
  return {
    database,
    target,
    presence,
    adminToken,
    box,
    pepper: await openPepper(database.db, box, encryptionKey.value),
  }
}

const ASKED_EVERY_MS = 2000

function watchDatabase({ sql }: Database, log: Log): PresenceWatch {
  return watchPresence({
    ask: () => sql`select 1`,
    everyMs: ASKED_EVERY_MS,
    withinMs: ASKED_EVERY_MS,
    onAway: (error) => log.error('the database is away; relaying goes on, usage waits in the journal', { error }),
  })
}

async function openTarget(config: Config, log: Log, stack: Stack): Promise<Target> {
  if (config.databaseUrl !== null) return config.databaseUrl
  const embedded = await stack.use(
    'embedded database',
    () => startEmbedded({ dataDir: config.dataDir, log }),
    (started) => started.stop(),
  )
  return embedded.target
}
