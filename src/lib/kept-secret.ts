/**
 * A secret that is made once and kept in a file only its owner can read.
 *
 * Processes that start at once agree: the file appears whole (written aside, then linked), the first one wins and all read it.
 * If it fails: throws with the path; a file that is there but empty is an error, not a reason to make another secret, for
 * whatever was sealed with the first one would be lost.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

export interface KeptSecret {
  value: string
  /** True for the one process that made it. */
  made: boolean
}

export function keepSecret(path: string, make: () => string): KeptSecret {
  const kept = read(path)
  if (kept !== null) return { value: kept, made: false }
  mkdirSync(dirname(path), { recursive: true })
  const value = make()
  if (publish(path, value)) return { value, made: true }
  const theirs = read(path)
  if (theirs === null) throw new Error(`${path} vanished while it was being read`)
  return { value: theirs, made: false }
}

function read(path: string): string | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  if (text === '') throw new Error(`${path} is empty: restore it, or delete it to have a new secret made`)
  return text
}

/** False: another process was faster. */
function publish(path: string, value: string): boolean {
  const aside = `${path}.${process.pid}.${crypto.randomUUID()}`
  const file = openSync(aside, 'wx', 0o600)
  try {
    writeSync(file, `${value}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(aside, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    return copyTo(aside, path)
  } finally {
    unlinkSync(aside)
  }
}

/** For file systems without hard links. */
function copyTo(aside: string, path: string): boolean {
  try {
    copyFileSync(aside, path, constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
