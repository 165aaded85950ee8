/**
 * The usage log (USE-11): newest first, page by page, by any of its filters; and one request by its id. Time, user, key and
 * account have an index of their own; the rest is filtered on the way, so a rare value over a long time reads much.
 */
import { and, between, desc, eq, getTableColumns, gte, lt, type SQL, sql } from 'drizzle-orm'
import { type Fault, isFault } from '../core/fault.ts'
import type { Nano } from '../core/money.ts'
import { timeOfId } from '../lib/ids.ts'
import { apiKeys } from '../schema/api-keys.ts'
import { type NamedUsageRecord, type UsageRecordRow, usageRecords } from '../schema/usage-records.ts'
import type { Db } from './client.ts'
import { asId, cleanText, decodeTimeCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'

const DAY_MS = 86_400_000

export interface UsageFilter {
  /** From, including it. */
  from?: Date
  /** To, excluding it. */
  to?: Date
  userId?: string
  keyId?: string
  accountId?: string
  groupId?: string
  subscriptionId?: string
  platform?: UsageRecordRow['platform']
  model?: string
  status?: UsageRecordRow['status']
  billingType?: UsageRecordRow['billingType']
  stream?: boolean
  priced?: boolean
  minCostNano?: Nano
}

export async function listUsageRecords(
  db: Db,
  query: PageQuery & UsageFilter,
): Promise<Page<NamedUsageRecord> | Fault> {
  const before = decodeTimeCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await selectNamed(db)
    .where(and(...conditionsOf(query), before === null ? undefined : isBefore(before)))
    .orderBy(desc(usageRecords.createdAt), desc(usageRecords.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ createdAt, id }) => encodeCursor(String(createdAt.getTime()), id))
}

/** The id tells when it was made, hence in which partition to look (a day about it, in case two clocks were read). */
export async function findUsageRecordById(db: Db, id: string): Promise<NamedUsageRecord | null> {
  const atMs = timeOfId(id)
  if (atMs === null) return null
  const about = between(usageRecords.createdAt, new Date(atMs - DAY_MS), new Date(atMs + DAY_MS))
  const [row] = await selectNamed(db).where(and(eq(usageRecords.id, id), about))
  return row ?? null
}

/** Deleted keys are only marked as such: their names stay readable (KEY-12). */
function selectNamed(db: Db) {
  return db
    .select({ ...getTableColumns(usageRecords), keyName: apiKeys.name })
    .from(usageRecords)
    .leftJoin(apiKeys, eq(apiKeys.id, usageRecords.keyId))
}

export function conditionsOf(filter: UsageFilter): (SQL | undefined)[] {
  const { from, to, minCostNano } = filter
  return [
    from && gte(usageRecords.createdAt, from),
    to && lt(usageRecords.createdAt, to),
    isId(usageRecords.userId, filter.userId),
    isId(usageRecords.keyId, filter.keyId),
    isId(usageRecords.accountId, filter.accountId),
    isId(usageRecords.groupId, filter.groupId),
    isId(usageRecords.subscriptionId, filter.subscriptionId),
    filter.platform && eq(usageRecords.platform, filter.platform),
    filter.model === undefined ? undefined : eq(usageRecords.model, cleanText(filter.model)),
    filter.status && eq(usageRecords.status, filter.status),
    filter.billingType && eq(usageRecords.billingType, filter.billingType),
    filter.stream === undefined ? undefined : eq(usageRecords.stream, filter.stream),
    filter.priced === undefined ? undefined : eq(usageRecords.priced, filter.priced),
    minCostNano === undefined ? undefined : gte(usageRecords.costNano, minCostNano),
  ]
}

type IdColumn = typeof usageRecords.userId | typeof usageRecords.keyId | typeof usageRecords.accountId
function isId(
  column: IdColumn | typeof usageRecords.groupId | typeof usageRecords.subscriptionId,
  id: string | undefined,
) {
  return id === undefined ? undefined : eq(column, asId(id))
}

/** A row comparison, because Postgres answers it by one walk of the index. */
export function isBefore({ at, id }: { at: Date; id: string }): SQL {
  return sql`(${usageRecords.createdAt}, ${usageRecords.id}) < (${at.toISOString()}::timestamptz, ${id}::uuid)`
}
