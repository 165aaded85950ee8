/**
 * What choosing an account costs with 10, 1,000 and 100,000 of them (ACC-3: it must not grow), and the whole request path without a network.
 * By hand: `bun test/bench/choice.ts`. CPU time per unit, the median of several rounds.
 */
import { type ChooseInput, createAccountPool } from '../../src/core/account-pool.ts'
import { builtInPrices } from '../../src/core/built-in-prices.ts'
import { createPriceIndex } from '../../src/core/price-index.ts'
import { makeAccount } from '../support/make.ts'
import { type Answered, chatAnswer, createTestRelay } from '../support/relay.ts'

const ROUNDS = 9

/** Microseconds of CPU for one of `times`, the median of several rounds. */
async function cpuOf(times: number, run: () => Promise<void> | void): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (let time = 0; time < times; time++) {
      const wait = run()
      if (wait) await wait
    }
    const { user, system } = process.cpuUsage(before)
    rounds.push((user + system) / times)
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0
}

for (const size of [10, 1000, 100_000]) {
  const pool = createAccountPool((account) => account.groupIds, 0)
  for (let index = 0; index < size; index++) {
    pool.put(makeAccount({ id: `a${index}`, concurrency: 10, priority: index % 3 }))
  }
  const input: ChooseInput = { poolId: 'g', model: 'gpt-5.4', nowMs: 1, excluded: new Set(), offers: () => true }
  const micros = await cpuOf(50_000, () => {
    const choice = pool.choose(input)
    if (!choice) return
    pool.acquire(choice.entry)
    pool.release(choice.entry)
  })
  console.log(`choose, take, release among ${String(size).padStart(6)} accounts: ${micros.toFixed(2)} µs`)
}

const book = {
  account: null,
  operator: createPriceIndex([], { aliases: false }),
  builtIn: createPriceIndex(builtInPrices(), { aliases: true }),
}
const bytes = await chatAnswer('x'.repeat(1700)).bytes()
const headers = new Headers({ 'content-type': 'application/json', 'content-length': String(bytes.length) })
const answer = { status: 200, headers, body: null, bytes: async () => bytes } as unknown as Answered
const relay = await createTestRelay({ accounts: [makeAccount({ id: 'a' })], script: () => answer })
relay.deps.prices = () => book
const body = JSON.stringify({ model: 'gpt-5.4', messages: [{ role: 'user', content: 'x'.repeat(1000) }] })
const micros = await cpuOf(3000, async () => {
  await relay.call('chat_completions', body)
  relay.receipts.length = 0
  relay.sent.length = 0
})
console.log(`a whole request without network (1 kB in, 2 kB out, priced, settled): ${micros.toFixed(1)} µs`)
