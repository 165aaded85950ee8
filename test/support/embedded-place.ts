/**
 * Directories for tests of the embedded database, and server files that copy one ready cluster instead of running
 * initdb for each test (0.6 s).
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type Sql } from '../../src/db/client.ts'
import { type EmbeddedDatabase, type EmbeddedOptions, startEmbedded } from '../../src/db/embedded.ts'
import type { ServerFiles } from '../../src/db/embedded-files.ts'
import { giveTo, serverIdentity } from '../../src/db/embedded-identity.ts'
import { createCluster, filesFromPackage } from '../../src/db/embedded-package.ts'
import { spaciousDirectory } from './spacious-directory.ts'

export interface EmbeddedPlace {
  /** A new DATA_DIR that does not exist yet. */
  dataDir(): string
  files: ServerFiles
  start(dataDir: string, options?: Partial<EmbeddedOptions>): Promise<EmbeddedDatabase>
  /** Stops what tests left running. */
  clear(): Promise<void>
}

export async function embeddedPlace(): Promise<EmbeddedPlace> {
  const root = mkdtempSync(join(spaciousDirectory(), 'turnpike-embedded-'))
  chmodSync(root, 0o755)
  const template = join(root, 'template')
  mkdirSync(template, { mode: 0o700 })
  const packaged = filesFromPackage()
  const identity = serverIdentity(template, process.geteuid?.() ?? 0)
  await createCluster({ into: template, programs: Promise.resolve(packaged.inPlace ?? ''), identity })

  const files: ServerFiles = {
    ...packaged,
    createCluster: async (cluster) => {
      cpSync(template, cluster.into, { recursive: true })
      if (cluster.identity !== null) giveTo(cluster.identity, cluster.into)
    },
  }
  let made = 0
  const running: EmbeddedDatabase[] = []
  return {
    files,
    dataDir: () => join(root, `data-${made++}`),
    start: async (dataDir, options) => {
      const database = await startEmbedded({ dataDir, files, log: silent, watchEveryMs: 0, ...options })
      running.push(database)
      return database
    },
    clear: async () => {
      // One that fails must not leave the servers of the others running.
      await Promise.allSettled(running.map(({ stop }) => stop()))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const silent = { info: () => {}, warn: () => {} }

export async function query<T>(database: EmbeddedDatabase, use: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connect(database.target, { max: 1, statementTimeoutMs: 0 })
  try {
    return await use(sql)
  } finally {
    await sql.end({ timeout: 0 })
  }
}

export const clusterOf = (dataDir: string) => join(dataDir, 'postgres/cluster')

/** Of the running server; throws when there is none. */
export function serverPid(dataDir: string): number {
  return Number(readFileSync(join(clusterOf(dataDir), 'postmaster.pid'), 'utf8').split('\n')[0])
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie still has an entry, but no command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}
