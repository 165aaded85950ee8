/** The audit log (OPS-9): written in the transaction of the write it tells of, so that neither is there without the other. */
import { and, desc, eq, lt } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { type AuditRow, auditLog } from '../schema/audit-log.ts'
import type { Db } from './client.ts'
import { cleanText, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'

export type NewAuditEntry = Pick<AuditRow, 'actor' | 'action' | 'resource'> &
  Partial<Pick<AuditRow, 'resourceId' | 'changes' | 'clientIp'>>

export interface AuditFilter {
  resource?: string
  resourceId?: string
  actor?: string
}

/** `changes` must hold no secrets: the caller takes them out. */
export async function insertAuditEntry(db: Db, entry: NewAuditEntry): Promise<void> {
  await db.insert(auditLog).values({ ...entry, id: newId() })
}

export async function listAuditEntries(db: Db, query: PageQuery & AuditFilter): Promise<Page<AuditRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await db
    .select()
    .from(auditLog)
    .where(
      and(
        before === null ? undefined : lt(auditLog.id, before),
        query.resource === undefined ? undefined : eq(auditLog.resource, cleanText(query.resource)),
        query.resourceId === undefined ? undefined : eq(auditLog.resourceId, cleanText(query.resourceId)),
        query.actor === undefined ? undefined : eq(auditLog.actor, cleanText(query.actor)),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}
