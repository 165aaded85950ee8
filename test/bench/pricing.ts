/**
 * What pricing one request costs, from the name of its model to three costs in parts (BIL-2, BIL-6): bun test/bench/pricing.ts
 */
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import { computeCosts } from '../../src/core/cost.ts'
import { createPriceIndex, resolvePrice } from '../../src/core/price-index.ts'
import { NO_USAGE } from '../../src/core/usage.ts'

const ROUNDS = 200_000
const startedMs = performance.now()
const builtIn = createPriceIndex(builtInPrices(), { aliases: true })
console.log(`${builtIn.rows.length} rows made ready in ${(performance.now() - startedMs).toFixed(0)} ms`)
const book = { account: null, operator: createPriceIndex([], { aliases: false }), builtIn }
const usage = { ...NO_USAGE, input: 1200, cacheRead: 18_000, cacheWrite5m: 500, output: 740, reasoning: 300 }
const atMs = Date.now()
const resolve = (model: string) => resolvePrice(book, { model, platform: 'anthropic', atMs })

function costs(model: string, uplifts: readonly string[], groupMultiplier: number) {
  return computeCosts({
    usage,
    iterations: null,
    price: resolve(model),
    priceOf: resolve,
    serviceTier: 'standard',
    uplifts,
    groupMultiplier,
    accountMultiplier: 900_000,
    freeTier: false,
    failed: false,
  })
}

function measure(title: string, once: (round: number) => unknown): void {
  for (let warm = 0; warm < ROUNDS / 10; warm++) once(warm)
  const started = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) once(round)
  const { user, system } = process.cpuUsage(started)
  console.log(`${title.padEnd(62)} ${((user + system) / ROUNDS).toFixed(2).padStart(8)} µs CPU`)
}

for (let round = 0; round < 3; round++) {
  measure('a model’s price by its exact name', () => resolve('claude-sonnet-4-5'))
  measure('a name never seen before, resolved by its parts', (index) => resolve(`claude-sonnet-4-5@${index}`))
  measure('price and three costs in parts', () => costs('claude-sonnet-4-5', [], 1_500_000))
  measure('the same with place and speed', () => costs('claude-opus-4-8', ['us', 'fast'], 1_500_000))
}
