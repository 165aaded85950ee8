/**
 * Puts the embedded Postgres' programs where the server's user can run them.
 *
 * First choice is beside the data. Root's gateway runs the server as another user, who can't enter a directory below a
 * closed home (/root, say), and some disks are mounted noexec: then a cache directory of the machine is used.
 * Invariant: a directory `programs-<key>` is complete, on disk, and has run once; it gets its name by a rename after
 * all that.
 * If it fails: one line that says what was tried, why it failed, and to set DATABASE_URL.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syncFileSystem } from '../lib/sync-file-system.ts'
import type { ServerFiles } from './embedded-files.ts'
import { canReach, type ServerIdentity } from './embedded-identity.ts'

export interface ProgramsWanted {
  /** DATA_DIR/postgres. */
  home: string
  files: ServerFiles
  identity: ServerIdentity | null
  ownUid: number
  /** Where else to try, in this order. */
  caches?: string[]
}

const PARTIAL = 'partial-'
const ABANDONED_AFTER_MS = 3_600_000

/** The directory whose `bin/postgres` is ready to run. */
export async function installPrograms(wanted: ProgramsWanted): Promise<string> {
  const { home, files, identity, ownUid, caches = cacheDirectories(ownUid) } = wanted
  const reachable = (directory: string) => identity === null || canReach(directory, identity)
  const reasons = new Set<string>()
  for (const place of [files.inPlace, home, ...caches]) {
    if (place === null) continue
    try {
      if (caches.includes(place)) makeCacheDirectory(place, ownUid)
      if (!reachable(place)) throw new Error(`user ${identity?.uid} can't enter ${place}`)
      if (place !== files.inPlace) return await putOn(place, files, identity)
      await runOnce(place, identity)
      return place
    } catch (cause) {
      reasons.add((cause as Error).message)
    }
  }
  throw new Error(
    `The embedded Postgres can't run here: ${[...reasons].join('; ')}; set DATABASE_URL to use a Postgres server`,
  )
}

/** Programs of versions that no server of this data directory runs any more. Only for the holder of the server lock. */
export function removeOtherPrograms(home: string, inUse: string): void {
  for (const name of readdirSync(home)) {
    const path = join(home, name)
    if (name.startsWith('programs-') && path !== inUse) rmSync(path, { recursive: true })
  }
}

/**
 * Fills a directory under a temporary name and gives it its own once it is whole and on disk; a crash leaves no broken
 * half.
 */
export async function makeWhole(target: string, fill: (partial: string) => Promise<void>): Promise<void> {
  const shelf = join(target, '..')
  removeAbandoned(shelf)
  const partial = join(shelf, `${PARTIAL}${process.pid}-${Bun.randomUUIDv7('hex').slice(-8)}`)
  mkdirSync(partial, { mode: 0o700 })
  try {
    await fill(partial)
    syncFileSystem(partial)
    renameSync(partial, target)
    syncFileSystem(shelf)
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true })
    // Somebody else was quicker and made the same thing: its directory isn't empty, so the rename failed.
    if (!existsSync(target)) throw cause
  }
}

async function putOn(shelf: string, files: ServerFiles, identity: ServerIdentity | null): Promise<string> {
  const programs = join(shelf, `programs-${files.key}`)
  if (existsSync(programs)) return programs
  await makeWhole(programs, async (partial) => {
    await files.unpackPrograms(partial)
    openToAll(partial)
    await runOnce(partial, identity)
  })
  return programs
}

/** Tells everything at once: closed directories, noexec, another C library, a missing libstdc++. */
async function runOnce(programs: string, identity: ServerIdentity | null): Promise<void> {
  const command = [join(programs, 'bin/postgres'), '--version']
  const child = attempt(() => Bun.spawn(command, { ...identity, stdout: 'ignore', stderr: 'pipe' }))
  const said = await new Response(child.stderr).text()
  if ((await child.exited) === 0) return
  // "/where/it/is/postgres: error while loading shared libraries: …"
  const [line = ''] = said.trim().split('\n')
  throw new Error(line.split(': ').slice(1).join(': ') || 'it ended at once')
}

const SPAWN_FAULTS: Record<string, string> = {
  EPERM: 'this root may not run programs as another user (run turnpike as an ordinary user)',
  EACCES: 'programs may not be run from its directory (mounted noexec?)',
  ENOENT: 'the system has no glibc to run it with',
}

function attempt<T>(spawn: () => T): T {
  try {
    return spawn()
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    throw new Error(SPAWN_FAULTS[code] ?? message, { cause })
  }
}

function cacheDirectories(ownUid: number): string[] {
  const temporary = join(tmpdir(), `turnpike-${ownUid}`)
  return ownUid === 0 ? ['/var/cache/turnpike', temporary] : [temporary]
}

/**
 * What is run from here is run with our rights: in a shared place like /tmp it must be our own directory, closed to
 * other writers.
 */
function makeCacheDirectory(path: string, ownUid: number): void {
  if (!existsSync(path)) {
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o755)
  }
  const found = lstatSync(path)
  const oursAlone = found.isDirectory() && found.uid === ownUid && (found.mode & 0o022) === 0
  if (!oursAlone) throw new Error(`${path} is not ours alone`)
}

/** Readable by the server's user whatever our umask; writable by us only. */
function openToAll(path: string): void {
  const found = lstatSync(path)
  if (found.isSymbolicLink()) return
  chmodSync(path, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644)
  if (found.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name))
}

function removeAbandoned(shelf: string): void {
  for (const name of readdirSync(shelf)) {
    const path = join(shelf, name)
    if (!name.startsWith(PARTIAL)) continue
    const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > ABANDONED_AFTER_MS) rmSync(path, { recursive: true, force: true })
  }
}
