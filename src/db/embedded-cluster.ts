/**
 * The data directory of the embedded Postgres (a "cluster" in its own words): made once, then only looked at.
 *
 * Knows the files in it that outlive a crash: `postmaster.pid`, the socket and the socket's lock.
 * Invariant: whoever changes anything here holds the server lock, so no server is starting meanwhile.
 * If it fails: one line that names the directory and says what to do.
 */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type NewCluster, POSTGRES_MAJOR, type ServerFiles } from './embedded-files.ts'
import { giveTo } from './embedded-identity.ts'
import { makeWhole } from './embedded-programs.ts'

export const SOCKET_NAME = '.s.PGSQL.5432'

/** Makes the cluster if there is none (and programs to run it); refuses one that these programs can't read. */
export async function prepareCluster(cluster: NewCluster, files: ServerFiles): Promise<void> {
  const { into, programs, identity } = cluster
  if (existsSync(into)) {
    if (identity !== null && statSync(into).uid !== identity.uid) giveTo(identity, into)
  } else {
    await makeWhole(into, async (partial) => {
      await files.createCluster({ into: partial, programs, identity })
      await programs
    })
  }
  const major = readFileSync(join(into, 'PG_VERSION'), 'utf8').trim()
  if (major === POSTGRES_MAJOR) return
  throw new Error(
    `${into} was written by Postgres ${major}, this turnpike brings ${POSTGRES_MAJOR}: ` +
      `start the version that wrote it and move its data with pg_dump, or set DATABASE_URL`,
  )
}

/** What `postmaster.pid` says, or null when there is none. `ready`: connections are accepted. */
export function readPostmasterFile(cluster: string): { pid: number; ready: boolean } | null {
  try {
    // https://www.postgresql.org/docs/18/storage-file-layout.html: pid on line 1, status on line 8, padded with spaces.
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' }
  } catch {
    return null
  }
}

/**
 * Is `pid` a live server of this cluster? A server's working directory is its cluster: a reused number or a zombie is
 * none. Looking there takes the right to trace another user's process, which root lacks in a plain container; there the
 * mark on the command line tells as much.
 */
export function isServerOf(cluster: string, pid: number): boolean {
  try {
    const [own, its] = [statSync(cluster), statSync(`/proc/${pid}/cwd/`)]
    return own.dev === its.dev && own.ino === its.ino
  } catch {
    return commandLine(pid).includes(clusterMark(cluster))
  }
}

/** A setting that Postgres ignores and that no other cluster's server has on its command line. */
export function clusterMark(cluster: string): string {
  const { dev, ino } = statSync(cluster)
  return `turnpike.cluster=${dev}-${ino}`
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/**
 * Removes what a dead server left. Postgres judges its own left-overs by pid alone and would refuse to start when that
 * number lives again as another process, which is usual after a container restart.
 */
export function removeLeftovers(cluster: string): void {
  for (const name of ['postmaster.pid', SOCKET_NAME, `${SOCKET_NAME}.lock`])
    rmSync(join(cluster, name), { force: true })
}
