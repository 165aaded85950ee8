/**
 * One postmaster of the embedded Postgres: starts it, waits until it answers, ends it.
 *
 * The server is told `-D /proc/self/cwd`, its working directory: that link leads straight there, so a server that isn't
 * root works in a directory whose parents only root may enter (a gateway started in /root). It listens on one unix
 * socket in that directory and on no port. It gets a session of its own: Ctrl-C on the gateway must not stop the
 * database first. Its stdin is the server lock, which it thereby holds for as long as any of its processes lives.
 *
 * If it fails: the server's own words (the FATAL line of its log) in one line, with where to read more.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileLock } from '../lib/file-lock.ts'
import { clusterMark, isServerOf, readPostmasterFile } from './embedded-cluster.ts'
import { OWN_DIRECTORY } from './embedded-files.ts'
import type { ServerIdentity } from './embedded-identity.ts'

export interface PostmasterWanted {
  cluster: string
  programs: string
  identity: ServerIdentity | null
  logFile: string
  /** Held exclusively; the server inherits it. */
  lock: FileLock
  settings?: Record<string, string>
}

/** For a gateway's database on a small machine: idle it costs 18 MB (PSS, all processes together). */
const SETTINGS = {
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  max_connections: '50',
  // No huge pages, no compiler, no I/O workers, nobody to replicate to: each would cost memory at rest.
  shared_buffers: '48MB',
  huge_pages: 'off',
  jit: 'off',
  io_method: 'sync',
  max_wal_senders: '0',
  wal_level: 'minimal',
  max_logical_replication_workers: '0',
  // Parallel queries need /dev/shm, which containers keep small.
  max_parallel_workers_per_gather: '0',
  // At most this much to replay after a crash, and to keep on disk.
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  fsync: 'on',
  synchronous_commit: 'on',
  autovacuum: 'on',
  timezone: 'UTC',
  // Failed statements are the gateway's to log; here only what happens to the server itself, so that the file grows
  // slowly.
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
}

const POLL_MS = 3
/** Recovery after a crash takes seconds (max_wal_size bounds it); a very slow disk, minutes. */
export const START_LIMIT_MS = 300_000
const IMMEDIATE_LIMIT_MS = 5_000

/** Resolves once the server accepts connections, with its pid. */
export async function startPostmaster(wanted: PostmasterWanted): Promise<number> {
  const { cluster, programs, identity, logFile, lock } = wanted
  const settings = Object.entries({ ...SETTINGS, ...wanted.settings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const command = [join(programs, 'bin/postgres'), '-D', OWN_DIRECTORY, ...settings, '-c', clusterMark(cluster)]
  const log = openSync(logFile, 'a', 0o600)
  const stdio: [number, number, number] = [lock.fd, log, log]
  const child = Bun.spawn(command, {
    cwd: cluster,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio,
    detached: true,
    ...identity,
  })
  closeSync(log)
  child.unref()
  const ended = () => child.exitCode !== null || child.signalCode !== null
  await waitUntil(() => ended() || accepts(cluster, child.pid), START_LIMIT_MS)
  if (accepts(cluster, child.pid)) return child.pid
  throw new Error(
    `The embedded Postgres did not start: ${lastWords(logFile)} (more in ${logFile}); or set DATABASE_URL`,
  )
}

export interface Ending {
  cluster: string
  /** Are all processes of the server gone? */
  gone: () => boolean
  fastWithinMs: number
}

/**
 * Fast shutdown (connections end, a checkpoint is written); immediate if that takes too long, which the next start
 * recovers from.
 */
export async function stopPostmaster({
  cluster,
  gone,
  fastWithinMs,
}: Ending): Promise<'stopped' | 'killed' | 'out of reach'> {
  const pid = readPostmasterFile(cluster)?.pid
  const signal = (name: 'SIGINT' | 'SIGQUIT') => pid !== undefined && isServerOf(cluster, pid) && sent(pid, name)
  if (signal('SIGINT') && (await waitUntil(gone, fastWithinMs))) return 'stopped'
  if (gone()) return 'stopped'
  return signal('SIGQUIT') && (await waitUntil(gone, IMMEDIATE_LIMIT_MS)) ? 'killed' : 'out of reach'
}

/** False for another user's process, and for one that has just ended. */
function sent(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** False when `limitMs` passed first. */
export async function waitUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
  const started = performance.now()
  while (!condition()) {
    if (performance.now() - started > limitMs) return false
    await Bun.sleep(POLL_MS)
  }
  return true
}

function accepts(cluster: string, pid: number): boolean {
  const found = readPostmasterFile(cluster)
  return found?.ready === true && found.pid === pid
}

function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20)
  const line = lines.findLast((text) => / (FATAL|PANIC): /.test(text)) ?? lines.at(-1) ?? 'it said nothing'
  return line.replace(/^.*(?:FATAL|PANIC): +/, '')
}
