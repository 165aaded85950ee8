/**
 * Usage statistics as an operator meets them (USE-5, USE-7): the snapshot, the switch, export and import. API and command line call the same.
 *
 * Off: nothing is counted, the snapshot stays as it was. The usage log goes on, so on again everything is there, as after a restart (USE-8).
 */
import { conflict, type Fault, invalid, isFault } from '../core/fault.ts'
import { readStatsFile, type StatsFile } from '../core/stats-file.ts'
import { StatsFileError } from '../core/stats-file-checks.ts'
import type { Sql } from '../db/client.ts'
import { type ImportResult, importStatsFile } from '../db/statistics-import.ts'
import { newId } from '../lib/ids.ts'
import { createJsonInput } from '../lib/json-input.ts'
import type { LiveStats } from '../state/live-stats.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import type { SettingsAdmin } from './settings.ts'
import type { StatsLoader } from './statistics-loader.ts'
import { exportText, snapshotText } from './statistics-text.ts'

export interface StatisticsDeps {
  sql: Sql
  timeZone: string
  statistics: Statistics
}

export interface Statistics {
  stats: LiveStats
  loader: StatsLoader
  /** Writes the receipts that wait, so that an import can tell this gateway's own details. */
  flush(): Promise<void>
}

/** How far an import is: bytes of the file, then details that go to the database; `of` is null when nobody knows. */
export interface ImportProgress {
  what: 'bytes' | 'details'
  done: number
  of: number | null
}

export interface ImportSource {
  chunks: AsyncIterable<Uint8Array>
  onProgress?(progress: ImportProgress): void
}

export type StatisticsAdmin = ReturnType<typeof createStatisticsAdmin>

/** Bytes given to the reader at once: a fraction of a millisecond. */
const PIECE_BYTES = 64 * 1024
const SLICE_MS = 5

export function createStatisticsAdmin(
  deps: Pick<AdminDeps, 'clock'> & StatisticsDeps & { settings: Pick<SettingsAdmin, 'patch'> },
) {
  const { sql, clock, timeZone, settings, statistics } = deps
  const { stats, loader, flush } = statistics
  let importing = false

  async function readAndStore(
    actor: Actor,
    { chunks, onProgress = () => {} }: ImportSource,
  ): Promise<ImportResult | Fault> {
    try {
      const file = await readFile(chunks, timeZone, onProgress)
      const of = file.details.count
      const onStaged = (done: number) => onProgress({ what: 'details', done, of })
      await flush()
      const id = newId()
      loader.importing(id)
      const result = await importStatsFile(sql, { id, file, timeZone, actor, onStaged })
      await loader.imported(file.details, file.series)
      return result
    } catch (error) {
      if (error instanceof StatsFileError) return invalid(error.field, error.message)
      throw error
    }
  }

  return {
    /** Of each model the newest details; null: all that are kept. */
    async snapshot(mostDetails: number | null): Promise<Generator<string>> {
      await loader.ready()
      return snapshotText(stats.freeze(mostDetails !== 0), mostDetails)
    },

    async export(): Promise<Generator<string>> {
      await loader.ready()
      return exportText(stats.freeze(true), new Date(clock.nowMs()))
    },

    async setEnabled(actor: Actor, enabled: boolean): Promise<{ enabled: boolean } | Fault | null> {
      const result = await settings.patch(actor, { statistics_enabled: enabled })
      if (result === null || isFault(result)) return result
      loader.enable(enabled)
      return { enabled }
    },

    /** A file that is no JSON throws a JsonInputError; one that says something impossible is a Fault. Nothing of either is stored. */
    async importFrom(actor: Actor, source: ImportSource): Promise<ImportResult | Fault> {
      // A file may hold 250 MB of memory while it is read: one at a time.
      if (importing) return conflict(null, 'another import is under way; try again when it is done')
      importing = true
      try {
        return await readAndStore(actor, source)
      } finally {
        importing = false
      }
    },
  }
}

async function readFile(
  chunks: AsyncIterable<Uint8Array>,
  timeZone: string,
  onProgress: (progress: ImportProgress) => void,
): Promise<StatsFile> {
  const input = createJsonInput()
  const steps = readStatsFile(input, timeZone)
  let step = steps.next()
  let done = 0
  let sliceEnd = performance.now() + SLICE_MS
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
      input.give(chunk.subarray(from, from + PIECE_BYTES))
      step = steps.next()
      if (performance.now() < sliceEnd) continue
      await new Promise(setImmediate)
      sliceEnd = performance.now() + SLICE_MS
    }
    done += chunk.length
    onProgress({ what: 'bytes', done, of: null })
  }
  input.end()
  while (!step.done) step = steps.next()
  return step.value
}
