/** The operator's prices, from their rows to what the request path computes with (BIL-2). */
import type { PriceRow } from '../core/price.ts'
import { fromWirePrice } from '../core/price-wire.ts'
import type { Db } from '../db/client.ts'
import { listAllPrices } from '../db/prices.ts'

export async function loadPrices(db: Db): Promise<{ row: PriceRow; accountId: string | null }[]> {
  const stored = await listAllPrices(db)
  return stored.map(({ model, platform, accountId, effectiveFrom, rates }) => ({
    accountId,
    row: {
      ...fromWirePrice(rates),
      model,
      platform,
      vendor: null,
      source: accountId === null ? 'operator' : 'account',
      date: effectiveFrom.toISOString(),
    },
  }))
}
