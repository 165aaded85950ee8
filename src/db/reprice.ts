/**
 * Records that had no price when they were made get one now (BIL-3): costs, balances, subscription windows, totals and rollups move by the
 * difference, in one transaction. What a payer pays in addition is its own ledger entry, of kind `reprice`; the charge stays as it was.
 *
 * A record is repriced once: the transaction that books it also marks it priced, and they work one at a time. Rows are locked in the order of
 * the flush (records, users, keys, subscriptions, totals, rollups), each by its key, so that the two cannot deadlock.
 * If it fails: rejects, and nothing of the batch is booked; the next call finds the same records.
 */
import { and, asc, eq, gte, inArray, lt, sql } from 'drizzle-orm'
import type { Costed } from '../core/cost.ts'
import { addToWindow, type UsageWindow, WINDOW_NAMES } from '../core/subscription.ts'
import { subscriptions } from '../schema/subscriptions.ts'
import { type UsageRecordRow, usageRecords } from '../schema/usage-records.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { changeBalance } from './ledger.ts'
import { cleanText } from './page.ts'
import { addDifferences, type Difference } from './reprice-sums.ts'

export interface UnpricedQuery {
  from?: Date
  to?: Date
  model?: string
  /** Only what comes after it. */
  after: { at: Date; id: string } | null
  limit: number
}

/** Oldest first. Call it in the transaction that reprices them: it holds the lock under which that is done. */
export async function listUnpricedForUpdate(db: Db, query: UnpricedQuery): Promise<UsageRecordRow[]> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtext('usage reprice'))`)
  const { from, to, model, after } = query
  const { createdAt, id } = usageRecords
  return db
    .select()
    .from(usageRecords)
    .where(
      and(
        eq(usageRecords.priced, false),
        from && gte(createdAt, from),
        to && lt(createdAt, to),
        model === undefined ? undefined : eq(usageRecords.model, cleanText(model)),
        after === null
          ? undefined
          : sql`(${createdAt}, ${id}) > (${after.at.toISOString()}::timestamptz, ${after.id}::uuid)`,
      ),
    )
    .orderBy(asc(createdAt), asc(id))
    .limit(query.limit)
    .for('update')
}

export interface Repriced {
  record: UsageRecordRow
  costed: Costed
}

export async function updateRepriced(
  db: Db,
  repriced: readonly Repriced[],
  { actor, timeZone }: { actor: string; timeZone: string },
): Promise<void> {
  if (repriced.length === 0) return
  const differences = repriced.map(toDifference)
  await updateRecords(db, repriced)
  await bookCorrections(db, differences, actor)
  await addToSubscriptions(db, differences)
  await addDifferences(db, differences, timeZone)
  const keyIds = new Set(differences.map(({ record }) => record.keyId))
  // Limits of a key count its cost: they are read again.
  for (const keyId of [...keyIds].sort()) if (keyId !== null) await notifyChange(db, 'key', keyId)
}

function toDifference({ record, costed: { costs } }: Repriced): Difference {
  return {
    record,
    costNano: costs.totalNano - record.costNano,
    cacheReadCostNano: costs.cacheReadNano - record.cacheReadCostNano,
    cacheWriteCostNano: costs.cacheWriteNano - record.cacheWriteCostNano,
    cacheSavingNano: costs.cacheSavingNano - record.cacheSavingNano,
    cacheSurchargeNano: costs.cacheSurchargeNano - record.cacheSurchargeNano,
    chargedNano: costs.chargedNano - record.chargedNano,
    upstreamCostNano: costs.upstreamNano - record.upstreamCostNano,
  }
}

async function updateRecords(db: Db, repriced: readonly Repriced[]): Promise<void> {
  const rows = repriced.map(({ record, costed: { costs, priceUsed } }) => ({
    id: record.id,
    at: record.createdAt,
    input: String(costs.inputNano),
    output: String(costs.outputNano),
    cache_write: String(costs.cacheWriteNano),
    cache_read: String(costs.cacheReadNano),
    request: String(costs.requestNano),
    total: String(costs.totalNano),
    charged: String(costs.chargedNano),
    upstream: String(costs.upstreamNano),
    saving: String(costs.cacheSavingNano),
    surcharge: String(costs.cacheSurchargeNano),
    used: priceUsed,
  }))
  await db.execute(sql`
    update usage_records set priced = true, price_used = used, input_cost_nano = input, output_cost_nano = output,
      cache_write_cost_nano = cache_write, cache_read_cost_nano = cache_read, request_cost_nano = request,
      cost_nano = total, charged_nano = charged, upstream_cost_nano = upstream,
      cache_saving_nano = saving, cache_surcharge_nano = surcharge
    from json_to_recordset(${JSON.stringify(rows)}::text::json) as repriced (id uuid, at timestamptz, input bigint,
      output bigint, cache_write bigint, cache_read bigint, request bigint, total bigint, charged bigint, upstream bigint,
      saving bigint, surcharge bigint, used jsonb)
    where usage_records.id = repriced.id and usage_records.created_at = repriced.at`)
}

/** Users before keys, by id: the order in which a flush locks them. */
async function bookCorrections(db: Db, differences: readonly Difference[], actor: string): Promise<void> {
  const corrections = differences.flatMap(({ record, chargedNano }) => {
    const { billingType, userId, keyId } = record
    const payer = billingType === 'balance' ? 'user' : billingType === 'key' ? 'key' : null
    const payerId = payer === 'user' ? userId : keyId
    if (payer === null || payerId === null || chargedNano === 0n) return []
    return [{ payer, payerId, amountNano: -chargedNano, requestId: record.id } as const]
  })
  const rank = ({ payer, payerId }: (typeof corrections)[number]) => `${payer === 'user' ? 0 : 1} ${payerId}`
  corrections.sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
  for (const correction of corrections) {
    await changeBalance(db, { ...correction, kind: 'reprice', actor, note: 'priced afterwards' })
  }
}

/** A window that is open counts what belongs to it; what was used before it began belongs to one that is over (BIL-10). */
async function addToSubscriptions(db: Db, differences: readonly Difference[]): Promise<void> {
  const uses = differences.filter(
    ({ record }) => record.billingType === 'subscription' && record.subscriptionId !== null,
  )
  if (uses.length === 0) return
  const ids = [...new Set(uses.map(({ record }) => record.subscriptionId as string))]
  const rows = await db
    .select()
    .from(subscriptions)
    .where(inArray(subscriptions.id, ids))
    .orderBy(subscriptions.id)
    .for('no key update')
  for (const row of rows) {
    const own = uses.filter(({ record }) => record.subscriptionId === row.id)
    const columns = Object.fromEntries(
      WINDOW_NAMES.flatMap((name) => {
        let window: UsageWindow = {
          startedAtMs: row[`${name}StartedAt`]?.getTime() ?? null,
          usedNano: row[`${name}UsedNano`],
        }
        for (const { record, costNano } of own) {
          const atMs = record.finishedAt.getTime()
          if (window.startedAtMs !== null && atMs < window.startedAtMs) continue
          window = addToWindow(window, name, { atMs, amountNano: costNano })
        }
        const startedAt = window.startedAtMs === null ? null : new Date(window.startedAtMs)
        return [[`${name}StartedAt`, startedAt] as const, [`${name}UsedNano`, window.usedNano] as const]
      }),
    )
    await db.update(subscriptions).set(columns).where(eq(subscriptions.id, row.id))
    await notifyChange(db, 'subscription', row.id)
  }
}
