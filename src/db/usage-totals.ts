/** Totals of users, keys, accounts and groups, as they are joined to their owners' lists (BIL-12). */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { ALL_TIME, type TotalScope, usageTotals } from '../schema/usage-totals.ts'

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

export function orZero<C extends AnyPgColumn>(column: C) {
  return sql<C['_']['data']>`coalesce(${column}, 0)`.mapWith(column)
}
