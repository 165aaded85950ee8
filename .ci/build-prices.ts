/**
 * Builds src/core/prices.gen.json from a LiteLLM price table:
 *
 *   npx bun .ci/build-prices.ts TABLE.json 2026-07-24
 *
 * Rows that look wrong are left out and listed (exit 0: a person reads the list and writes corrections).
 * If it fails: nothing is written.
 */
import { CORRECTIONS } from '../src/core/price-corrections.ts'
import { importPrices } from '../src/core/price-import.ts'
import { encodePriceTable } from '../src/core/price-table.ts'

const [file, date] = Bun.argv.slice(2)
if (file === undefined || date === undefined || Number.isNaN(Date.parse(date))) {
  process.stderr.write('usage: build-prices.ts TABLE.json YYYY-MM-DD (the state of the table)\n')
  process.exit(2)
}
const imported = importPrices(await Bun.file(file).json(), { date, corrections: CORRECTIONS })
if (imported === null) {
  process.stderr.write(`${file} is not a price table in LiteLLM's format\n`)
  process.exit(1)
}
const text = encodePriceTable(imported.rows, {
  source: 'https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json',
  licence: 'MIT, Copyright (c) 2023 Berri AI',
  date,
})
await Bun.write(new URL('../src/core/prices.gen.json', import.meta.url), text)

for (const { model, reasons } of imported.refused) process.stdout.write(`refused ${model}: ${reasons.join('; ')}\n`)
for (const [reason, count] of Object.entries(imported.skipped)) process.stdout.write(`skipped ${count}: ${reason}\n`)
process.stdout.write(`${imported.rows.length} rows, ${imported.refused.length} refused, ${text.length} bytes\n`)
