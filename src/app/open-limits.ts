/** Opens the counters behind limits and money, in memory or shared through Redis (OPS-3, OPS-5), and what has to hear of changes. */
import type { Config } from '../config.ts'
import { loadLimitTotals } from '../db/limit-totals.ts'
import { systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'
import { within } from '../lib/within.ts'
import { type CounterNews, createCounterNews } from '../state/counter-news.ts'
import type { Directory } from '../state/directory.ts'
import { createLimiter, type Limiter } from '../state/limiter.ts'
import { type OpenCounters, openCounters } from '../state/open-counters.ts'
import type { TotalsLoader } from '../state/totals.ts'
import type { Data } from './open-data.ts'

/** A request waits for it: a database that hangs must not hold it up for longer. */
const LOADED_WITHIN_MS = 2000

export interface OpenedLimits {
  limiter: Limiter
  /** Totals of keys and payers in the database. */
  loadTotals: TotalsLoader
  news: CounterNews
  counters: OpenCounters
}

export async function openLimits(
  config: Config,
  data: Data,
  directory: Directory,
  { log, stack }: { log: Log; stack: Stack },
): Promise<OpenedLimits> {
  const nowMs = () => systemClock.nowMs()
  const counters = await stack.use(
    'counters',
    () =>
      openCounters({
        redisUrl: config.redisUrl,
        redisDown: config.redisDown,
        nowMs,
        onModeChange: (mode, error) => log.warn('limits are counted elsewhere', { mode, error }),
        onConnectionError: (error) => log.debug('redis', { error }),
      }),
    (opened) => opened.stop(),
  )
  const loadTotals: TotalsLoader = async (query) => {
    if (data.presence.isAway) throw new Error('the database is away')
    const loading = loadLimitTotals(data.database.sql, query, config.timezone)
    return within(LOADED_WITHIN_MS, loading, 'reading totals')
  }
  const limiter = createLimiter({
    counters: counters.counters,
    loadTotals,
    nowMs,
    timeZone: config.timezone,
    onLoadFailure: (error) => log.error('totals behind limits could not be read; the last known go on', { error }),
  })
  const { findKey, findUser } = directory
  return { limiter, loadTotals, counters, news: createCounterNews({ counters: counters.counters, findKey, findUser }) }
}
