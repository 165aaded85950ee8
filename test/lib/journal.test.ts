import { afterAll, describe, expect, test } from 'bun:test'
import { appendFileSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { createJournal, type Journal, type JournalOptions } from '../../src/lib/journal.ts'
import { temporaryFolders } from '../support/folder.ts'

const newFolder = temporaryFolders()
const opened: Journal[] = []
afterAll(() => Promise.all(opened.map((journal) => journal.close())))

function openJournal(directory = newFolder(), options: Partial<JournalOptions> = {}): Journal {
  const journal = createJournal({ directory, segmentBytes: 1000, syncMs: 1, ...options })
  opened.push(journal)
  return journal
}

async function readAll(journal: Journal, from = 0, most = 3): Promise<string[]> {
  const texts: string[] = []
  for (let position = from; position < journal.end; ) {
    const read = await journal.read(position, most)
    texts.push(...read.texts)
    position = read.next
  }
  return texts
}

const filesIn = (directory: string) => readdirSync(directory).sort()

describe('a journal', () => {
  test('is read back by the next process, in order, over as many files as it takes (OPS-1)', async () => {
    const directory = newFolder()
    const texts = Array.from({ length: 200 }, (_, index) => `record ${index}`)
    const journal = openJournal(directory)
    for (const text of texts) expect(journal.append(text)).toBe(true)
    expect(filesIn(directory).length).toBeGreaterThan(3)
    expect(await readAll(journal)).toEqual(texts)
    const next = openJournal(directory)
    expect(await readAll(next, 0, 1000)).toEqual(texts)
    expect([next.end, next.bytes]).toEqual([journal.end, journal.end])
  })

  test('holds a text when `append` returns, without a sync: another process sees it in the file (BIL-13)', () => {
    const directory = newFolder()
    const journal = openJournal(directory, { syncMs: 1_000_000 })
    journal.append('the record of a request')
    expect(readFileSync(join(directory, filesIn(directory)[0] ?? ''), 'utf8')).toContain('the record of a request')
  })

  test('gives back the disk as it is released, and all of it when everything is (OPS-1)', async () => {
    const directory = newFolder()
    const journal = openJournal(directory)
    for (let index = 0; index < 100; index++) journal.append(`record ${index}`)
    const before = filesIn(directory).length
    const { texts, next } = await journal.read(0, 60)
    journal.release(next)
    expect(filesIn(directory).length).toBeLessThan(before)
    expect(await readAll(journal, next)).toEqual(
      Array.from({ length: 100 - texts.length }, (_, i) => `record ${i + texts.length}`),
    )
    journal.release(journal.end)
    expect(journal.bytes).toBe(0)
    journal.append('after')
    expect(await readAll(journal, next)).toEqual(['after'])
    expect(await readAll(openJournal(directory))).toEqual(['after'])
  })

  test('what a power cut left at the end of a file is passed over, and nothing behind it is lost (OPS-1)', async () => {
    const directory = newFolder()
    const journal = openJournal(directory)
    journal.append('whole')
    journal.append('torn')
    const path = join(directory, filesIn(directory)[0] ?? '')
    truncateSync(path, readFileSync(path).length - 2)
    const next = openJournal(directory)
    next.append('later')
    const read = await next.read(0, 10)
    expect([read.texts, read.damagedBytes]).toEqual([['whole'], 0])
    expect(await readAll(next)).toEqual(['whole', 'later'])
    appendFileSync(path, Buffer.alloc(5000))
    expect(await readAll(openJournal(directory))).toEqual(['whole', 'later'])
  })

  test('damage in the middle is counted and stepped over (OPS-1)', async () => {
    const directory = newFolder()
    const journal = openJournal(directory)
    for (const text of ['first', 'second', 'third']) journal.append(text)
    const path = join(directory, filesIn(directory)[0] ?? '')
    const bytes = readFileSync(path)
    bytes[bytes.indexOf('second')] = 0x53
    writeFileSync(path, bytes)
    const read = await journal.read(0, 10)
    expect(read.texts).toEqual(['first', 'third'])
    expect(read.damagedBytes).toBe(12 + 'second'.length)
  })

  test('damage longer than any record does not end the reading (OPS-1)', async () => {
    const directory = newFolder()
    const journal = openJournal(directory, { segmentBytes: 2 ** 30 })
    journal.append('first')
    appendFileSync(join(directory, filesIn(directory)[0] ?? ''), Buffer.alloc(5_000_000, 0xff))
    const next = createJournal({ directory, segmentBytes: 2 ** 30, syncMs: 1 })
    opened.push(next)
    expect(await readAll(next)).toEqual(['first'])
  })

  test('whatever is appended, read and released, the rest is what was appended and not released (OPS-1)', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), text: fc.string({ maxLength: 400 }) }),
      fc.record({ do: fc.constant('consume' as const), most: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('reopen' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const directory = newFolder()
        let journal = openJournal(directory)
        let waiting: string[] = []
        let position = 0
        for (const action of steps) {
          if (action.do === 'append') {
            journal.append(action.text)
            waiting.push(action.text)
          } else if (action.do === 'consume') {
            const read = await journal.read(position, action.most)
            expect(read.texts).toEqual(waiting.slice(0, read.texts.length))
            waiting = waiting.slice(read.texts.length)
            position = read.next
            journal.release(position)
          } else {
            const all = await readAll(openJournal(directory))
            // What was released but shares a file with what was not comes again: the database knows it by its id.
            expect(all.slice(all.length - waiting.length)).toEqual(waiting)
            journal = openJournal(directory)
            position = 0
            waiting = all
          }
        }
        expect(await readAll(journal, position)).toEqual(waiting)
      }),
      { numRuns: 40 },
    )
  })
})

describe('the sync to the disk', () => {
  test('one that is asked for resolves when all before it is synced, and at once when there is nothing (OPS-1)', async () => {
    const journal = openJournal(newFolder(), { syncMs: 1_000_000 })
    await journal.synced()
    journal.append('a')
    const first = journal.synced()
    journal.append('b')
    const second = journal.synced()
    expect(journal.synced()).toBe(second)
    await Promise.all([first, second])
  })

  test('files that are full are synced and closed, not leaked (OPS-1)', async () => {
    const directory = newFolder()
    const journal = openJournal(directory, { segmentBytes: 50 })
    for (let index = 0; index < 50; index++) journal.append(`a record that fills a file, ${index}`)
    await journal.synced()
    const open = openFilesIn(directory)
    expect([open >= 1, open <= 2]).toEqual([true, true])
  })
})

/** This process's; descriptors may be closed by others while one looks. */
function openFilesIn(directory: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return targets.filter((target) => target.startsWith(directory)).length
}
