import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  adoptJournalFolder,
  isJournalFolderHeld,
  listDamagedJournals,
  listJournalFolders,
  takeJournalFolder,
} from '../../src/lib/journal-folders.ts'
import { temporaryFolders } from '../support/folder.ts'

const newFolder = temporaryFolders()

describe('folders of journals', () => {
  test('one that somebody holds is not adopted; one that its holder lost is, by one (OPS-1)', () => {
    const home = newFolder()
    const own = takeJournalFolder(home, Date.now())
    expect(adoptJournalFolder(home)).toBeNull()
    expect(isJournalFolderHeld(home, own.name)).toBe(true)
    own.release()
    expect(isJournalFolderHeld(home, own.name)).toBe(false)
    const adopted = adoptJournalFolder(home)
    expect(adopted?.name).toBe(own.name)
    expect(adoptJournalFolder(home)).toBeNull()
    adopted?.remove()
    expect(readdirSync(home)).toEqual([])
  })

  test('the oldest is adopted first, and one that is given back can be adopted again (OPS-1)', () => {
    const home = newFolder()
    const names = [1000, 2000, 3000]
      .map((at) => takeJournalFolder(home, at))
      .map((folder) => {
        folder.release()
        return folder.name
      })
    const [first, second] = [adoptJournalFolder(home), adoptJournalFolder(home)]
    expect([first?.name, second?.name]).toEqual(names.slice(0, 2))
    first?.release()
    expect(adoptJournalFolder(home)?.name).toBe(names[0])
    second?.release()
  })

  test('many processes at once: each left folder goes to exactly one (OPS-1)', async () => {
    const home = newFolder()
    for (let made = 0; made < 12; made++) takeJournalFolder(home, Date.now()).release()
    const script = `
      const { adoptJournalFolder } = await import(process.argv[1])
      let adopted = 0
      for (let folder = adoptJournalFolder(process.argv[2]); folder; folder = adoptJournalFolder(process.argv[2])) {
        adopted++
        folder.remove()
      }
      console.log(adopted)`
    const module = join(import.meta.dir, '../../src/lib/journal-folders.ts')
    const children = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, '-e', script, module, home], { stdout: 'pipe', stderr: 'inherit' }),
    )
    const counts = await Promise.all(children.map(async (child) => Number(await new Response(child.stdout).text())))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(12)
    expect(listJournalFolders(home)).toEqual([])
  })

  test('damaged ones are kept apart, where nobody adopts them (OPS-1)', () => {
    const home = newFolder()
    const own = takeJournalFolder(home, Date.now())
    writeFileSync(join(own.path, 'x.journal'), 'x')
    own.keepDamaged()
    expect(adoptJournalFolder(home)).toBeNull()
    expect(listDamagedJournals(home)).toEqual([own.name])
    expect(existsSync(join(home, 'damaged', own.name, 'x.journal'))).toBe(true)
  })

  test('a home that cannot be used says so, with its path and what to do (OPS-1)', () => {
    const home = join(newFolder(), 'file')
    writeFileSync(home, '')
    expect(() => takeJournalFolder(home, Date.now())).toThrow(/usage journal in .*file can't be used.*DATA_DIR/)
    expect(listJournalFolders(join(newFolder(), 'none'))).toEqual([])
  })

  test('what is half made by a process that died is never adopted (OPS-1)', () => {
    const home = newFolder()
    mkdirSync(join(home, '.new-x'))
    expect(adoptJournalFolder(home)).toBeNull()
  })
})
