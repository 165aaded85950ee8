/**
 * The prices that hold here and now, from where they are kept (BIL-2): the built-in table or an operator's refresh of it, whichever is newer,
 * and the operator's own rows over it.
 */
import { BUILT_IN_DATE, builtInPrices } from '../core/built-in-prices.ts'
import type { PriceRow } from '../core/price.ts'
import { decodePriceTable } from '../core/price-table.ts'
import { fromWirePrice } from '../core/price-wire.ts'
import type { Db } from '../db/client.ts'
import { findPriceTable } from '../db/price-table.ts'
import { listAllPrices } from '../db/prices.ts'
import { createPrices, type Prices } from '../state/price-book.ts'

export interface OpenedPrices {
  prices: Prices
  /** Reads again what operators have changed. */
  reload(): Promise<void>
}

export async function openPrices(db: Db): Promise<OpenedPrices> {
  const prices = createPrices(builtInPrices())
  let storedAt: Date | null = null

  async function reload(): Promise<void> {
    const [stored, own] = await Promise.all([findPriceTable(db, storedAt), loadOwnPrices(db)])
    // A new version of turnpike may bring a newer table than the refresh of long ago.
    if (stored && stored.table.date >= BUILT_IN_DATE) prices.replaceTable(decodePriceTable(stored.table))
    storedAt = stored?.storedAt ?? storedAt
    prices.replace(own)
  }
  await reload()
  return { prices, reload }
}

async function loadOwnPrices(db: Db): Promise<{ row: PriceRow; accountId: string | null }[]> {
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
