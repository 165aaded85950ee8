/** The prices that hold now: built in, the operator's, an account's own (BIL-2). Immutable indexes, swapped when a price changes. */

import type { Platform } from '../core/platform.ts'
import type { PriceRow } from '../core/price.ts'
import { createPriceIndex, type PriceBook, type PriceIndex } from '../core/price-index.ts'
import { VENDORS_OF_PLATFORM } from '../core/price-vendors.ts'

export interface Prices {
  /** The book by which requests of this account are priced; null: of none. */
  bookFor(accountId: string | null): PriceBook
  /** Replaces the operator's prices, and the accounts' own, by these. */
  replace(rows: readonly { row: PriceRow; accountId: string | null }[]): void
  /** Puts another table in the place of the built-in one (a refresh). */
  replaceTable(rows: readonly PriceRow[]): void
  /** The table in force: built in, or an operator's refresh. */
  table(): readonly PriceRow[]
  /** Names with a price, for lists of models (ACC-2). */
  modelsOf(platform: Platform): readonly string[]
}

export function createPrices(builtInRows: readonly PriceRow[]): Prices {
  /** The book of accounts without prices of their own. */
  let general: PriceBook = {
    account: null,
    operator: createPriceIndex([], { aliases: false }),
    builtIn: createPriceIndex(builtInRows, { aliases: true }),
  }
  let accounts = new Map<string, PriceIndex>()
  const names = new Map<Platform, readonly string[]>()

  return {
    bookFor(accountId) {
      const account = accountId === null ? undefined : accounts.get(accountId)
      return account ? { ...general, account } : general
    },
    replace(rows) {
      const operator = createPriceIndex(
        rows.filter((entry) => entry.accountId === null).map((entry) => entry.row),
        { aliases: false },
      )
      const byAccount = Map.groupBy(
        rows.filter((entry) => entry.accountId !== null),
        (entry) => entry.accountId as string,
      )
      accounts = new Map(
        [...byAccount].map(([id, entries]) => [
          id,
          createPriceIndex(
            entries.map((entry) => entry.row),
            { aliases: false },
          ),
        ]),
      )
      general = { ...general, operator }
    },
    replaceTable(rows) {
      const builtIn = createPriceIndex(rows, { aliases: true })
      general = { ...general, builtIn }
      names.clear()
    },
    table: () => general.builtIn.rows,
    modelsOf(platform) {
      let known = names.get(platform)
      if (!known) {
        const vendor = VENDORS_OF_PLATFORM[platform][0] ?? platform
        known = [
          ...new Set(general.builtIn.rows.filter((row) => row.vendor === vendor).map((row) => bareName(row.model))),
        ]
        names.set(platform, known)
      }
      return known
    },
  }
}

/** The table says "gemini/gemini-2.5-pro" where the vendor's own name is "gemini-2.5-pro". */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf('/') + 1)
}
