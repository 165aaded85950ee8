/**
 * The past days of heat maps, remembered for five minutes (USE-13). Today is never in here: it is read each time.
 *
 * One user's maps are forgotten as soon as the user changes (role, status): whoever asks next is answered anew. Bounded.
 * If it fails: a load that rejects is not remembered, and all who wait for it hear why.
 */
import type { ActivityRow } from '../db/usage-activity.ts'
import type { Clock } from '../lib/clock.ts'
import { createSingleFlight } from '../lib/single-flight.ts'

export interface ActivityCache {
  /** `userId`: whose map it is; undefined when it is nobody's or of something else. */
  read(of: { key: string; userId: string | undefined }, load: () => Promise<ActivityRow[]>): Promise<ActivityRow[]>
  forgetUser(userId: string): void
}

const KEPT_MS = 5 * 60_000
/** Maps of some 365 rows each: 20 MB at most. */
const MOST = 200

interface Kept {
  rows: ActivityRow[]
  untilMs: number
  userId: string | undefined
}

export function createActivityCache({ nowMs }: Clock): ActivityCache {
  const kept = new Map<string, Kept>()
  const flights = createSingleFlight<ActivityRow[]>()
  // What was asked for before a change must neither answer nor be kept after it.
  let changes = 0

  return {
    async read({ key, userId }, load) {
      const found = kept.get(key)
      if (found && found.untilMs > nowMs()) return found.rows
      const before = changes
      return flights.run(`${before} ${key}`, async () => {
        const rows = await load()
        if (before !== changes) return rows
        kept.delete(key)
        kept.set(key, { rows, untilMs: nowMs() + KEPT_MS, userId })
        if (kept.size > MOST) kept.delete(kept.keys().next().value as string)
        return rows
      })
    },
    forgetUser(userId) {
      changes++
      for (const [key, entry] of kept) if (entry.userId === userId) kept.delete(key)
    },
  }
}
