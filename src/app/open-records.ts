/**
 * Where a request goes when it has ended: its record into the journal and from there into the database (./open-receipts), its numbers into
 * statistics and metrics, its headers and bodies, where they are recorded, into a table beside it (./keep-recordings).
 */
import type { Statistics } from '../admin/statistics.ts'
import type { Exchange } from '../relay/exchange.ts'
import type { RelayDeps } from '../relay/relay.ts'
import type { CounterNews } from '../state/counter-news.ts'
import { createAccept } from './accept-receipt.ts'
import type { Ground } from './ground.ts'
import { openRecordingKeeper } from './keep-recordings.ts'
import { type OpenedReceipts, openReceipts } from './open-receipts.ts'
import { openStatistics } from './open-statistics.ts'
import type { Telemetry } from './open-telemetry.ts'

export interface OpenedRecords {
  receipts: OpenedReceipts
  statistics: Statistics
  /** The relay's last step. */
  accept: RelayDeps['accept']
}

export interface RecordsInput {
  /** Requests under way: one leaves when its record is kept. */
  live: Set<Exchange>
  telemetry: Telemetry
  /** Hears which records are in the database. */
  news: CounterNews
}

export async function openRecords(ground: Ground, { live, telemetry, news }: RecordsInput): Promise<OpenedRecords> {
  const { config, log, stack } = ground
  const { sql } = ground.data.database
  const recordings = await openRecordingKeeper({ sql, log, stack })
  const statistics = openStatistics({ config, sql, log, flush: () => receipts.flush() })
  const receipts = await openReceipts({ config, sql, log }, [news, statistics.stats], stack)
  return {
    receipts,
    statistics,
    accept: createAccept({
      add: receipts.add,
      live,
      listeners: [
        statistics.stats.record,
        (_, exchange) => exchange.recording && recordings.add(exchange.recording.finish(exchange)),
        telemetry.note,
      ],
      log,
    }),
  }
}
