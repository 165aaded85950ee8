/** Puts the usage statistics together: what is remembered, and how it is read from the database (USE-5, USE-8). */
import type { Statistics } from '../admin/statistics.ts'
import { createStatsLoader } from '../admin/statistics-loader.ts'
import type { Config } from '../config.ts'
import type { Sql } from '../db/client.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createLiveStats } from '../state/live-stats.ts'

export interface StatisticsInput {
  config: Config
  sql: Sql
  log: Log
  flush(): Promise<void>
  clock?: Clock
}

export function openStatistics({ config, sql, log, flush, clock = systemClock }: StatisticsInput): Statistics {
  const { timezone: timeZone, statisticsDetails: mostDetails } = config
  const stats = createLiveStats({ timeZone, mostDetails })
  stats.enabled = config.statisticsEnabled
  const loader = createStatsLoader({ sql, stats, clock, log, timeZone, mostDetails })
  return { stats, loader, flush }
}
