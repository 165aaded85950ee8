/**
 * Brings journals into the database that were left by processes that died, ours or siblings' on the same DATA_DIR (OPS-1, BIL-13).
 *
 * Each is adopted by exactly one process. What the database has already is not counted again, so it does not matter how far the dead one got.
 * If it fails: rejects; the journal is given back and stays whole, for the next try or somebody else.
 */

import { createJournal } from '../lib/journal.ts'
import { adoptJournalFolder, type JournalFolder } from '../lib/journal-folders.ts'
import type { Log } from '../lib/log.ts'

export interface ReplayDeps {
  /** Folder of the journals. */
  home: string
  /** Writes lines to the database. */
  store(lines: readonly string[]): Promise<void>
  linesAtOnce: number
  log: Log
}

/** How many records were read; they may have been in the database already. */
export async function replayJournals(deps: ReplayDeps): Promise<number> {
  let records = 0
  for (let folder = adoptJournalFolder(deps.home); folder; folder = adoptJournalFolder(deps.home)) {
    try {
      records += await replay(deps, folder)
    } catch (error) {
      folder.release()
      throw error
    }
  }
  return records
}

async function replay({ store, linesAtOnce, log }: ReplayDeps, folder: JournalFolder): Promise<number> {
  const journal = createJournal({ directory: folder.path, segmentBytes: Number.POSITIVE_INFINITY, syncMs: 1000 })
  if (journal.bytes > 0) log.info('a usage journal was left; it is written to the database', { bytes: journal.bytes })
  let [records, damagedBytes, position] = [0, 0, 0]
  while (position < journal.end) {
    const read = await journal.read(position, linesAtOnce)
    if (read.texts.length > 0) await store(read.texts)
    records += read.texts.length
    damagedBytes += read.damagedBytes
    position = read.next
  }
  if (damagedBytes === 0) folder.remove()
  else {
    log.error('a usage journal is damaged; what could be read is in the database', {
      damagedBytes,
      folder: folder.name,
    })
    folder.keepDamaged()
  }
  if (records > 0) log.info('a usage journal was written to the database', { records })
  return records
}
