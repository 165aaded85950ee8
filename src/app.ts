/**
 * The composition root: Config → App. The only file that knows every room; it decides nothing but the order of things.
 *
 * Start: secrets → database → migrations → changes → directory → relay → HTTP → jobs. Stop: the reverse; running streams may finish first (OPS-2).
 * If it fails: what was started is stopped, and the error says in one line what to do.
 */
import { createActivityCache } from './admin/activity-cache.ts'
import { createAdmin } from './admin/admin.ts'
import type { AdminToken } from './admin/secrets.ts'
import { createFoundRecords } from './app/found-records.ts'
import { type Hearing, hearChanges } from './app/hear-changes.ts'
import { openData } from './app/open-data.ts'
import { openHttp } from './app/open-http.ts'
import { openInstance } from './app/open-instance.ts'
import { type OpenedRelay, openRelay } from './app/open-relay.ts'
import { type Config, runtimeSettingsOf, withRuntimeSettings } from './config.ts'
import type { Change } from './db/changes.ts'
import { listSettings } from './db/settings.ts'
import { JOBS, type JobDeps } from './jobs/jobs.ts'
import { startJobs } from './jobs/run-jobs.ts'
import { systemClock } from './lib/clock.ts'
import { createLog, type Log } from './lib/log.ts'
import { createStack } from './lib/stack.ts'

export interface App {
  port: number
  /** The root admin token, if it was made at this very start: the one moment to show it (OPS-3). */
  newAdminToken: AdminToken | null
  /** Stops accepting, lets running streams finish up to the grace period, writes everything, ends (OPS-2). */
  stop(): Promise<void>
  /** The same without waiting for streams. */
  stopNow(): Promise<void>
}

/** Longest one part may take to stop; the embedded database is given its own. */
const STOP_LIMIT_MS = 45_000

export interface StartOptions {
  log?: Log
  /** Other processes listen on the same port (OPS-4). */
  sharesPort?: boolean
}

export async function startApp(config: Config, given?: StartOptions): Promise<App> {
  const log = given?.log ?? createLog({ level: config.logLevel })
  const stack = createStack({ stopTimeoutMs: STOP_LIMIT_MS })
  try {
    const data = await openData(config, log, stack)
    const { db, sql } = data.database
    const effective = async () => withRuntimeSettings(config, await listSettings(db))
    const hearing = await hearChanges(sql, { log, stack })
    const relay = await openRelay(await effective(), data, log, stack)
    const activityCache = createActivityCache(systemClock)
    const hear = async (change: Change) => {
      if (change.kind === 'user') activityCache.forgetUser(change.id)
      if (change.kind === 'setting') relay.configure(await effective())
      else if (change.kind === 'price') await relay.reloadPrices()
      else if (change.kind === 'statistics') await relay.statistics.loader.heardOfImport(change.id)
      else if (change.kind === 'account_reset') await resetAccount(relay, change.id)
      else if (isDirectoryKind(change.kind)) await reload(relay, change.kind, change.id)
    }
    hearing.attach({ hear, readAll: () => readAll(relay, effective) })
    await stack.use(
      'statistics',
      () => relay.statistics.loader.start(),
      () => relay.statistics.loader.stop(),
    )
    const instance = await openInstance({ config, data, relay, log, stack })
    const admin = createAdmin({
      db,
      sql,
      live: instance.live,
      box: data.box,
      pepper: data.pepper,
      apiKeyPrefix: config.apiKeyPrefix,
      outbound: relay.outbound,
      clock: systemClock,
      prices: async () => relay.prices,
      priceSource: config.priceSource,
      timeZone: config.timezone,
      activityCache,
      statistics: relay.statistics,
      onChange: hear,
      rootToken: data.adminToken.value,
      configured: runtimeSettingsOf(config),
      access: { ...relay.credentials, probe: relay.probe, probeProxy: relay.probeProxy },
      keyUsages: relay.keyUsages,
    })
    const accounts = () => Iterator.from(relay.directory.pool.entries()).map(({ account }) => account)
    const refreshTokens = () => relay.credentials.credentials.refreshDue(accounts())
    const jobDeps: JobDeps = {
      ...{ sql, db, log, nowMs: systemClock.nowMs, refreshTokens, timeZone: config.timezone },
      ...instance.jobs,
      retentionDays: async () => (await effective()).retentionDays,
      adoptJournals: relay.receipts.adopt,
      onRecordsFound: createFoundRecords(relay.telemetry, relay.statistics.loader),
    }
    await stack.use(
      'jobs',
      () => startJobs(jobDeps, JOBS),
      (jobs) => jobs.stop(),
    )
    data.presence.onBack(() => catchUp(relay, hearing, log))
    const http = await openHttp({
      config,
      admin,
      relay,
      isAway: relay.isDatabaseAway,
      log,
      stack,
      sharesPort: given?.sharesPort ?? false,
    })
    log.info('ready', { port: http.port, host: config.host })
    return {
      port: http.port,
      newAdminToken: data.adminToken.made ? data.adminToken : null,
      ...stopper(config, relay, http, stack, log),
    }
  } catch (error) {
    await stack.stop()
    throw error
  }
}

const DIRECTORY_KINDS = ['user', 'group', 'key', 'account', 'proxy', 'subscription'] as const
type DirectoryKind = (typeof DIRECTORY_KINDS)[number]

function isDirectoryKind(kind: string): kind is DirectoryKind {
  return (DIRECTORY_KINDS as readonly string[]).includes(kind)
}

async function reload(relay: OpenedRelay, kind: DirectoryKind, id: string): Promise<void> {
  await relay.directory.reload(kind, id)
  const entry = kind === 'account' ? relay.directory.pool.get(id) : undefined
  if (entry) relay.health.accountStored(entry.account)
  await tellCounters(relay, kind, id)
}

/** Limits and money may have been changed: the counters read them again at the next admission. */
async function tellCounters(relay: OpenedRelay, kind: DirectoryKind, id: string): Promise<void> {
  const { directory, news } = relay
  const policy = kind === 'key' ? directory.findKey(id) : null
  if (policy) await news.keyChanged(policy.key)
  else if (kind === 'user') await news.userChanged(id)
  else if (kind === 'subscription') {
    const subscription = directory.findSubscriptionById(id)
    if (subscription) await news.subscriptionChanged(subscription)
  }
}

async function resetAccount(relay: OpenedRelay, id: string): Promise<void> {
  await relay.directory.reload('account', id)
  relay.health.reset(id)
  const entry = relay.directory.pool.get(id)
  if (entry) relay.health.accountStored(entry.account)
}

/** After a gap in hearing: whatever was changed meanwhile, also by a command or another instance, is read again (KEY-3, BIL-7). */
async function readAll(relay: OpenedRelay, effective: () => Promise<Config>): Promise<void> {
  relay.distrustCounters()
  relay.configure(await effective())
  const { loader } = relay.statistics
  await Promise.all([relay.loadDirectory(), relay.reloadPrices(), loader.heardOfImport('missed')])
}

/** The database is back: what waits for it is written at once, and what was changed meanwhile is read (OPS-5). */
function catchUp(relay: OpenedRelay, hearing: Hearing, log: Log): void {
  log.info('the database is back', { backlog: relay.receipts.status().backlog })
  relay.receipts.retry()
  hearing.readAll()
}

interface Http {
  port: number
  /** No new connections; `readyz` says so. */
  closeDoor(): void
  stop(force: boolean): Promise<void>
}

function stopper(config: Config, relay: OpenedRelay, http: Http, stack: ReturnType<typeof createStack>, log: Log) {
  let hurry: (() => void) | null = null
  const hurried = new Promise<void>((resolve) => {
    hurry = resolve
  })
  let stopping: Promise<void> | null = null

  async function finish(): Promise<void> {
    log.info('stopping', { running: relay.liveCount() })
    relay.close()
    http.closeDoor()
    const graceMs = config.shutdownGraceSeconds * 1000
    await Promise.race([idle(relay), hurried, Bun.sleep(graceMs)])
    relay.abortAll()
    await Promise.race([idle(relay), Bun.sleep(2000)])
    await http.stop(true)
    for (const { name, error } of await stack.stop()) log.error('did not stop cleanly', { part: name, error })
    log.info('stopped')
  }

  const stop = () => {
    stopping ??= finish()
    return stopping
  }
  return {
    stop,
    stopNow: () => {
      hurry?.()
      return stop()
    },
  }
}

async function idle(relay: OpenedRelay): Promise<void> {
  while (relay.liveCount() > 0) await Bun.sleep(20)
}
