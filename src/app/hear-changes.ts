/**
 * Hears of changes from the moment the database is open, although what they are for opens later: a change between the first reading of the
 * directory and the first listening would otherwise be missed for ever (KEY-3).
 *
 * If it fails: a change that can't be read is logged, and everything is read again a second later, and so on until it works: the database may
 * have gone in between. What was known stays in use meanwhile.
 */
import { type Change, listenForChanges } from '../db/changes.ts'
import type { Sql } from '../db/client.ts'
import type { Log } from '../lib/log.ts'
import type { Stack } from '../lib/stack.ts'

export interface Ears {
  hear(change: Change): Promise<void>
  /** There was a gap in hearing: everything is to be read again. */
  readAll(): Promise<void>
}

export interface Hearing {
  /** Whoever hears from now on, and what came before. */
  attach(ears: Ears): void
  /** As after a gap. */
  readAll(): void
}

const READ_AGAIN_AFTER_MS = 1000

export async function hearChanges(sql: Sql, { log, stack }: { log: Log; stack: Stack }): Promise<Hearing> {
  let ears: Ears | null = null
  let waiting: Change[] = []
  let missedSome = false
  let isRetrying = false
  const failed = (error: unknown) => {
    log.error('a change could not be read; it is tried again', { error })
    if (isRetrying) return
    isRetrying = true
    setTimeout(() => {
      isRetrying = false
      readAll()
    }, READ_AGAIN_AFTER_MS).unref()
  }
  const hear = (change: Change) => (ears ? void ears.hear(change).catch(failed) : void waiting.push(change))
  const readAll = () => {
    if (ears) void ears.readAll().catch(failed)
    else missedSome = true
  }
  await stack.use(
    'changes',
    () => listenForChanges(sql, { onChange: hear, onReconnect: readAll }),
    (unlisten) => unlisten(),
  )
  return {
    readAll,
    attach(attached) {
      ears = attached
      const early = waiting
      waiting = []
      if (missedSome) readAll()
      else for (const change of early) hear(change)
    },
  }
}
