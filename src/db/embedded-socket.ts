/**
 * How clients reach the embedded server: the socket in its cluster, and what postgres.js must be told.
 *
 * Knows that a socket's path has a limit: a longer one is reached through an open descriptor of its directory. (The
 * server itself listens on ".", which is never too long.) Such a target is good in this process only, until it is
 * released.
 */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { SOCKET_NAME } from './embedded-cluster.ts'
import { DATABASE_NAME } from './embedded-files.ts'

/** Options for postgres.js: a host that is a directory means the socket in it. */
export interface SocketTarget {
  host: string
  username: string
  database: string
}

/** sun_path holds 108 bytes with the closing zero (man 7 unix). */
const PATH_LIMIT_BYTES = 107

export function reachSocket(cluster: string): { target: SocketTarget; release(): void } {
  const targetAt = (host: string) => ({ host, username: DATABASE_NAME, database: DATABASE_NAME })
  if (Buffer.byteLength(join(cluster, SOCKET_NAME)) <= PATH_LIMIT_BYTES) {
    return { target: targetAt(cluster), release: () => {} }
  }
  const directory = openSync(cluster, 'r')
  return { target: targetAt(`/proc/self/fd/${directory}`), release: () => closeSync(directory) }
}

/** Does a query get an answer? Costs one connection, about 5 ms. */
export async function answers(target: SocketTarget): Promise<boolean> {
  const sql = postgres({ ...target, max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => {} })
  try {
    await sql`select 1`
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {})
  }
}
