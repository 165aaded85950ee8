/**
 * The composition root: Config → App. The only file that knows every room; it decides nothing but the order of things.
 *
 * Start: secrets → database → migrations → directory → relay → HTTP → jobs. Stop: the reverse; running streams may finish first (OPS-2).
 * If it fails: what was started is stopped, and the error says in one line what to do.
 */
import { createAdmin } from './admin/admin.ts'
import type { AdminToken } from './admin/secrets.ts'
import { openData } from './app/open-data.ts'
import { openHttp } from './app/open-http.ts'
import { type OpenedRelay, openRelay } from './app/open-relay.ts'
import { type Config, runtimeSettingsOf, withRuntimeSettings } from './config.ts'
import { type Change, listenForChanges } from './db/changes.ts'
import type { Sql } from './db/client.ts'
import { listSettings } from './db/settings.ts'
import { startJobs } from './jobs/jobs.ts'
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
    const relay = await openRelay(await effective(), data, log, stack)
    const hear = async (change: Change) => {
      if (change.kind === 'setting') relay.configure(await effective())
      else if (change.kind === 'price') await relay.reloadPrices()
      else if (change.kind === 'account_reset') await resetAccount(relay, change.id)
      else if (isDirectoryKind(change.kind)) await reload(relay, change.kind, change.id)
    }
    await stack.use(
      'changes',
      () => listen(sql, relay, hear, log),
      (unlisten) => unlisten(),
    )
    const admin = createAdmin({
      db,
      box: data.box,
      pepper: data.pepper,
      apiKeyPrefix: config.apiKeyPrefix,
      outbound: { allowPrivate: config.allowPrivateUpstreams },
      clock: systemClock,
      prices: async () => relay.prices,
      priceSource: config.priceSource,
      timeZone: config.timezone,
      onChange: hear,
      rootToken: data.adminToken.value,
      configured: runtimeSettingsOf(config),
      access: { ...relay.credentials, probe: relay.probe },
    })
    const accounts = () => Iterator.from(relay.directory.pool.entries()).map(({ account }) => account)
    const refreshTokens = () => relay.credentials.credentials.refreshDue(accounts())
    const adoptJournals = relay.receipts.adopt
    const jobDeps = { sql, db, log, nowMs: systemClock.nowMs, refreshTokens, adoptJournals }
    await stack.use(
      'jobs',
      () => startJobs(jobDeps),
      (jobs) => jobs.stop(),
    )
    data.presence.onBack(() => catchUp(relay, log))
    const isAway = () => data.presence.isAway || relay.receipts.status().failures > 0
    const http = await openHttp({ config, admin, relay, isAway, log, stack, sharesPort: given?.sharesPort ?? false })
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
  if (entry) relay.health.accountStored(id, entry.account.status)
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
}

/**
 * Changes made on any instance are heard within moments; after a gap in hearing everything is read again (KEY-3), and so it is when what was heard
 * could not be read: the database may have gone in between.
 */
function listen(sql: Sql, relay: OpenedRelay, hear: (change: Change) => Promise<void>, log: Log) {
  let isWaiting = false
  const failed = (error: unknown) => {
    log.error('a change could not be read; it is tried again', { error })
    if (isWaiting) return
    isWaiting = true
    setTimeout(() => {
      isWaiting = false
      readAgain(relay).catch(failed)
    }, READ_AGAIN_AFTER_MS).unref()
  }
  return listenForChanges(sql, {
    onChange: (change) => void hear(change).catch(failed),
    onReconnect: () => void readAgain(relay).catch(failed),
  })
}

const READ_AGAIN_AFTER_MS = 1000

async function readAgain(relay: OpenedRelay): Promise<void> {
  await Promise.all([relay.directory.load(), relay.reloadPrices()])
}

/** The database is back: what waits for it is written at once, and what was changed meanwhile is read (OPS-5). */
function catchUp(relay: OpenedRelay, log: Log): void {
  log.info('the database is back', { backlog: relay.receipts.status().backlog })
  relay.receipts.retry()
  readAgain(relay).catch((error) => log.error('what changed meanwhile could not be read', { error }))
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
