/** A transaction whose connection dies rejects; the process goes on, and so do the other users of the pool (OPS-5, OPS-11). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql as query } from 'drizzle-orm'
import { isDatabaseAway } from '../../src/db/away.ts'
import { connect, createDatabase, type SqlTransaction } from '../../src/db/client.ts'
import { type DatabaseGate, startDatabaseGate } from '../support/database-gate.ts'
import { type EmbeddedPlace, embeddedPlace } from '../support/embedded-place.ts'

let place: EmbeddedPlace
let gate: DatabaseGate
beforeAll(async () => {
  place = await embeddedPlace()
  gate = await startDatabaseGate(place)
  await gate.changeDirectly('create table things (name text)')
}, 60_000)
afterAll(async () => {
  await gate.stop()
  await place.clear()
}, 60_000)

/** Every connection is cut, without a word from the server. */
async function cut(): Promise<void> {
  await gate.shut()
  await gate.open()
}

/** Long enough for the close to arrive and for whatever the driver does about it. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const WORKS: Record<string, (transaction: SqlTransaction) => Promise<unknown>> = {
  'during a query': async (transaction) => {
    await transaction`insert into things values ('lost')`
    await Promise.all([transaction`select pg_sleep(5)`, cut()])
  },
  'between two queries, and the work goes on': async (transaction) => {
    await transaction`insert into things values ('lost')`
    await cut()
    await settle()
    await transaction`insert into things values ('late')`
  },
  'between two queries, and the work fails': async (transaction) => {
    await transaction`insert into things values ('lost')`
    await cut()
    await settle()
    throw new Error('for another reason')
  },
  'and the work ends well': async (transaction) => {
    await transaction`insert into things values ('lost')`
    await cut()
    await settle()
  },
  'within a savepoint': (transaction) =>
    transaction.savepoint(async (inner) => {
      await inner`insert into things values ('lost')`
      await Promise.all([inner`select pg_sleep(5)`, cut()])
    }),
}

describe('a transaction whose connection dies', () => {
  for (const [when, work] of Object.entries(WORKS)) {
    test(`${when}: it rejects as a database that is away, nothing of it is stored, the pool goes on (OPS-5)`, async () => {
      const sql = connect(gate.url, { max: 1, statementTimeoutMs: 10_000 })
      for (let round = 1; round <= 3; round++) {
        const error = await sql.begin(work).catch((reason: unknown) => reason)
        expect(isDatabaseAway(error)).toBe(true)
        await settle()
        // The first query on the new connection may still hear of the old one's end.
        await sql`select 1`.catch(() => {})
        const stored = await sql.begin(async (transaction) => {
          await transaction`insert into things values ('kept')`
          return transaction`select name from things`
        })
        expect([...stored]).toEqual(Array.from({ length: round }, () => ({ name: 'kept' })))
      }
      await sql.end()
      await gate.changeDirectly('truncate things')
    })
  }

  test('of an operator, too, nested or not (OPS-5)', async () => {
    const { db, close } = await createDatabase({ target: gate.url, adminConnections: 1 })
    const failing = db.transaction(async (outer) => {
      await outer.transaction(async (inner) => {
        await Promise.all([inner.execute(query`select pg_sleep(5)`), cut()])
      })
    })
    expect(isDatabaseAway(await failing.catch((reason: unknown) => reason))).toBe(true)
    await settle()
    await db.execute(query`select 1`).catch(() => {})
    expect(await db.transaction((transaction) => transaction.execute(query`select 2 as two`))).toMatchObject([
      { two: 2 },
    ])
    await close()
  })

  test('one that fails for another reason is rolled back as ever (BIL-12)', async () => {
    const sql = connect(gate.url, { max: 1, statementTimeoutMs: 10_000 })
    const failing = sql.begin(async (transaction) => {
      await transaction`insert into things values ('not')`
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    await expect(sql.begin((transaction) => transaction`select nonsense`)).rejects.toThrow('nonsense')
    expect([...(await sql`select * from things`)]).toEqual([])
    await sql.end()
  })
})
