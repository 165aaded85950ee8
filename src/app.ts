/**
 * The composition root: Config → App. With src/app/ the only place that knows every room; it decides nothing but the order of things.
 *
 * Start: secrets, database, migrations → changes, heard before anything is read → the request path → statistics → this process among its
 * siblings → the operator's side → jobs → the door, last. Stop: the door first, then the reverse (./app/stop-app).
 * If it fails: what was started is stopped, and the error says in one line what to do.
 */
import { createActivityCache } from './admin/activity-cache.ts'
import type { AdminToken } from './admin/secrets.ts'
import { followChanges } from './app/follow-changes.ts'
import type { Ground } from './app/ground.ts'
import { type Hearing, hearChanges } from './app/hear-changes.ts'
import { openAdmin } from './app/open-admin.ts'
import { openData } from './app/open-data.ts'
import { openHttp } from './app/open-http.ts'
import { openInstance } from './app/open-instance.ts'
import { openJobs } from './app/open-jobs.ts'
import { type OpenedRelay, openRelay } from './app/open-relay.ts'
import { type AppStop, createAppStop } from './app/stop-app.ts'
import { withRuntimeSettings } from './config/runtime-settings.ts'
import type { Config } from './config.ts'
import { listSettings } from './db/settings.ts'
import { systemClock } from './lib/clock.ts'
import { createLog, type Log } from './lib/log.ts'
import { createStack } from './lib/stack.ts'

export interface App extends AppStop {
  port: number
  /** The root admin token, if it was made at this very start: the one moment to show it (OPS-3). */
  newAdminToken: AdminToken | null
}

/** Longest one part may take to stop; the embedded database is given its own. */
const STOP_LIMIT_MS = 45_000

export interface StartOptions {
  log?: Log
  /** Other processes listen on the same port (OPS-4). */
  sharesPort?: boolean
}

export async function startApp(config: Config, given: StartOptions = {}): Promise<App> {
  const { log = createLog({ level: config.logLevel }), sharesPort = false } = given
  const stack = createStack({ stopTimeoutMs: STOP_LIMIT_MS })
  try {
    const data = await openData(config, log, stack)
    return await openGateway({ config, data, log, stack }, sharesPort)
  } catch (error) {
    await stack.stop()
    throw error
  }
}

async function openGateway(ground: Ground, sharesPort: boolean): Promise<App> {
  const { config, data, log, stack } = ground
  const currentConfig = async () => withRuntimeSettings(config, await listSettings(data.database.db))
  const hearing = await hearChanges(data.database.sql, { log, stack })
  const relay = await openRelay({ ...ground, config: await currentConfig() })
  const activityCache = createActivityCache(systemClock)
  const ears = followChanges({ relay, activityCache, currentConfig })
  hearing.attach(ears)
  const { loader } = relay.records.statistics
  await stack.use('statistics', loader.start, loader.stop)
  const instance = await openInstance(ground, relay)
  const admin = openAdmin(ground, relay, { live: instance.live, activityCache, onChange: ears.hear })
  await openJobs(ground, { relay, instance, currentConfig })
  data.presence.onBack(() => catchUp(relay, hearing, log))
  const http = await openHttp(ground, { admin, relay, sharesPort })
  log.info('ready', { port: http.port, host: config.host })
  return {
    port: http.port,
    newAdminToken: data.adminToken.made ? data.adminToken : null,
    ...createAppStop(ground, relay.control, http),
  }
}

/** The database is back: what waits for it is written at once, and what was changed meanwhile is read (OPS-5). */
function catchUp(relay: OpenedRelay, hearing: Hearing, log: Log): void {
  const { receipts } = relay.records
  log.info('the database is back', { backlog: receipts.status().backlog })
  receipts.retry()
  hearing.readAll()
}
