/**
 * Do the things that a row is about to point to exist, and are they alive? Foreign keys know nothing of soft deletes.
 * The rows found are locked FOR SHARE, so that nobody deletes them before the pointing row is there.
 */
import { and, inArray, isNull } from 'drizzle-orm'
import { type Fault, invalid } from '../core/fault.ts'
import type { Platform } from '../core/platform.ts'
import { accounts } from '../schema/accounts.ts'
import { groups } from '../schema/groups.ts'
import { users } from '../schema/users.ts'
import type { Db } from './client.ts'
import { isUuid } from './page.ts'

const TABLES = { user: users, group: groups, account: accounts } as const

export interface References {
  /** Field on the wire, for the fault. */
  field: string
  kind: keyof typeof TABLES
  ids: readonly (string | null | undefined)[]
  /** Groups and accounts must be of this platform. */
  platform?: Platform
}

/** The first reference that does not hold, as a Fault; null when all do. */
export async function checkReferences(db: Db, references: readonly References[]): Promise<Fault | null> {
  for (const reference of references) {
    const fault = await checkOne(db, reference)
    if (fault !== null) return fault
  }
  return null
}

async function checkOne(db: Db, { field, kind, ids, platform }: References): Promise<Fault | null> {
  const wanted = [...new Set(ids.filter((id): id is string => typeof id === 'string'))].sort()
  if (wanted.length === 0) return null
  if (!wanted.every(isUuid)) return invalid(field, `${field} holds something that is no id`)
  const table = TABLES[kind]
  const found = await db
    .select({ id: table.id, platform: 'platform' in table ? table.platform : table.id })
    .from(table)
    .where(and(inArray(table.id, wanted), isNull(table.deletedAt)))
    .orderBy(table.id)
    .for('share')
  const missing = wanted.find((id) => !found.some((row) => row.id === id))
  if (missing !== undefined) return invalid(field, `there is no ${kind} ${missing}`)
  const foreign = platform === undefined ? undefined : found.find((row) => row.platform !== platform)
  return foreign === undefined ? null : invalid(field, `${kind} ${foreign.id} is not of platform ${platform}`)
}
