/** What becomes of receipts on their way to the database, as those see it that wait for them (BIL-13, USE-9). */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openReceipts, type ReceiptListener } from '../../src/app/open-receipts.ts'
import { readConfig } from '../../src/config/read-config.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createStack } from '../../src/lib/stack.ts'
import { createLiveStats } from '../../src/state/live-stats.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { temporaryFolders } from '../support/folder.ts'
import { makeReceipt } from '../support/receipts.ts'
import { until } from '../support/until.ts'

const newFolder = temporaryFolders()
let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

async function opened(listeners: readonly ReceiptListener[]) {
  const config = await readConfig({ environment: { DATA_DIR: newFolder(), FLUSH_INTERVAL_MS: '10' } })
  if ('problems' in config) throw new Error(config.problems.join())
  const stack = createStack({ stopTimeoutMs: 10_000 })
  const receipts = await openReceipts({ config, sql: database.sql, log: silentLog }, listeners, stack)
  return { ...receipts, stop: () => stack.stop() }
}

async function count({ id }: Receipt): Promise<number> {
  const rows = await database.sql`select 1 from usage_records where id = ${id}`
  return rows.length
}

test('one that can never be stored is not waited for by statistics and limits (USE-2, BIL-13)', async () => {
  const told: string[] = []
  const receipts = await opened([{ flushed: (recorded) => void told.push(...recorded.map(({ id }) => id)) }])
  const impossible = makeReceipt({ durationMs: -1 })
  receipts.add(impossible)
  // Not before the step that ends the request is over: its hold is settled in it.
  expect(told).toEqual([])
  await until(() => told.length > 0, { what: 'the word of it' })
  expect([told, receipts.status().backlog, await count(impossible)]).toEqual([[impossible.id], 0, 0])
  await receipts.stop()
})

test('statistics keep nothing of a receipt that can never be stored (USE-5)', async () => {
  const stats = createLiveStats({ timeZone: 'UTC', mostDetails: 10 })
  const receipts = await opened([stats])
  const impossible = makeReceipt({ durationMs: -1 })
  receipts.add(impossible)
  stats.record(impossible)
  await new Promise((resolve) => setImmediate(resolve))
  expect(stats.rebase().mark()).toEqual([])
  await receipts.stop()
})

test('a listener that fails keeps no record from being written, and no other listener from hearing of it (USE-9)', async () => {
  const told: string[] = []
  const receipts = await opened([
    { flushed: () => Promise.reject(new Error('a bug')) },
    { flushed: (recorded) => void told.push(...recorded.map(({ id }) => id)) },
  ])
  const receipt = makeReceipt()
  receipts.add(receipt)
  await receipts.flush()
  expect([told, receipts.status().backlog, receipts.status().failures]).toEqual([[receipt.id], 0, 0])
  expect(await count(receipt)).toBe(1)
  await receipts.stop()
})
