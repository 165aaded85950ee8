/**
 * Looks at the usage journals of an installation (OPS-1) without touching them: can they be read, how much waits, since when? That records
 * wait in the journal of a running gateway is as it should be, for a moment.
 *
 * If it fails: what can't be read is a finding.
 */
import { join } from 'node:path'
import { recordedInLine } from '../db/receipt-rows.ts'
import { createJournal } from '../lib/journal.ts'
import { isJournalFolderHeld, listDamagedJournals, listJournalFolders } from '../lib/journal-folders.ts'
import type { Finding } from './doctor.ts'

const WHAT = 'journal'
/** Flushes are a second apart; beyond this the database takes nothing. */
const LONGEST_WAIT_MS = 60_000

/** `home`: the folder of the journals. */
export async function examineJournals(home: string, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    for (const name of listJournalFolders(home)) {
      const waiting = await lookAt(join(home, name))
      if (waiting) findings.push(toFinding(waiting, isJournalFolderHeld(home, name), nowMs))
    }
    for (const name of listDamagedJournals(home)) findings.push(damageIn(join(home, 'damaged', name)))
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`
    findings.push({ what: WHAT, message, advice: 'see to the permissions and the disk of DATA_DIR' })
  }
  return findings.length > 0 ? findings : [{ what: WHAT, message: 'nothing waits for the database', advice: null }]
}

interface Waiting {
  records: number
  bytes: number
  damagedBytes: number
  oldestMs: number
}

/** Null: nothing is in it. */
async function lookAt(directory: string): Promise<Waiting | null> {
  const journal = createJournal({ directory, segmentBytes: Number.POSITIVE_INFINITY, syncMs: 1000 })
  const waiting: Waiting = { records: 0, bytes: journal.bytes, damagedBytes: 0, oldestMs: Number.POSITIVE_INFINITY }
  for (let position = 0; position < journal.end; ) {
    const { texts, next, damagedBytes } = await journal.read(position, 1000)
    for (const text of texts) waiting.oldestMs = Math.min(waiting.oldestMs, recordedInLine(text).createdAtMs)
    waiting.records += texts.length
    waiting.damagedBytes += damagedBytes
    position = next
  }
  return waiting.records + waiting.damagedBytes === 0 ? null : waiting
}

function toFinding({ records, bytes, damagedBytes, oldestMs }: Waiting, isHeld: boolean, nowMs: number): Finding {
  const since = Number.isFinite(oldestMs) ? `, the oldest since ${new Date(oldestMs).toISOString()}` : ''
  const damage = damagedBytes > 0 ? `; ${damagedBytes} bytes are damaged` : ''
  const message = `${records} records wait for the database (${bytes} bytes${since}${damage})`
  if (!isHeld) return { what: WHAT, message, advice: 'start turnpike serve: it writes them to the database first' }
  const isLate = nowMs - oldestMs > LONGEST_WAIT_MS
  const advice = 'a gateway runs but the database takes no records: see its log and /readyz'
  return { what: WHAT, message, advice: isLate || damagedBytes > 0 ? advice : null }
}

function damageIn(path: string): Finding {
  const message = `a damaged one was put aside in ${path}; what could be read of it is in the database`
  return { what: WHAT, message, advice: 'look at it and at the disk, then delete it' }
}
