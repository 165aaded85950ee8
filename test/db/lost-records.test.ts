import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { toLostReceipt } from '../../src/core/lost-request.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { findLedgerDrift } from '../../src/db/ledger.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { findHourDrift, findTotalsDrift } from '../../src/db/totals-drift.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, withDatabase } from '../support/database.ts'
import { makeLive } from '../support/live.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { seedUser } from '../support/seed.ts'

const insert = ({ sql }: FreshDatabase, ...receipts: Receipt[]) => insertReceipts(sql, receipts, { timeZone: 'UTC' })

/** The record that its instance's going away leaves of a request. */
function lostTwin(receipt: Receipt): Receipt {
  const { id, userId, keyId, accountId, groupId, createdAtMs, model, billingType } = receipt
  return toLostReceipt(
    makeLive({ id, userId, keyId, accountId, groupId, createdAtMs, model, billingType }),
    NOON + 9000,
  )
}

/** Everything that is added up, without the rows that add up to nothing. */
async function sumsOf({ sql }: FreshDatabase) {
  const totals = await sql`select * from usage_totals where requests <> 0 order by scope, scope_id, period`
  const hourly =
    await sql`select * from usage_hourly where requests <> 0 order by scope, scope_id, hour, platform, model`
  const daily = await sql`select * from usage_daily where requests <> 0 order by scope, scope_id, day, platform, model`
  const records = await sql`select * from usage_records order by id`
  const balances = await sql`select id, balance_nano from users order by id`
  const ledger =
    await sql`select payer_id, amount_nano, request_id from ledger_entries where request_id is not null order by request_id`
  return { totals, hourly, daily, records, balances, ledger }
}

describe('a lost request whose real receipt comes after all', () => {
  test('the receipt takes the mark’s place, with its charge; the mark never takes the receipt’s (USE-3, BIL-13)', () =>
    withDatabase(async (database) => {
      const user = await seedUser(database.db, { balanceNano: 1_000n })
      const real = makeReceipt({ userId: user.id, billingType: 'balance', costNano: 70n, chargedNano: 70n })
      expect((await insert(database, lostTwin(real))).inserted).toEqual([real.id])
      expect((await insert(database, real)).inserted).toEqual([real.id])
      const [record] = await database.sql`select status, charged_nano from usage_records`
      expect(record).toEqual({ status: 'completed', charged_nano: 70n })
      expect((await insert(database, lostTwin(real))).inserted).toEqual([])
      const [after] = await database.sql`select status, charged_nano from usage_records`
      expect(after).toEqual({ status: 'completed', charged_nano: 70n })
      const [{ balance_nano } = {}] = await database.sql`select balance_nano from users where id = ${user.id}`
      expect(balance_nano).toBe(930n)
    }))

  test('marks and receipts in any order, repeated and in any batches, leave exactly what the receipts alone leave (USE-3, BIL-12)', async () => {
    const users = [newId(), newId()]
    const receiptsOf = fc.array(
      fc.record({ user: fc.nat(1), hour: fc.nat(3), cost: fc.nat(50), firstTokenMs: fc.option(fc.nat(900)) }),
      { minLength: 1, maxLength: 6 },
    )
    const turns = fc.array(fc.record({ marks: fc.boolean(), which: fc.array(fc.nat(5), { maxLength: 5 }) }), {
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(receiptsOf, turns, async (drawn, batches) => {
        const receipts = drawn.map(({ user, hour, cost, firstTokenMs }) =>
          makeReceipt({
            ...{ userId: users[user]!, accountId: users[0]!, firstTokenMs, createdAtMs: NOON + hour * 3_600_000 },
            ...{ costNano: BigInt(cost), chargedNano: BigInt(cost), billingType: 'none' },
          }),
        )
        await withDatabase(async (plain) => {
          await insert(plain, ...receipts)
          await withDatabase(async (marked) => {
            for (const { marks, which } of batches) {
              const chosen = which.map((index) => receipts[index % receipts.length]!)
              await insert(marked, ...(marks ? chosen.map(lostTwin) : chosen))
            }
            await insert(marked, ...receipts)
            expect(await sumsOf(marked)).toEqual(await sumsOf(plain))
            expect(await findTotalsDrift(marked.sql)).toEqual([])
            expect(await findHourDrift(marked.sql)).toEqual([])
            expect(await findLedgerDrift(marked.sql)).toEqual([])
          })
        })
      }),
      { numRuns: 10 },
    )
  }, 60_000)
})
