import { expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { examineJournals } from '../../src/admin/doctor-journal.ts'
import { receiptLine } from '../../src/db/receipt-rows.ts'
import { createJournal } from '../../src/lib/journal.ts'
import { takeJournalFolder } from '../../src/lib/journal-folders.ts'
import { temporaryFolders } from '../support/folder.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'

const newFolder = temporaryFolders()

function leave(home: string, createdAtMs: readonly number[]) {
  const folder = takeJournalFolder(home, NOON)
  const journal = createJournal({ directory: folder.path, segmentBytes: 1e6, syncMs: 1 })
  for (const at of createdAtMs) journal.append(receiptLine(makeReceipt({ createdAtMs: at })))
  return folder
}

test('no journal at all, and one with nothing in it, are as they should be (OPS-1)', async () => {
  const home = newFolder()
  const fine = [{ what: 'journal', message: 'nothing waits for the database', advice: null }]
  expect(await examineJournals(join(home, 'none'), NOON)).toEqual(fine)
  leave(home, [])
  expect(await examineJournals(home, NOON)).toEqual(fine)
})

test('what waits in the journal of a running gateway is a fault only when it waits for long (OPS-1)', async () => {
  const home = newFolder()
  const folder = leave(home, [NOON - 500, NOON - 1000])
  const [finding] = await examineJournals(home, NOON)
  expect(finding).toMatchObject({ advice: null })
  expect(finding?.message).toMatch(
    /^2 records wait for the database \(\d+ bytes, the oldest since 2026-07-24T11:59:59.000Z\)$/,
  )
  expect((await examineJournals(home, NOON + 120_000))[0]?.advice).toContain('the database takes no records')
  folder.release()
  expect((await examineJournals(home, NOON))[0]?.advice).toContain('start turnpike serve')
})

test('looking changes nothing (OPS-1)', async () => {
  const home = newFolder()
  leave(home, [NOON]).release()
  const state = () => readdirSync(home, { recursive: true, encoding: 'utf8' }).sort()
  const before = state()
  await examineJournals(home, NOON)
  expect(state()).toEqual(before)
})

test('damage is a fault, in a journal and put aside (OPS-1)', async () => {
  const home = newFolder()
  const folder = leave(home, [NOON, NOON, NOON])
  const file = join(folder.path, readdirSync(folder.path).find((name) => name.endsWith('.journal')) ?? '')
  const bytes = readFileSync(file)
  bytes[Math.floor(bytes.length / 2)] = 0
  writeFileSync(file, bytes)
  const [inUse] = await examineJournals(home, NOON)
  expect(inUse?.message).toMatch(/^2 records wait .*; \d+ bytes are damaged\)$/)
  expect(inUse?.advice).not.toBeNull()
  folder.keepDamaged()
  expect(await examineJournals(home, NOON)).toMatchObject([{ advice: 'look at it and at the disk, then delete it' }])
})

test('a journal that cannot be read is a fault, with what to do (OPS-1)', async () => {
  const home = newFolder()
  const folder = leave(home, [])
  mkdirSync(join(folder.path, '0000000009.journal'))
  expect(await examineJournals(home, NOON)).toMatchObject([
    { advice: 'see to the permissions and the disk of DATA_DIR' },
  ])
})
