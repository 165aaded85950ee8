/** Receipts of a believable mix of people, accounts and models, for measuring: most with everything that a real one carries. */
import type { Receipt } from '../../src/core/receipt.ts'
import type { Db } from '../../src/db/client.ts'
import { newId } from '../../src/lib/ids.ts'
import { makeReceipt } from './receipts.ts'
import { seedAccount, seedGroup, seedKey, seedUser } from './seed.ts'

const MODELS = ['gpt-5', 'gpt-5-mini', 'claude-sonnet-4-5', 'claude-opus-4-1', 'gemini-2.5-pro', 'gemini-2.5-flash']

export interface Traffic {
  receipts(count: number): Receipt[]
}

export async function makeTraffic(db: Db, { users }: { users: number }): Promise<Traffic> {
  const payers: { userId: string; keyId: string }[] = []
  for (let made = 0; made < users; made++) {
    const user = await seedUser(db, { balanceNano: 1_000_000_000_000n })
    payers.push({ userId: user.id, keyId: (await seedKey(db, { userId: user.id })).id })
  }
  const accounts: string[] = []
  for (let made = 0; made < 10; made++) accounts.push((await seedAccount(db)).id)
  const groups: string[] = []
  for (let made = 0; made < 3; made++) groups.push((await seedGroup(db)).id)

  function one(index: number): Receipt {
    const accountId = accounts[index % accounts.length] as string
    const model = MODELS[(index * 7) % MODELS.length] as string
    const createdAtMs = Date.now() - 2000
    return makeReceipt({
      ...payers[(index * 13) % payers.length],
      id: newId(createdAtMs),
      createdAtMs,
      finishedAtMs: createdAtMs + 1800,
      accountId,
      groupId: groups[index % groups.length] as string,
      billingType: 'balance',
      model,
      upstreamModel: `${model}-2026-05-01`,
      costNano: BigInt(12_345_000 + index),
      chargedNano: BigInt(12_345_000 + index),
      usage: { input: 1200 + index, output: 340, cacheRead: 20_000, reasoning: 120 },
      priceUsed: {
        model,
        match: 'normalised',
        source: 'built-in',
        date: '2026-07-24',
        serviceTier: 'standard',
        aboveTokens: 0,
        uplift: 1_000_000,
        rates: { input: 1_250_000_000, output: 10_000_000_000, cacheRead: 125_000_000 },
        groupMultiplier: 1_000_000,
        accountMultiplier: 1_000_000,
        perRequestNano: 0,
        perWebSearchNano: 0,
        iterations: null,
      },
      attempts: [
        { accountId, status: 200, durationMs: 1790, reason: null, upstreamRequestId: 'req_0123456789', usage: null },
      ],
      choice: { candidates: accounts.length, passedOver: { full: 1 }, sticky: 'hit' },
      upstreamRequestId: 'req_0123456789abcdef0123456789abcdef',
      userAgent: 'claude-cli/2.0.14 (external, cli)',
    })
  }
  return { receipts: (count) => Array.from({ length: count }, (_, index) => one(index)) }
}
