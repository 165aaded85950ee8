/**
 * Records that are too old (USE-18): by the job every hour, and when an operator asks. Totals, rollups and the ledger stay, so that reports and
 * balances know nothing of it.
 */
import { insertAuditEntry } from '../db/audit-log.ts'
import type { Db, Sql } from '../db/client.ts'
import { type DeletedRecords, deleteUsageRecordsBefore } from '../db/partitions.ts'
import type { Clock } from '../lib/clock.ts'
import type { Actor } from './actor.ts'

const DAY_MS = 86_400_000

/** 0 days: nothing is too old. */
export async function deleteOlderThan(sql: Sql, days: number, nowMs: number): Promise<DeletedRecords> {
  if (days === 0) return { records: 0, months: 0, recordings: 0 }
  return deleteUsageRecordsBefore(sql, nowMs - days * DAY_MS)
}

export function createRetentionAdmin({ sql, db, clock }: { sql: Sql; db: Db; clock: Clock }) {
  return {
    /** Takes as long as it takes. The entry in the audit log comes first: what is deleted stays deleted if it is broken off. */
    async deleteOlderThan(actor: Actor, days: number): Promise<DeletedRecords> {
      await insertAuditEntry(db, {
        actor: actor.name,
        action: 'usage.delete',
        resource: 'usage',
        changes: { older_than_days: days },
        clientIp: actor.clientIp,
      })
      return deleteOlderThan(sql, days, clock.nowMs())
    },
  }
}
