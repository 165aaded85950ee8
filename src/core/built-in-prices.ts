/**
 * The price table that comes with the program (BIL-2). Data: LiteLLM's model_prices_and_context_window.json (MIT, Copyright (c) 2023
 * Berri AI), checked and converted by `.ci/build-prices.ts`; its state is the rows' `date`. An operator's refresh takes its place.
 */
import type { PriceRow } from './price.ts'
import { decodePriceTable, type PriceTable } from './price-table.ts'
import table from './prices.gen.json' with { type: 'json' }

/** State of the table: "2026-07-24". */
export const BUILT_IN_DATE: string = table.date

/** Decoded anew at each call: call it once, at start. */
export function builtInPrices(): PriceRow[] {
  return decodePriceTable(table as unknown as PriceTable)
}
