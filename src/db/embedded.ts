/**
 * The embedded database (OPS-3): a real Postgres of our own under DATA_DIR, for whoever sets no DATABASE_URL.
 *
 * Below DATA_DIR/postgres: `cluster` (the data), `programs-…` (the server), `server.log`, and two lock files.
 * - `server.lock` is held by the server's own processes, so "is one alive?" is a question to the kernel: the answer
 *   can't go stale, whatever was killed, and whoever gets the lock may start a server.
 * - `users.lock` is shared by every process that uses the server. The last one out stops it. A gateway that was killed
 *   leaves the server running; the next one to start takes it over.
 * Everybody else sees only a connection for postgres.js; nothing tells it from a Postgres elsewhere.
 *
 * If it fails: start throws one clear line that ends in what to do. A server that dies later (the out-of-memory killer)
 * is started again within a second.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type FileLock, tryLockFile } from '../lib/file-lock.ts'
import { trimFile } from '../lib/trim-file.ts'
import { serverFiles } from './embedded-archive.ts'
import { isServerOf, prepareCluster, readPostmasterFile, removeLeftovers } from './embedded-cluster.ts'
import type { ServerFiles } from './embedded-files.ts'
import { type ServerIdentity, serverIdentity } from './embedded-identity.ts'
import { installPrograms, removeOtherPrograms } from './embedded-programs.ts'
import { START_LIMIT_MS, startPostmaster, stopPostmaster, waitUntil } from './embedded-server.ts'
import { answers, reachSocket, type SocketTarget } from './embedded-socket.ts'
import { startWatch } from './embedded-watch.ts'

export interface EmbeddedOptions {
  dataDir: string
  log: EmbeddedLog
  /** Where the server comes from; by default what this process carries. */
  files?: ServerFiles
  /** Postgres settings on top of ours: for tests. */
  settings?: Record<string, string>
  /** How often to look after the server; 0: never, the caller does. */
  watchEveryMs?: number
}

export interface EmbeddedLog {
  info(event: string, fields?: Record<string, unknown>): void
  warn(event: string, fields?: Record<string, unknown>): void
}

export interface EmbeddedDatabase {
  /** Options for postgres.js. */
  target: SocketTarget
  /** Did this call start the server, or was one running? */
  started: boolean
  /** Starts the server again if it is gone; true when it did. The watch calls it every second. */
  revive(): Promise<boolean>
  /** Gives our share back; the last one stops the server and waits for it. */
  stop(): Promise<void>
}

const LAST_ONE_LIMIT_MS = 30
const FAST_SHUTDOWN_LIMIT_MS = 30_000
const WATCH_EVERY_MS = 1000
/** The log and its one predecessor. */
const LOG_LIMIT_BYTES = 4 * 1024 * 1024

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The embedded database runs on Linux x64 only; set DATABASE_URL to use a Postgres server')
  }
  const place = openPlace(options)
  const users = await waitForShare(place)
  try {
    const began = performance.now()
    const started = await ensureServer(place)
    const tookMs = Math.round(performance.now() - began)
    options.log.info(started ? 'embedded database started' : 'embedded database found running', { tookMs })
    return databaseAt(place, users, started)
  } catch (cause) {
    users.release()
    throw cause
  }
}

/** One data directory's database: what does not change while we use it. */
interface Place {
  options: EmbeddedOptions
  home: string
  cluster: string
  serverLock: string
  usersLock: string
  logFile: string
  ownUid: number
  identity: ServerIdentity | null
}

function openPlace(options: EmbeddedOptions): Place {
  const home = join(resolve(options.dataDir), 'postgres')
  const cluster = join(home, 'cluster')
  const ownUid = process.geteuid?.() ?? 0
  try {
    // Others may pass through (the server's user on its way to its programs) but not look around.
    mkdirSync(home, { recursive: true, mode: 0o711 })
  } catch (cause) {
    throw new Error(
      `DATA_DIR can't be used: ${(cause as Error).message}; set DATA_DIR to a directory of ours, or DATABASE_URL`,
    )
  }
  return {
    options,
    home,
    cluster,
    serverLock: join(home, 'server.lock'),
    usersLock: join(home, 'users.lock'),
    logFile: join(home, 'server.log'),
    ownUid,
    identity: serverIdentity(cluster, ownUid),
  }
}

/** Nobody stops the server while we hold a share; while somebody does stop it, we wait. */
async function waitForShare(place: Place): Promise<FileLock> {
  const share = await waitForLock(place.usersLock, 'shared', START_LIMIT_MS)
  if (share !== null) return share
  throw new Error(`${place.usersLock} is held by a process that doesn't end; stop it, or set DATABASE_URL`)
}

async function waitForLock(path: string, kind: 'shared' | 'exclusive', limitMs: number): Promise<FileLock | null> {
  let lock: FileLock | null = null
  await waitUntil(() => {
    lock = tryLockFile(path, kind)
    return lock !== null
  }, limitMs)
  return lock
}

/**
 * Returns when a server answers; true if we started it. Any number of processes may do this at once: the lock picks
 * one.
 */
async function ensureServer(place: Place): Promise<boolean> {
  const deadline = performance.now() + START_LIMIT_MS
  while (performance.now() < deadline) {
    if (await launchIfGone(place)) return true
    if (await isServing(place)) return false
    await Bun.sleep(10)
  }
  throw new Error(`${place.serverLock} is held, but no server answers (see ${place.logFile}); or set DATABASE_URL`)
}

async function launchIfGone(place: Place): Promise<boolean> {
  const lock = tryLockFile(place.serverLock, 'exclusive')
  if (lock === null) return false
  try {
    // Alive without the lock: started by hand, or somebody deleted the lock file.
    if (runningPid(place) !== null) return false
    await launch(place, lock)
    return true
  } finally {
    lock.release()
  }
}

/** Data that vanished under us is not replaced by an empty database. */
async function relaunchIfGone(place: Place): Promise<boolean> {
  if (!existsSync(place.cluster)) throw new Error(`${place.cluster} is gone`)
  return launchIfGone(place)
}

async function launch({ options, home, cluster, logFile, ownUid, identity }: Place, lock: FileLock): Promise<void> {
  const files = options.files ?? (await serverFiles())
  const installing = installPrograms({ home, files, identity, ownUid })
  const preparing = prepareCluster({ into: cluster, programs: installing, identity }, files)
  // Side by side, a fifth faster; neither may go on alone after the lock is given back.
  await Promise.allSettled([installing, preparing])
  const programs = await installing
  await preparing
  removeLeftovers(cluster)
  trimFile(logFile, LOG_LIMIT_BYTES)
  await startPostmaster({ cluster, programs, identity, logFile, lock, settings: options.settings })
  removeOtherPrograms(home, programs)
}

function databaseAt(place: Place, users: FileLock, started: boolean): EmbeddedDatabase {
  const { log, watchEveryMs = WATCH_EVERY_MS } = place.options
  const socket = reachSocket(place.cluster)
  let reviving: Promise<boolean> | null = null
  let stopping: Promise<void> | null = null

  async function revive(): Promise<boolean> {
    if (stopping !== null) return false
    reviving ??= relaunchIfGone(place).finally(() => {
      reviving = null
    })
    const revived = await reviving
    if (revived) log.warn('embedded database had died and was started again', { logFile: place.logFile })
    return revived
  }

  const endWatch =
    watchEveryMs === 0
      ? () => {}
      : startWatch({
          revive,
          trimLog: () => trimFile(place.logFile, LOG_LIMIT_BYTES),
          onFailure: (cause) => log.warn('embedded database is down', { reason: cause.message }),
          everyMs: watchEveryMs,
        })

  async function stopOnce(): Promise<void> {
    endWatch()
    await reviving?.catch(() => {})
    users.release()
    // A server whose files are gone ends by itself within a minute.
    await leave(place).catch((cause: Error) => log.warn('embedded database not stopped', { reason: cause.message }))
    socket.release()
  }

  return {
    target: socket.target,
    started,
    revive,
    stop: () => {
      stopping ??= stopOnce()
      return stopping
    },
  }
}

/** The last one out turns off the light. */
async function leave(place: Place): Promise<void> {
  // Not at the first try only: a child process that is just being started has our share for an instant.
  const last = await waitForLock(place.usersLock, 'exclusive', LAST_ONE_LIMIT_MS)
  if (last === null) return
  try {
    const gone = () => isLockFree(place.serverLock) && runningPid(place) === null
    const end = await stopPostmaster({ cluster: place.cluster, gone, fastWithinMs: FAST_SHUTDOWN_LIMIT_MS })
    if (end !== 'stopped') place.options.log.warn('embedded database did not stop by itself', { end })
  } finally {
    last.release()
  }
}

async function isServing(place: Place): Promise<boolean> {
  if (readPostmasterFile(place.cluster)?.ready !== true) return false
  const socket = reachSocket(place.cluster)
  try {
    return await answers(socket.target)
  } finally {
    socket.release()
  }
}

function runningPid(place: Place): number | null {
  const pid = readPostmasterFile(place.cluster)?.pid
  return pid !== undefined && isServerOf(place.cluster, pid) ? pid : null
}

function isLockFree(path: string): boolean {
  const lock = tryLockFile(path, 'exclusive')
  lock?.release()
  return lock !== null
}
