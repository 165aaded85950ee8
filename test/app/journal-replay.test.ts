/** Journals of processes that died are brought into the database once, by whoever gets them first (OPS-1, BIL-13). */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { replayJournals } from '../../src/app/journal-replay.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { receiptLine } from '../../src/db/receipt-rows.ts'
import { insertReceiptLines } from '../../src/db/receipts.ts'
import { createJournal } from '../../src/lib/journal.ts'
import { listDamagedJournals, listJournalFolders, takeJournalFolder } from '../../src/lib/journal-folders.ts'
import { createLog } from '../../src/lib/log.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { temporaryFolders } from '../support/folder.ts'
import { makeReceipt } from '../support/receipts.ts'
import { seedUser } from '../support/seed.ts'

const newFolder = temporaryFolders()
let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** What a process leaves that dies with these in its journal: its folder. */
function leaveJournal(home: string, receipts: readonly Receipt[], segmentBytes = 2000): string {
  const folder = takeJournalFolder(home, Date.now())
  const journal = createJournal({ directory: folder.path, segmentBytes, syncMs: 1 })
  for (const receipt of receipts) journal.append(receiptLine(receipt))
  folder.release()
  return folder.path
}

function deps(home: string, lines: string[] = []) {
  return {
    home,
    store: async (batch: readonly string[]) => {
      const { rejected } = await insertReceiptLines(database.sql, batch, { timeZone: 'UTC' })
      expect(rejected).toEqual([])
    },
    linesAtOnce: 3,
    log: createLog({ write: (line) => lines.push(line), pretty: false }),
  }
}

const charges = (userId: string, count: number) =>
  Array.from({ length: count }, () => makeReceipt({ userId, billingType: 'balance', costNano: 1n, chargedNano: 1n }))

async function balanceOf(userId: string): Promise<bigint | undefined> {
  const [row] = await database.sql<
    { balance: bigint }[]
  >`select balance_nano as balance from users where id = ${userId}`
  return row?.balance
}

test('each record is charged once, also one that the dead process had written already; the folder goes (BIL-8, BIL-13)', async () => {
  const home = newFolder()
  const { id } = await seedUser(database.db, { balanceNano: 100n })
  const receipts = charges(id, 10)
  await deps(home).store(receipts.slice(0, 4).map(receiptLine))
  leaveJournal(home, receipts)
  expect(await replayJournals(deps(home))).toBe(10)
  expect(await balanceOf(id)).toBe(90n)
  expect(listJournalFolders(home)).toEqual([])
})

test('several at once, over the same folders: each record is charged once (OPS-1)', async () => {
  const home = newFolder()
  const { id } = await seedUser(database.db, { balanceNano: 100n })
  for (let left = 0; left < 4; left++) leaveJournal(home, charges(id, 5))
  const counts = await Promise.all([replayJournals(deps(home)), replayJournals(deps(home)), replayJournals(deps(home))])
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20)
  expect(await balanceOf(id)).toBe(80n)
})

test('one that cannot be written now is left whole for the next try (OPS-1)', async () => {
  const home = newFolder()
  const { id } = await seedUser(database.db, { balanceNano: 100n })
  leaveJournal(home, charges(id, 10))
  let batches = 0
  const failing = {
    ...deps(home),
    store: async (batch: readonly string[]) => {
      if (++batches > 1) throw new Error('the database is away')
      await deps(home).store(batch)
    },
  }
  await expect(replayJournals(failing)).rejects.toThrow('away')
  expect(await replayJournals(deps(home))).toBe(10)
  expect(await balanceOf(id)).toBe(90n)
})

test('a damaged one: what can be read is charged, it is told, and its files are kept for a person (OPS-1)', async () => {
  const home = newFolder()
  const lines: string[] = []
  const { id } = await seedUser(database.db, { balanceNano: 100n })
  const path = leaveJournal(home, charges(id, 3), 1_000_000)
  const file = join(path, readdirSync(path).find((name) => name.endsWith('.journal')) ?? '')
  const bytes = readFileSync(file)
  bytes[Math.floor(bytes.length / 2)] = 0
  writeFileSync(file, bytes)
  expect(await replayJournals(deps(home, lines))).toBe(2)
  expect(await balanceOf(id)).toBe(98n)
  expect(lines.join()).toContain('a usage journal is damaged')
  expect([listJournalFolders(home), listDamagedJournals(home).length]).toEqual([[], 1])
})

test('the torn end that a power cut leaves is no damage (OPS-1)', async () => {
  const home = newFolder()
  const { id } = await seedUser(database.db, { balanceNano: 100n })
  const path = leaveJournal(home, charges(id, 3))
  const files = readdirSync(path).filter((name) => name.endsWith('.journal'))
  appendFileSync(join(path, files.at(-1) ?? ''), Buffer.alloc(700))
  expect(await replayJournals(deps(home))).toBe(3)
  expect(listDamagedJournals(home)).toEqual([])
})
