/**
 * Requests that an instance left behind (USE-3): written into the log as failed, nothing charged. A job of the leader.
 *
 * The record comes first, the row that says that it runs goes afterwards: broken off between the two, the next turn finds the record there and
 * changes nothing. What the lost instance itself knows better comes with its journal and replaces the record (core/lost-request).
 */
import { toLostReceipt } from '../core/lost-request.ts'
import type { Sql } from '../db/client.ts'
import { deleteLostRequests, listLostRequests } from '../db/live-requests.ts'
import { insertReceipts } from '../db/receipts.ts'

export interface LostRequestsDeps {
  sql: Sql
  /** Who asks. */
  instanceId: string
  /** Whoever gave no sign of life for so long is gone. */
  silentMs: number
  timeZone: string
}

const MOST_AT_ONCE = 500

/** How many were marked now. */
export async function failLostRequests({ sql, instanceId, silentMs, timeZone }: LostRequestsDeps): Promise<number> {
  for (let failed = 0; ; ) {
    const lost = await listLostRequests(sql, { instanceId, silentMs, limit: MOST_AT_ONCE })
    const receipts = lost.map(({ request, seenAtMs }) => toLostReceipt(request, seenAtMs))
    const { inserted } = await insertReceipts(sql, receipts, { timeZone })
    await deleteLostRequests(
      sql,
      lost.map(({ request }) => request.id),
      silentMs,
    )
    failed += inserted.length
    if (lost.length < MOST_AT_ONCE) return failed
  }
}
