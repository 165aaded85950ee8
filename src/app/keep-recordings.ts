/**
 * Writes recorded headers and bodies to the database (USE-1), in batches, off the request path. They are for looking at, not for the books:
 * what can't be written soon is dropped and counted, so that a database that is away costs a bounded amount of memory.
 *
 * If it fails: tried again while there is room; what is dropped is told in the log.
 */
import type { RecordedRequest } from '../core/recorded-request.ts'
import type { Sql } from '../db/client.ts'
import { insertRecordings } from '../db/recordings.ts'
import { createBatch } from '../lib/batch.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'

export interface RecordingKeeper {
  add(recorded: RecordedRequest): void
}

/** Bodies may be large: few go in one statement. */
const MOST_AT_ONCE = 50

export interface RecordingKeeperInput {
  sql: Sql
  log: Log
  stack: Stack
  everyMs?: number
  /** Of bodies that wait to be written. */
  mostCharacters?: number
}

export async function openRecordingKeeper(input: RecordingKeeperInput): Promise<RecordingKeeper> {
  const { sql, log, stack, everyMs = 1000, mostCharacters = 32 * 1024 * 1024 } = input
  let waiting = 0
  let dropped = 0
  const start = () =>
    createBatch<RecordedRequest>({
      mostItems: MOST_AT_ONCE,
      everyMs,
      async write(items) {
        await insertRecordings(sql, items)
        for (const item of items) waiting -= sizeOf(item)
        if (dropped > 0) log.warn('recorded headers and bodies were dropped while the database was away', { dropped })
        dropped = 0
      },
      onFailure: (error, backlog) =>
        log.error('recorded headers and bodies could not be written; it is tried again', { backlog, error }),
    })
  const batch = await stack.use('recordings', start, async (opened) => void (await opened.close(1)))
  return {
    add(recorded) {
      const size = sizeOf(recorded)
      if (waiting + size > mostCharacters) {
        dropped++
        return
      }
      waiting += size
      batch.add(recorded)
    },
  }
}

function sizeOf({ request, response }: RecordedRequest): number {
  return 1000 + (request.body?.length ?? 0) + (response.body?.length ?? 0)
}
