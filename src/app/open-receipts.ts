/**
 * Where receipts go: into the journal at once, from there to the database in batches (USE-9, OPS-1).
 *
 * A receipt becomes a line once; that text is what the journal keeps and what the flush sends. When `add` returns, the line was given to the
 * kernel: it outlives the process (BIL-13). A power cut may take the last JOURNAL_SYNC_MS; with JOURNAL_SYNC=each the client's end waits for
 * the disk.
 *
 * If it fails: the database away – lines wait in the journal, the newest also in memory; the journal full or the disk without room –
 * JOURNAL_FULL says whether new requests are refused (those under way are still recorded) or served, unrecorded as soon as memory has no
 * room either. Both heal by themselves. One that the database can never take is logged whole, so that it is not lost without a word.
 */
import type { Config } from '../config.ts'
import { type Denial, deny } from '../core/denial.ts'
import { type Receipt, type RecordedReceipt, recordedOf } from '../core/receipt.ts'
import type { Sql } from '../db/client.ts'
import { fieldsOf, receiptLine, recordedInLine } from '../db/receipt-rows.ts'
import { findFault, insertReceiptLines } from '../db/receipts.ts'
import { systemClock } from '../lib/clock.ts'
import { createJournal } from '../lib/journal.ts'
import { takeJournalFolder } from '../lib/journal-folders.ts'
import type { Log } from '../lib/log.ts'
import { createSpool } from '../lib/spool.ts'
import type { Stack } from '../lib/stack.ts'
import { within } from '../lib/within.ts'
import { journalHome } from './journal-home.ts'
import { replayJournals } from './journal-replay.ts'

export interface OpenedReceipts {
  /** A promise only when the client has to wait for the disk; it never rejects. */
  add(receipt: Receipt): Promise<void> | null
  /** Why new requests are refused; null: they are not. */
  refusal(): Denial | null
  /** Brings the journals into the database that dead processes have left, ours or siblings'; how many records were in them. */
  adopt(): Promise<number>
  /** Tries at once what waits after a failure. */
  retry(): void
  /** Writes all that waits; resolves when it is written or has failed once more. */
  flush(): Promise<void>
  status(): ReceiptsStatus
}

export interface ReceiptsStatus {
  /** Records that wait for the database, and for how long the oldest does. */
  backlog: number
  lagMs: number
  /** Of them, those in memory alone. */
  unjournaled: number
  journalBytes: number
  /** Why the journal takes nothing; null: it does. */
  journalFault: string | null
  /** Failed flushes in a row. */
  failures: number
  /** Requests served without a record since the start (JOURNAL_FULL=unmetered). */
  dropped: number
  /** Are new requests refused? */
  refusing: boolean
}

/** Whoever wants to know that records are in the database, or never will be. */
export interface ReceiptListener {
  flushed(recorded: readonly RecordedReceipt[]): void | Promise<void>
}

interface Deps {
  config: Config
  sql: Sql
  log: Log
}

/** Small enough that little comes again after a crash; a full journal is some hundred files. */
const SEGMENT_BYTES = 4 * 1024 * 1024
const RECENT_ITEMS = 5000
const LOOSE_ITEMS = 20_000
const CLOSE_WITHIN_MS = 15_000
/** The server gives up on a statement after two minutes by itself; a connection that hangs is given up here. */
const STORED_WITHIN_MS = 150_000
const LONGEST_PAUSE_MS = 5000
const TELL_DROPPED_EVERY_MS = 10_000

export async function openReceipts(
  deps: Deps,
  listeners: readonly ReceiptListener[],
  stack: Stack,
): Promise<OpenedReceipts> {
  const { config, log } = deps
  /** What is written stays written, whatever those who hear of it do. */
  const tell = async (recorded: readonly RecordedReceipt[]) => {
    for (const listener of listeners) {
      try {
        await listener.flushed(recorded)
      } catch (error) {
        log.error('written usage records could not be taken note of', { records: recorded.length, error })
      }
    }
  }
  const store = async (lines: readonly string[], recorded: readonly RecordedReceipt[]) => {
    await storeLines(deps, lines)
    await tell(recorded)
  }
  const { spool, journal } = await stack.use(
    'usage records',
    () => openSpool(deps, store),
    (opened) => opened.close(),
  )
  const tellDropped = createRareTeller(() =>
    log.error('requests are served without a record: the journal and the memory behind it are full', {
      dropped: spool.dropped,
    }),
  )
  /** False: it will never be in the database. Whoever would wait for it is told, after the step that ends its request. */
  function keep(receipt: Receipt): boolean {
    const reason = findFault(receipt)
    if (reason !== null) {
      log.error('a usage record cannot be true', { requestId: receipt.id, reason, receipt })
      return false
    }
    const isKept = spool.add(receiptLine(receipt), recordedOf(receipt))
    if (!isKept) tellDropped()
    return isKept
  }
  const isRefusing = () => config.journalFull === 'refuse' && spool.isFull
  return {
    add(receipt) {
      if (!keep(receipt)) queueMicrotask(() => void tell([recordedOf(receipt)]))
      return config.journalSync === 'each' ? untilSynced(journal.synced(), log) : null
    },
    refusal: () => (isRefusing() ? deny('journal_full', FULL, 5) : null),
    adopt: () =>
      replayJournals({
        home: journalHome(config),
        store: (lines) => store(lines, lines.map(recordedInLine)),
        linesAtOnce: config.flushSize,
        log,
      }),
    retry: () => void spool.flush(),
    flush: spool.flush,
    status: () => ({
      backlog: spool.backlog,
      lagMs: spool.waitingSinceMs === null ? 0 : Math.max(0, systemClock.nowMs() - spool.waitingSinceMs),
      unjournaled: spool.loose,
      journalBytes: journal.bytes,
      journalFault: journal.fault ?? (spool.isFull ? 'JOURNAL_MAX_BYTES is reached' : null),
      failures: spool.failures,
      dropped: spool.dropped,
      refusing: isRefusing(),
    }),
  }
}

const FULL = 'The gateway cannot record usage at the moment; try again.'

function openSpool({ config, log }: Deps, store: (lines: string[], recorded: RecordedReceipt[]) => Promise<void>) {
  const folder = takeJournalFolder(journalHome(config), systemClock.nowMs())
  const journal = createJournal({
    directory: folder.path,
    segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(config.journalMaxBytes / 8)),
    syncMs: config.journalSyncMs,
    onFaultChange: (fault) =>
      fault === null
        ? log.info('the journal takes records again')
        : log.error('the journal takes no records', { fault }),
  })
  const spool = createSpool<RecordedReceipt>({
    journal,
    parse: recordedInLine,
    timeOf: ({ createdAtMs }) => createdAtMs,
    write: (items) =>
      store(
        items.map(({ text }) => text),
        items.map(({ item }) => item),
      ),
    mostItems: config.flushSize,
    everyMs: config.flushIntervalMs,
    longestPauseMs: LONGEST_PAUSE_MS,
    mostBytes: config.journalMaxBytes,
    recentItems: Math.max(RECENT_ITEMS, 2 * config.flushSize),
    looseItems: LOOSE_ITEMS,
    nowMs: systemClock.nowMs,
    onFailure: (error, backlog) => log.error('usage records could not be written; they are kept', { backlog, error }),
    onDamage: (bytes) => log.error('the usage journal is damaged; the rest of it is read', { bytes }),
  })
  async function close(): Promise<void> {
    await spool.close(CLOSE_WITHIN_MS)
    await journal.close()
    const lost = spool.looseTexts()
    for (const text of lost) log.error('a usage record found no room on the disk', { record: fieldsOf(text) })
    const records = spool.backlog - lost.length
    if (records === 0) folder.remove()
    else log.warn('usage records wait in the journal for the next start', { records })
  }
  return { spool, journal, close }
}

async function storeLines({ sql, config, log }: Deps, lines: readonly string[]): Promise<void> {
  const inserting = insertReceiptLines(sql, lines, { timeZone: config.timezone })
  const { rejected } = await within(STORED_WITHIN_MS, inserting, 'writing usage records')
  for (const { line, reason } of rejected) {
    log.error('a usage record was refused by the database', { reason, record: fieldsOf(line) })
  }
}

function untilSynced(synced: Promise<void>, log: Log): Promise<void> {
  return synced.catch((error) => log.error('the disk refused to sync the journal', { error }))
}

function createRareTeller(tell: () => void): () => void {
  let nextAtMs = 0
  return () => {
    if (performance.now() < nextAtMs) return
    nextAtMs = performance.now() + TELL_DROPPED_EVERY_MS
    tell()
  }
}
