/** By what the costs of some records are multiplied now (BIL-6): of their groups, and of their accounts. Deleted ones keep theirs. */
import { inArray } from 'drizzle-orm'
import type { Micro } from '../core/entities.ts'
import { accounts } from '../schema/accounts.ts'
import { groups } from '../schema/groups.ts'
import type { Db } from './client.ts'

export interface Multipliers {
  groups: ReadonlyMap<string, Micro>
  accounts: ReadonlyMap<string, { rateMultiplier: Micro; freeTier: boolean }>
}

export async function listMultipliers(
  db: Db,
  records: readonly { groupId: string | null; accountId: string | null }[],
): Promise<Multipliers> {
  const groupIds = distinct(records.map(({ groupId }) => groupId))
  const accountIds = distinct(records.map(({ accountId }) => accountId))
  const foundGroups = groupIds.length === 0 ? [] : await db.select().from(groups).where(inArray(groups.id, groupIds))
  const { id, rateMultiplier, freeTier } = accounts
  const foundAccounts =
    accountIds.length === 0
      ? []
      : await db.select({ id, rateMultiplier, freeTier }).from(accounts).where(inArray(id, accountIds))
  return {
    groups: new Map(foundGroups.map((group) => [group.id, group.rateMultiplier])),
    accounts: new Map(foundAccounts.map((account) => [account.id, account])),
  }
}

function distinct(ids: readonly (string | null)[]): string[] {
  return [...new Set(ids)].filter((id) => id !== null)
}
