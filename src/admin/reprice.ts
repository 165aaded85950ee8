/**
 * Pricing afterwards what was served without a price (BIL-3): an operator sets the price, then has the records worked out again.
 * Bounded: a call looks at `limit` records, in transactions of a few hundred, and tells where to go on. What still has no price stays as it is.
 *
 * The multipliers of then were not recorded where nothing was priced: those of now are taken.
 */
import { type Costed, computeCosts } from '../core/cost.ts'
import type { Micro } from '../core/entities.ts'
import { type Fault, isFault } from '../core/fault.ts'
import type { Nano } from '../core/money.ts'
import { resolvePrice } from '../core/price-index.ts'
import { NO_USAGE, type Usage } from '../core/usage.ts'
import { insertAuditEntry } from '../db/audit-log.ts'
import type { Db } from '../db/client.ts'
import { listMultipliers, type Multipliers } from '../db/multipliers.ts'
import { decodeTimeCursor, encodeCursor } from '../db/page.ts'
import { listUnpricedForUpdate, type Repriced, type UnpricedQuery, updateRepriced } from '../db/reprice.ts'
import type { UsageRecordRow } from '../schema/usage-records.ts'
import type { Prices } from '../state/price-book.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'

export interface RepriceDeps extends AdminDeps {
  prices(): Promise<Prices>
  /** In which the days of reports begin. */
  timeZone: string
  /** For requests without a group, as it is set now. */
  defaultMultiplier(): Promise<Micro>
}

export interface RepriceWish {
  from?: Date
  to?: Date
  model?: string
  limit: number
  cursor: string | null
}

export interface RepriceResult {
  examined: number
  repriced: number
  /** What they cost in addition, at list price, and what payers paid. */
  costNano: Nano
  chargedNano: Nano
  /** Null: all were looked at. */
  nextCursor: string | null
}

const BATCH = 200

export function createReprice(deps: RepriceDeps) {
  return async (actor: Actor, wish: RepriceWish): Promise<RepriceResult | Fault> => {
    let after = decodeTimeCursor(wish.cursor)
    if (isFault(after)) return after
    const context = { prices: await deps.prices(), defaultMultiplier: await deps.defaultMultiplier() }
    const result: RepriceResult = { examined: 0, repriced: 0, costNano: 0n, chargedNano: 0n, nextCursor: null }
    while (result.examined < wish.limit) {
      const limit = Math.min(BATCH, wish.limit - result.examined)
      const { records, repriced } = await repriceBatch(deps, actor, { ...wish, after, limit }, context)
      addTo(result, records, repriced)
      const last = records.at(-1)
      if (last === undefined || records.length < limit) return { ...result, nextCursor: null }
      after = { at: last.createdAt, id: last.id }
      result.nextCursor = encodeCursor(String(last.createdAt.getTime()), last.id)
    }
    return result
  }
}

interface Context {
  prices: Prices
  defaultMultiplier: Micro
}

function repriceBatch(deps: RepriceDeps, actor: Actor, query: UnpricedQuery, context: Context) {
  return deps.db.transaction(async (transaction: Db) => {
    const records = await listUnpricedForUpdate(transaction, query)
    const multipliers = await listMultipliers(transaction, records)
    const repriced = records.flatMap((record): Repriced[] => {
      const costed = priceAgain(record, multipliers, context)
      return costed.priced ? [{ record, costed }] : []
    })
    await updateRepriced(transaction, repriced, { actor: actor.name, timeZone: deps.timeZone })
    if (repriced.length > 0) {
      await insertAuditEntry(transaction, {
        actor: actor.name,
        action: 'usage.reprice',
        resource: 'usage',
        changes: { repriced: repriced.length, model: query.model },
        clientIp: actor.clientIp,
      })
    }
    return { records, repriced }
  })
}

function priceAgain(record: UsageRecordRow, multipliers: Multipliers, { prices, defaultMultiplier }: Context): Costed {
  const { platform, groupId, accountId, priceUsed, createdAt } = record
  const book = prices.bookFor(accountId)
  const priceOf = (model: string) => resolvePrice(book, { model, platform, atMs: createdAt.getTime() })
  const account = accountId === null ? undefined : multipliers.accounts.get(accountId)
  const group = groupId === null ? undefined : multipliers.groups.get(groupId)
  return computeCosts({
    usage: usageOf(record),
    iterations: record.iterations,
    price: priceOf(record.upstreamModel ?? record.model),
    priceOf,
    serviceTier: record.serviceTier,
    uplifts: record.uplifts ?? [],
    groupMultiplier: priceUsed?.groupMultiplier ?? group ?? defaultMultiplier,
    accountMultiplier: priceUsed?.accountMultiplier ?? account?.rateMultiplier ?? 1_000_000,
    freeTier: account?.freeTier ?? false,
    failed: record.status === 'failed' || record.metering === 'unknown',
  })
}

function usageOf(record: UsageRecordRow): Usage {
  return {
    ...NO_USAGE,
    ...record.tokenParts,
    input: record.inputTokens,
    output: record.outputTokens,
    cacheRead: record.cacheReadTokens,
    cacheWrite5m: record.cacheWrite5mTokens,
    cacheWrite1h: record.cacheWrite1hTokens,
    reasoning: record.reasoningTokens,
  }
}

function addTo(result: RepriceResult, records: readonly UsageRecordRow[], repriced: readonly Repriced[]): void {
  result.examined += records.length
  result.repriced += repriced.length
  for (const { record, costed } of repriced) {
    result.costNano += costed.costs.totalNano - record.costNano
    result.chargedNano += costed.costs.chargedNano - record.chargedNano
  }
}
