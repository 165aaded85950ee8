/** Opens the counters behind limits and money, in memory or shared through Redis (OPS-3, OPS-5), and what has to hear of changes. */
import { loadLimitTotals } from '../db/limit-totals.ts'
import { systemClock } from '../lib/clock.ts'
import { within } from '../lib/within.ts'
import { type CounterNews, createCounterNews } from '../state/counter-news.ts'
import type { Directory } from '../state/directory.ts'
import type { KeyUsage } from '../state/key-usage.ts'
import { createLimiter, type Limiter } from '../state/limiter.ts'
import { type OpenCounters, openCounters } from '../state/open-counters.ts'
import type { TotalsLoader } from '../state/totals.ts'
import type { Ground } from './ground.ts'

/** A request waits for it: a database that hangs must not hold it up for longer. */
const LOADED_WITHIN_MS = 2000

export interface OpenedLimits {
  limiter: Limiter
  /** Totals of keys and payers in the database. */
  loadTotals: TotalsLoader
  news: CounterNews
  counters: OpenCounters
  /** What is counted of these keys now, by id (KEY-6). */
  keyUsages(ids: readonly string[]): Promise<ReadonlyMap<string, KeyUsage>>
}

export async function openLimits(ground: Ground, directory: Directory): Promise<OpenedLimits> {
  const { config, data, log, stack } = ground
  const { nowMs } = systemClock
  let limiter: Limiter | null = null
  const counters = await stack.use(
    'counters',
    () =>
      openCounters({
        redisUrl: config.redisUrl,
        redisDown: config.redisDown,
        timeoutMs: config.redisTimeoutSeconds * 1000,
        leaseMs: config.holdLeaseSeconds * 1000,
        nowMs,
        onModeChange: (mode, error) => log.warn('limits are counted elsewhere', { mode, error }),
        onConnectionError: (error) => log.debug('redis', { error }),
        onConnected: () => limiter?.distrust(),
      }),
    (opened) => opened.stop(),
  )
  await counters.joined
  const loadTotals: TotalsLoader = async (query) => {
    if (data.presence.isAway) throw new Error('the database is away')
    const loading = loadLimitTotals(data.database.sql, query, config.timezone)
    return within(LOADED_WITHIN_MS, loading, 'reading totals')
  }
  limiter = createLimiter({
    counters: counters.counters,
    loadTotals,
    nowMs,
    timeZone: config.timezone,
    onLoadFailure: (error) => log.error('totals behind limits could not be read; the last known go on', { error }),
  })
  // What others counted before this start, and what happened while nobody listened, is no more certain than after any other gap.
  if (config.redisUrl !== null) limiter.distrust()
  const { findKey, findUser } = directory
  const keysOf = (ids: readonly string[]) => ids.flatMap((id) => findKey(id)?.key ?? [])
  const { usagesOf } = limiter
  return {
    limiter,
    loadTotals,
    counters,
    news: createCounterNews({ counters: counters.counters, findKey, findUser }),
    keyUsages: (ids) => usagesOf(keysOf(ids)),
  }
}
