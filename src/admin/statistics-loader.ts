/**
 * Brings the database's statistics into memory, and keeps them right (USE-8).
 *
 * At start, and when statistics are switched on again: sums from the rollups and imports, the newest details from the usage log and the imports.
 * Until it is done, requests are counted all the same. After an import, here or elsewhere: the same, as what is known stays.
 *
 * Several instances: sums are of all of them. Each knows its own requests at once, and reads those of the others when a snapshot is asked for, at
 * most every REFRESH_MS, with their details. A single instance reads again only when it was told that it knows too little (`distrust`).
 * If it fails: `ready` rejects when nothing was ever loaded (it is tried again by itself); later the figures known last are given.
 */
import type { DetailList } from '../core/detail-list.ts'
import type { FileSeries } from '../core/stats-file.ts'
import { countListeners } from '../db/changes.ts'
import type { Sql } from '../db/client.ts'
import { readStatsBase } from '../db/statistics-base.ts'
import { type KeyedDetail, readImportedDetails, readOwnDetails } from '../db/statistics-details.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { LiveStats } from '../state/live-stats.ts'

export interface StatsLoaderDeps {
  sql: Sql
  stats: LiveStats
  clock: Clock
  log: Log
  timeZone: string
  mostDetails: number
}

export interface StatsLoader {
  /** Resolves when what is in memory is what the database knows, or was moments ago. */
  ready(): Promise<void>
  /** An import's notice, or one may have been missed: everything is read again, unless it was made here. */
  heardOfImport(id: string): Promise<void>
  /** Records came into the database of which nothing was told here: all is read again when somebody looks. */
  distrust(): void
  /** After an import made here: its details are at hand. */
  imported(details: DetailList, series: readonly FileSeries[]): Promise<void>
  /** Remembers an import that is made here, before anybody can hear of it. */
  importing(id: string): void
  /** Loads in the background until it has succeeded once. */
  start(): void
  enable(on: boolean): void
  stop(): Promise<void>
}

/** Details that a start reads back: some seconds in the background. */
const MOST_OWN_DETAILS = 200_000
const MOST_IMPORTED_DETAILS = 500_000
const REFRESH_MS = 10_000
/** A request shows in the log when it ends, by the time it began: so far back a refresh looks again. */
const LONGEST_REQUEST_MS = 2 * 3_600_000
const RETRY_MS = 5000
/** Merging goes on for so long before everybody else has a turn. */
const SLICE_MS = 5

export function createStatsLoader(deps: StatsLoaderDeps): StatsLoader {
  const { sql, stats, clock, log, timeZone, mostDetails } = deps
  let loadedAtMs: number | null = null
  /** One that comes while something is read is not answered by that reading. */
  let doubts = 0
  let doubtsMet = 0
  let wanted = false
  let stopped = false
  let ownImport = ''
  let retry: ReturnType<typeof setTimeout> | null = null
  /** One at a time, in order: a rebase must not meet another. */
  let last: Promise<void> = Promise.resolve()

  function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = last.then(() => (stopped ? undefined : work()))
    last = turn.catch(() => {})
    return turn
  }

  async function rebase(): Promise<void> {
    const rebasing = stats.rebase()
    try {
      const { base, held } = await readStatsBase(sql, { timeZone, onSnapshot: rebasing.mark })
      rebasing.finish(base, held)
    } catch (error) {
      rebasing.abandon()
      throw error
    }
  }

  const merge = (portions: Portions) =>
    mergeTogether(stats, portions, { most: mostDetails + PORTION, isStopped: () => stopped })

  async function load(sinceMs: number): Promise<void> {
    const startedAtMs = clock.nowMs()
    const doubtsBefore = doubts
    await rebase()
    if (mostDetails > 0) {
      await merge(readOwnDetails(sql, { sinceMs, limit: MOST_OWN_DETAILS }))
      if (sinceMs === 0) await merge(readImportedDetails(sql, { mostOfOne: mostDetails, most: MOST_IMPORTED_DETAILS }))
    }
    loadedAtMs = startedAtMs
    doubtsMet = doubtsBefore
  }

  async function refreshed(): Promise<void> {
    if (!stats.enabled) return
    if (loadedAtMs === null) return load(0)
    const isDoubted = doubtsMet < doubts
    if (!isDoubted && clock.nowMs() - loadedAtMs < REFRESH_MS) return
    try {
      if (isDoubted) await load(0)
      else if ((await countListeners(sql)) > 1) await load(loadedAtMs - LONGEST_REQUEST_MS)
    } catch (error) {
      log.warn('newer statistics could not be read; the last known are given', { error })
    }
  }

  function start(): void {
    if (stopped || !stats.enabled) return
    inTurn(() => (loadedAtMs === null ? load(0) : Promise.resolve())).catch((error) => {
      log.error('statistics could not be read from the database yet', { error })
      retry = setTimeout(start, RETRY_MS)
    })
  }

  return {
    ready: () => inTurn(refreshed),
    importing(id) {
      ownImport = id
    },
    heardOfImport(id) {
      if (id === ownImport || !stats.enabled) return Promise.resolve()
      loadedAtMs = null
      return inTurn(() => load(0))
    },
    distrust() {
      doubts++
    },
    imported: (details, series) =>
      inTurn(async () => {
        if (!stats.enabled) return
        if (loadedAtMs === null) return load(0)
        await rebase()
        await merge(portionsOf(details, series))
      }),
    start() {
      wanted = true
      start()
    },
    enable(on) {
      if (stats.enabled === on) return
      stats.enabled = on
      if (!on) return
      loadedAtMs = null
      if (wanted) start()
    },
    async stop() {
      stopped = true
      if (retry) clearTimeout(retry)
      await last
    },
  }
}

interface Merging {
  /** At once. */
  most: number
  isStopped(): boolean
}

type Portions = AsyncIterable<KeyedDetail[]> | Iterable<KeyedDetail[]>
const PORTION = 1000

function* portionsOf(details: DetailList, series: readonly FileSeries[]): Generator<KeyedDetail[]> {
  for (let from = 0; from < details.count; from += PORTION) {
    const length = Math.min(PORTION, details.count - from)
    yield Array.from({ length }, (_, index) => {
      const { key, model } = series[details.seriesAt(from + index)] as FileSeries
      return { key, model, detail: details.at(from + index) }
    })
  }
}

/** A key and model's details come together: as many are merged at once as make it worth the sorting. */
async function mergeTogether(stats: LiveStats, portions: Portions, { most, isStopped }: Merging): Promise<void> {
  let [key, model] = ['', '']
  let details: KeyedDetail['detail'][] = []
  let sliceEnd = performance.now() + SLICE_MS
  for await (const portion of portions) {
    if (isStopped()) return
    for (const next of portion) {
      if (next.key !== key || next.model !== model || details.length === most) {
        stats.mergeDetails(key, model, details)
        ;[key, model, details] = [next.key, next.model, []]
        if (performance.now() > sliceEnd) {
          await new Promise(setImmediate)
          sliceEnd = performance.now() + SLICE_MS
        }
      }
      details.push(next.detail)
    }
  }
  stats.mergeDetails(key, model, details)
}
