/** Totals of users, keys, accounts, groups and models: joined to their owners' lists, and by themselves (BIL-12). */
import { and, eq, gte, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { Nano } from '../core/money.ts'
import { type RollupScope, usageDaily } from '../schema/usage-rollups.ts'
import { ALL_TIME, type TotalScope, type UsageTotalRow, usageTotals } from '../schema/usage-totals.ts'
import type { Db } from './client.ts'

/** Columns to select beside an owner's own; who has no requests yet has zeros. */
export const SUMS = {
  requests: orZero(usageTotals.requests),
  failedRequests: orZero(usageTotals.failedRequests),
  totalTokens: orZero(usageTotals.totalTokens),
  costNano: orZero(usageTotals.costNano),
  chargedNano: orZero(usageTotals.chargedNano),
  upstreamCostNano: orZero(usageTotals.upstreamCostNano),
  lastUsedAt: usageTotals.lastUsedAt,
}

/** The condition of the left join that brings `SUMS`. */
export function totalsOf(scope: TotalScope, ownerId: AnyPgColumn): SQL | undefined {
  return and(
    eq(usageTotals.scope, scope),
    eq(usageTotals.scopeId, sql`${ownerId}::text`),
    eq(usageTotals.period, ALL_TIME),
  )
}

/** `period`: a month in UTC, "2026-07"; absent: since ever. */
export async function listUsageTotals(db: Db, scope: TotalScope, period = ALL_TIME): Promise<UsageTotalRow[]> {
  return db
    .select()
    .from(usageTotals)
    .where(and(eq(usageTotals.scope, scope), eq(usageTotals.period, period)))
}

/**
 * List-price cost of each user, key, account or group from a day on ("2026-07-24", in the rollup's time zone): what daily and
 * weekly limits start from after a restart.
 */
export async function listCostsSince(
  db: Db,
  scope: Exclude<RollupScope, 'all'>,
  day: string,
): Promise<{ scopeId: string; costNano: Nano }[]> {
  return db
    .select({
      scopeId: usageDaily.scopeId,
      costNano: sql<Nano>`sum(${usageDaily.costNano})`.mapWith(usageDaily.costNano),
    })
    .from(usageDaily)
    .where(and(eq(usageDaily.scope, scope), gte(usageDaily.day, day)))
    .groupBy(usageDaily.scopeId)
    .orderBy(usageDaily.scopeId)
}

export function orZero<C extends AnyPgColumn>(column: C) {
  return sql<C['_']['data']>`coalesce(${column}, 0)`.mapWith(column)
}
