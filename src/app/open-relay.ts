/**
 * Puts the request path together: what the process remembers (state), the transport, the relay, and where its receipts go.
 * The relay never awaits SQL: everything from the database was loaded before or comes by `reload`; receipts leave through a batch.
 */

import type { Statistics } from '../admin/statistics.ts'
import type { Config } from '../config.ts'
import { deny } from '../core/denial.ts'
import type { Platform } from '../core/platform.ts'
import type { SendProbe, SendProxyProbe } from '../core/probe.ts'
import { startApiKeyExpiry } from '../db/api-keys.ts'
import { createByteBudget } from '../lib/byte-budget.ts'
import { systemClock } from '../lib/clock.ts'
import { hashApiKey } from '../lib/hash-api-key.ts'
import { newId } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import { createOutboundGate, type OutboundGate } from '../lib/outbound-gate.ts'
import type { OutboundPolicy } from '../lib/outbound-guard.ts'
import type { Stack } from '../lib/stack.ts'
import { createWaitQueue, scheduleTimeout } from '../lib/wait-queue.ts'
import { createWatchdog } from '../lib/watchdog.ts'
import { PROTOCOLS } from '../protocols/table.ts'
import { providerFor } from '../providers/table.ts'
import { createFetchUpstream } from '../relay/fetch-upstream.ts'
import { createKeyInfo, type KeyInfo } from '../relay/key-info.ts'
import { createLiveRequests, type LiveRequests } from '../relay/live-requests.ts'
import { createModels, type Models } from '../relay/models.ts'
import { createProbe } from '../relay/probe.ts'
import { createProxyProbe } from '../relay/probe-proxy.ts'
import { createRelay, type Relay, type RelayDeps } from '../relay/relay.ts'
import { createSocketUpstream } from '../relay/socket-upstream.ts'
import type { Upstream } from '../relay/upstream.ts'
import type { CounterNews } from '../state/counter-news.ts'
import { createDirectory, type Directory, platformPool } from '../state/directory.ts'
import { createHealth, type Health, type HealthChange } from '../state/health.ts'
import { createKeyAttempts, type KeyAttempts } from '../state/key-attempts.ts'
import { openSharing } from '../state/open-sharing.ts'
import type { Prices } from '../state/price-book.ts'
import { createDirectoryLoader } from './directory-loader.ts'
import { openHealthKeeper } from './keep-health.ts'
import { openRecordingKeeper } from './keep-recordings.ts'
import { type OpenedCredentials, openCredentials } from './open-credentials.ts'
import type { Data } from './open-data.ts'
import { type OpenedLimits, openLimits } from './open-limits.ts'
import { openPrices } from './open-prices.ts'
import { type OpenedReceipts, openReceipts } from './open-receipts.ts'
import { openStatistics } from './open-statistics.ts'
import { openTelemetry, type Telemetry } from './open-telemetry.ts'
import { outputPrice } from './output-price.ts'
import { addRelayGauges } from './relay-gauges.ts'
import { toRelaySettings } from './relay-settings.ts'

export interface OpenedRelay {
  relay: Relay
  models: Models
  keyInfo: KeyInfo
  credentials: OpenedCredentials
  probe: SendProbe
  probeProxy: SendProxyProbe
  directory: Directory
  /** Reads everything again, after changes may have been missed. */
  loadDirectory(): Promise<void>
  /** Its counts are for the metrics (KEY-14). */
  keyAttempts: KeyAttempts
  health: Health
  /** What changed behind the counters' back (top-ups, edits) is told here. */
  news: CounterNews
  /** Changes may have been missed: limits and money are read again before they are next relied on. */
  distrustCounters(): void
  /** What is counted of these keys now, by id (KEY-6). */
  keyUsages: OpenedLimits['keyUsages']
  /** `memory`, or how the shared counters are doing (OPS-5). */
  countersMode(): string
  telemetry: Telemetry
  /** Where accounts may lead; changes with the setting. */
  outbound: OutboundPolicy
  prices: Prices
  statistics: Statistics
  /** Reads the operator's prices again (BIL-2). */
  reloadPrices(): Promise<void>
  /** Takes new run-time settings; requests under way keep what they have read. */
  configure(config: Config): void
  /** Refuses new requests from now on. */
  close(): void
  /** Requests that are not settled yet. */
  liveCount(): number
  /** The same, to be looked at (USE-4). */
  liveRequests: LiveRequests
  /** Ends every request under way as if its client had left. */
  abortAll(): void
  receipts: OpenedReceipts
  isDatabaseAway(): boolean
}

/** How long a large request waits for room for its body (OPS-11). */
const BODY_PATIENCE_MS = 2000

export async function openRelay(config: Config, data: Data, log: Log, stack: Stack): Promise<OpenedRelay> {
  const nowMs = () => systemClock.nowMs()
  const settings = toRelaySettings(config)
  const directory = createDirectory({
    loader: createDirectoryLoader(data.database.sql, data.box),
    hashKey: (secret) => hashApiKey(data.pepper, secret),
    poolsOf: (account) => (config.runMode === 'simple' ? simplePools(account.platform) : account.groupIds),
    nowMs,
  })
  const telemetry = await openTelemetry(config, log, stack)
  const keeper = await openHealthKeeper({
    db: data.database.db,
    log,
    stack,
    everyMs: config.flushIntervalMs,
    blocksOf: (accountId) => health.describe(accountId).blocks,
    prefixOf: (accountId) => snapshotPrefix(directory, accountId),
  })
  const onChange = (change: HealthChange) => {
    if (change.block) telemetry.noteCooldown(change.block.cause)
    keeper.note(change)
  }
  const health: Health = createHealth({ pool: directory.pool, nowMs, onChange })
  const loadDirectory = async () => {
    await directory.load()
    for (const { account } of directory.pool.entries()) health.accountStored(account)
  }
  await loadDirectory()
  const { prices, reload: reloadPrices } = await openPrices(data.database.db)
  const limits = await openLimits(config, data, directory, { log, stack })
  const recordings = await openRecordingKeeper({ sql: data.database.sql, log, stack })
  const statistics = openStatistics({ config, sql: data.database.sql, log, flush: () => receipts.flush() })
  const listeners = [limits.news, statistics.stats]
  const receipts = await openReceipts({ config, sql: data.database.sql, log }, listeners, stack)
  // Before anybody is served: what was used before a crash is part of limits and balances (BIL-7).
  if ((await receipts.adopt()) > 0) await loadDirectory()
  const watchdog = await stack.use(
    'time limits',
    () => createWatchdog({ nowMs }),
    (opened) => opened.stop(),
  )
  const outbound = { allowPrivate: config.allowPrivateUpstreams }
  const gate = createOutboundGate({
    policy: outbound,
    nowMs,
    onRefused: (error) => log.warn('an upstream address is refused', { error: error.message }),
  })
  const upstream = await openUpstream(config, stack, gate)
  const bodies = createByteBudget({
    mostBytes: config.maxBodyMemoryBytes,
    patienceMs: BODY_PATIENCE_MS,
    schedule: scheduleTimeout,
  })
  const queue = createWaitQueue({ most: config.queueSize, schedule: scheduleTimeout })
  const { slots, sticky, joined } = await stack.use(
    'shared slots and sessions',
    () =>
      openSharing({
        redisUrl: config.redisUrl,
        pool: directory.pool,
        counters: limits.counters.counters,
        nowMs,
        newId: () => newId(nowMs()),
        onFree: queue.offer,
        onConnectionError: (error) => log.debug('redis', { error }),
      }),
    (opened) => opened.stop(),
  )
  await joined
  const onStored = (accountId: string) => directory.reload('account', accountId)
  const opened = openCredentials({ config, database: data.database, box: data.box, log, onStored, gate })
  const { credentials } = opened
  const keyAttempts = createKeyAttempts({
    clock: systemClock,
    onSlowed: (clientIp) => log.warn('wrong API keys from one address are slowed', { clientIp }),
  })
  let closed = false
  const deps: RelayDeps = {
    nowMs,
    settings,
    directory,
    keyAttempts,
    health,
    slots,
    sticky,
    queue,
    bodies,
    upstream,
    credentials,
    watchdog,
    live: new Set(),
    limiter: limits.limiter,
    findSubscription: directory.findSubscription,
    prices: (account) => prices.bookFor(account?.id ?? null),
    accept(receipt, exchange) {
      const recorded = receipts.add(receipt)
      if (recorded) void recorded.then(() => deps.live.delete(exchange))
      else deps.live.delete(exchange)
      statistics.stats.record(receipt)
      if (exchange.recording) recordings.add(exchange.recording.finish(exchange))
      telemetry.note(receipt, exchange)
      return recorded
    },
    closed: () => (closed ? deny('shutting_down', 'The gateway is restarting; try again.', 1) : receipts.refusal()),
    onUnauthenticated: telemetry.noteRefusedKey,
    onFirstUse: createExpiryStarter(data, log),
    onCrash: (error, requestId) => log.error('request failed', { requestId, error }),
  }
  const shown = {
    liveCount: () => deps.live.size,
    isDatabaseAway: () => data.presence.isAway || receipts.status().failures > 0,
    countersMode: () => limits.counters.mode,
    receipts,
  }
  addRelayGauges(telemetry, { ...shown, queued: () => queue.size, pool: directory.pool, bodies })
  return {
    ...shown,
    relay: createRelay(deps),
    keyInfo: createKeyInfo({
      directory,
      keyAttempts,
      limiter: limits.limiter,
      loadTotals: limits.loadTotals,
      nowMs,
      timeZone: config.timezone,
    }),
    models: createModels({
      directory,
      keyAttempts,
      upstream,
      credentials,
      simple: config.runMode === 'simple',
      nowMs,
      pricedModels: prices.modelsOf,
    }),
    credentials: opened,
    probe: createProbe({
      upstream,
      credentials,
      priceOf: (account, model) => outputPrice(prices.bookFor(account.id), account, model),
    }),
    probeProxy: createProxyProbe({ upstream }),
    directory,
    loadDirectory,
    keyAttempts,
    health,
    news: limits.news,
    distrustCounters: limits.limiter.distrust,
    keyUsages: limits.keyUsages,
    telemetry,
    outbound,
    prices,
    statistics,
    reloadPrices,
    configure(changed) {
      Object.assign(settings, toRelaySettings(changed))
      statistics.loader.enable(changed.statisticsEnabled)
      outbound.allowPrivate = changed.allowPrivateUpstreams
    },
    close() {
      closed = true
    },
    liveRequests: createLiveRequests(deps),
    abortAll() {
      settings.onClientDisconnect = 'abort'
      for (const exchange of deps.live) {
        exchange.clientGone = true
        exchange.onClientGone?.()
      }
    },
    receipts,
  }
}

/** Which transport carries the calls (`UPSTREAM_TRANSPORT`); both pass one conformance suite. */
async function openUpstream(config: Config, stack: Stack, gate: OutboundGate): Promise<Upstream> {
  if (config.upstreamTransport === 'fetch') return createFetchUpstream(gate)
  const connectTimeoutMs = config.connectTimeoutSeconds * 1000
  return stack.use(
    'upstream connections',
    () => createSocketUpstream({ connectTimeoutMs }, gate),
    (opened) => opened.close(),
  )
}

/** Without groups an account stands in the pool of every protocol that it can serve: Bedrock's beside Anthropic's own (ACC-13, ACC-16). */
function simplePools(platform: Platform): string[] {
  const protocols = Object.values(PROTOCOLS).filter((protocol) => protocol.platforms.includes(platform))
  return [...new Set(protocols.map((protocol) => platformPool(protocol.platform)))]
}

function createExpiryStarter(data: Data, log: Log) {
  const started = new Set<string>()
  return (keyId: string, nowMs: number) => {
    if (started.has(keyId)) return
    started.add(keyId)
    startApiKeyExpiry(data.database.db, keyId, new Date(nowMs)).catch((error) => {
      started.delete(keyId)
      log.error('the expiry of a key could not be started', { keyId, error })
    })
  }
}

function snapshotPrefix(directory: Directory, accountId: string): string | null {
  const account = directory.pool.get(accountId)?.account
  return account ? (providerFor(account.platform, account.type)?.snapshotPrefix ?? null) : null
}
