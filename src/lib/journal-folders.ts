/**
 * Who owns which journal (see ./journal). Each process writes to a folder of its own below `home`, locked for as long as it lives; a folder
 * that nobody holds was left by one that died, and whoever gets its lock first adopts it.
 *
 * Invariant: a folder appears under its name with its lock held already, so a fresh one can't be taken for a left one.
 * If it fails: a home that can't be used throws with its path and what to do.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type FileLock, tryLockFile } from './file-lock.ts'
import { newId } from './ids.ts'

export interface JournalFolder {
  name: string
  path: string
  /** The folder stays, for somebody else. */
  release(): void
  /** The folder goes: nothing in it is wanted any more. */
  remove(): void
  /** The same, but its files are kept in `home`/damaged for a person to look at. */
  keepDamaged(): void
}

const LOCK = 'lock'
const DAMAGED = 'damaged'
const UNFINISHED = '.new-'

/** A folder of our own. */
export function takeJournalFolder(home: string, nowMs: number): JournalFolder {
  const name = newId(nowMs)
  try {
    const unfinished = join(home, UNFINISHED + name)
    mkdirSync(unfinished, { recursive: true, mode: 0o700 })
    const lock = tryLockFile(join(unfinished, LOCK), 'exclusive')
    if (lock === null) throw new Error(`${unfinished} is locked already`)
    renameSync(unfinished, join(home, name))
    return toFolder(home, name, lock)
  } catch (error) {
    throw new Error(`the usage journal in ${home} can't be used: ${(error as Error).message}; see to DATA_DIR`)
  }
}

/** The oldest folder that nobody holds, locked for us; null: there is none. */
export function adoptJournalFolder(home: string): JournalFolder | null {
  for (const name of listJournalFolders(home)) {
    const lock = tryLock(home, name)
    if (lock) return toFolder(home, name, lock)
  }
  return null
}

/** Does somebody hold it? */
export function isJournalFolderHeld(home: string, name: string): boolean {
  const lock = tryLock(home, name)
  lock?.release()
  return lock === null
}

/** Oldest first. */
export function listJournalFolders(home: string): string[] {
  return namesIn(home).filter((name) => name !== DAMAGED && !name.startsWith(UNFINISHED))
}

export function listDamagedJournals(home: string): string[] {
  return namesIn(join(home, DAMAGED))
}

function toFolder(home: string, name: string, lock: FileLock): JournalFolder {
  const path = join(home, name)
  return {
    name,
    path,
    release: lock.release,
    remove() {
      rmSync(path, { recursive: true, force: true })
      lock.release()
    },
    keepDamaged() {
      mkdirSync(join(home, DAMAGED), { recursive: true, mode: 0o700 })
      renameSync(path, join(home, DAMAGED, name))
      lock.release()
    },
  }
}

/** Null as well when it has gone meanwhile: somebody else was faster. */
function tryLock(home: string, name: string): FileLock | null {
  try {
    const lock = tryLockFile(join(home, name, LOCK), 'exclusive')
    if (lock === null || namesIn(home).includes(name)) return lock
    lock.release()
    return null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR')
      return null
    throw error
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
