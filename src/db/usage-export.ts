/**
 * The usage log from its newest record to its oldest, in pages, with the names of whom the records are of (USE-11, KEY-12).
 *
 * No cursor is held open: each page is found by the last row of the one before. A client that reads for hours holds no connection, no snapshot
 * and no memory of the database; what is recorded meanwhile is newer than where the reading is, and is not in it.
 */
import { and, desc, eq, getTableColumns } from 'drizzle-orm'
import { accounts } from '../schema/accounts.ts'
import { apiKeys } from '../schema/api-keys.ts'
import { groups } from '../schema/groups.ts'
import { type UsageRecordRow, usageRecords } from '../schema/usage-records.ts'
import { users } from '../schema/users.ts'
import type { Db } from './client.ts'
import { conditionsOf, isBefore, type UsageFilter } from './usage.ts'

export interface ExportedRecord extends UsageRecordRow {
  username: string | null
  keyName: string | null
  accountName: string | null
  groupName: string | null
}

/** Some 15 ms of work for this process, and a few hundred kB. */
const PAGE = 500

export async function* readUsageRecords(db: Db, filter: UsageFilter): AsyncGenerator<ExportedRecord[]> {
  let last: ExportedRecord | undefined
  do {
    const page = await listPage(db, filter, last)
    if (page.length > 0) yield page
    last = page.length < PAGE ? undefined : page.at(-1)
  } while (last)
}

function listPage(db: Db, filter: UsageFilter, last: ExportedRecord | undefined): Promise<ExportedRecord[]> {
  const names = {
    username: users.username,
    keyName: apiKeys.name,
    accountName: accounts.name,
    groupName: groups.name,
  }
  return db
    .select({ ...getTableColumns(usageRecords), ...names })
    .from(usageRecords)
    .leftJoin(users, eq(users.id, usageRecords.userId))
    .leftJoin(apiKeys, eq(apiKeys.id, usageRecords.keyId))
    .leftJoin(accounts, eq(accounts.id, usageRecords.accountId))
    .leftJoin(groups, eq(groups.id, usageRecords.groupId))
    .where(and(...conditionsOf(filter), last && isBefore({ at: last.createdAt, id: last.id })))
    .orderBy(desc(usageRecords.createdAt), desc(usageRecords.id))
    .limit(PAGE)
}
