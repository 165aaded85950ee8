/**
 * Puts the request path together: what the process remembers (state), the transport, the relay, and where its receipts go.
 * The relay never awaits SQL: everything from the database was loaded before or comes by `reload`; receipts leave through a batch.
 */

import type { Config } from '../config.ts'
import { deny } from '../core/denial.ts'
import type { Platform } from '../core/platform.ts'
import type { SendProbe } from '../core/probe.ts'
import { startApiKeyExpiry } from '../db/api-keys.ts'
import { systemClock } from '../lib/clock.ts'
import { hashApiKey } from '../lib/hash-api-key.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'
import { createWaitQueue, scheduleTimeout } from '../lib/wait-queue.ts'
import { createWatchdog } from '../lib/watchdog.ts'
import { PROTOCOLS } from '../protocols/table.ts'
import { providerFor } from '../providers/table.ts'
import { createFetchUpstream } from '../relay/fetch-upstream.ts'
import { createKeyInfo, type KeyInfo } from '../relay/key-info.ts'
import { createModels, type Models } from '../relay/models.ts'
import { createProbe } from '../relay/probe.ts'
import { createRelay, type Relay, type RelayDeps } from '../relay/relay.ts'
import { createSocketUpstream } from '../relay/socket-upstream.ts'
import type { Upstream } from '../relay/upstream.ts'
import type { CounterNews } from '../state/counter-news.ts'
import { createDirectory, type Directory, platformPool } from '../state/directory.ts'
import { createHealth, type Health } from '../state/health.ts'
import type { Prices } from '../state/price-book.ts'
import { createSticky } from '../state/sticky.ts'
import { createDirectoryLoader } from './directory-loader.ts'
import { openHealthKeeper } from './keep-health.ts'
import { type OpenedCredentials, openCredentials } from './open-credentials.ts'
import type { Data } from './open-data.ts'
import { openLimits } from './open-limits.ts'
import { openPrices } from './open-prices.ts'
import { type OpenedReceipts, openReceipts } from './open-receipts.ts'
import { outputPrice } from './output-price.ts'
import { toRelaySettings } from './relay-settings.ts'

export interface OpenedRelay {
  relay: Relay
  models: Models
  keyInfo: KeyInfo
  credentials: OpenedCredentials
  probe: SendProbe
  directory: Directory
  health: Health
  /** What changed behind the counters' back (top-ups, edits) is told here. */
  news: CounterNews
  /** `memory`, or how the shared counters are doing (OPS-5). */
  countersMode(): string
  prices: Prices
  /** Reads the operator's prices again (BIL-2). */
  reloadPrices(): Promise<void>
  /** Takes new run-time settings; requests under way keep what they have read. */
  configure(config: Config): void
  /** Refuses new requests from now on. */
  close(): void
  /** Requests that are not settled yet. */
  liveCount(): number
  /** Ends every request under way as if its client had left. */
  abortAll(): void
  receipts: OpenedReceipts
}

export async function openRelay(config: Config, data: Data, log: Log, stack: Stack): Promise<OpenedRelay> {
  const nowMs = () => systemClock.nowMs()
  const settings = toRelaySettings(config)
  const directory = createDirectory({
    loader: createDirectoryLoader(data.database.sql, data.box),
    hashKey: (secret) => hashApiKey(data.pepper, secret),
    poolsOf: (account) => (config.runMode === 'simple' ? simplePools(account.platform) : account.groupIds),
    nowMs,
  })
  await directory.load()
  const keeper = await openHealthKeeper({
    db: data.database.db,
    log,
    stack,
    blocksOf: (accountId) => health.describe(accountId).blocks,
    prefixOf: (accountId) => snapshotPrefix(directory, accountId),
  })
  const health: Health = createHealth({ pool: directory.pool, nowMs, onChange: keeper.note })
  const { prices, reload: reloadPrices } = await openPrices(data.database.db)
  const limits = await openLimits(config, data, directory, { log, stack })
  const receipts = await openReceipts({ config, sql: data.database.sql, log }, limits.news, stack)
  // Before anybody is served: what was used before a crash is part of limits and balances (BIL-7).
  if ((await receipts.adopt()) > 0) await directory.load()
  const watchdog = await stack.use(
    'time limits',
    () => createWatchdog({ nowMs }),
    (opened) => opened.stop(),
  )
  const upstream = await openUpstream(config, stack)
  const queue = createWaitQueue({ most: config.queueSize, schedule: scheduleTimeout })
  const onStored = (accountId: string) => directory.reload('account', accountId)
  const opened = openCredentials({ config, database: data.database, box: data.box, log, onStored })
  const { credentials } = opened
  let closed = false
  const deps: RelayDeps = {
    nowMs,
    settings,
    directory,
    health,
    sticky: createSticky({ nowMs }),
    queue,
    upstream,
    credentials,
    watchdog,
    live: new Set(),
    limiter: limits.limiter,
    findSubscription: directory.findSubscription,
    prices: (account) => prices.bookFor(account?.id ?? null),
    releaseSlot(exchange) {
      if (!exchange.entry) return
      directory.pool.release(exchange.entry)
      exchange.entry = null
      queue.offer()
    },
    accept(receipt, exchange) {
      const recorded = receipts.add(receipt)
      if (recorded) void recorded.then(() => deps.live.delete(exchange))
      else deps.live.delete(exchange)
      return recorded
    },
    closed: () => (closed ? deny('shutting_down', 'The gateway is restarting; try again.', 1) : receipts.refusal()),
    onFirstUse: createExpiryStarter(data, log),
    onCrash: (error, requestId) => log.error('request failed', { requestId, error }),
  }
  return {
    relay: createRelay(deps),
    keyInfo: createKeyInfo({
      directory,
      limiter: limits.limiter,
      loadTotals: limits.loadTotals,
      nowMs,
      timeZone: config.timezone,
    }),
    models: createModels({
      directory,
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
    directory,
    health,
    news: limits.news,
    countersMode: () => limits.counters.mode,
    prices,
    reloadPrices,
    configure: (changed) => void Object.assign(settings, toRelaySettings(changed)),
    close() {
      closed = true
    },
    liveCount: () => deps.live.size,
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
async function openUpstream(config: Config, stack: Stack): Promise<Upstream> {
  if (config.upstreamTransport === 'fetch') return createFetchUpstream()
  const connectTimeoutMs = config.connectTimeoutSeconds * 1000
  return stack.use(
    'upstream connections',
    () => createSocketUpstream({ connectTimeoutMs }),
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
