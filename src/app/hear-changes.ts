/**
 * Hears of changes from the moment the database is open, although what they are for opens later: a change between the first reading of the
 * directory and the first listening would otherwise be missed for ever (KEY-3).
 *
 * If it fails: a change that can't be read is logged; what was known stays in use until the next change or gap.
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
}

export async function hearChanges(sql: Sql, { log, stack }: { log: Log; stack: Stack }): Promise<Hearing> {
  let ears: Ears | null = null
  let waiting: Change[] = []
  let missedSome = false
  const failed = (error: unknown) => log.error('a change could not be read', { error })
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
    attach(attached) {
      ears = attached
      const early = waiting
      waiting = []
      if (missedSome) readAll()
      else for (const change of early) hear(change)
    },
  }
}
