/**
 * Connections to Postgres: two clients, because drizzle() changes the parsers of the client it is given.
 *
 * `sql` (postgres.js raw): batches, loaders, reports, LISTEN; bigint comes back as bigint. `db` (drizzle): what operators do.
 * Connections are opened when first needed and reconnect by themselves; a query on a dead one rejects.
 * If it fails: `createDatabase` rejects with one sentence that names the server but no password.
 */
import type { PgDatabase } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { guardTransactions } from './guard-transactions.ts'
import { openServerSocket } from './server-socket.ts'

/** A URL, or the parts of one: how the embedded server's unix socket is named. */
export type Target = string | { host: string; port?: number; database: string; username: string; password?: string }

export type Sql = postgres.Sql<{ bigint: bigint }>
/** Inside `sql.begin(…)`. */
export type SqlTransaction = postgres.TransactionSql<{ bigint: bigint }>
/** Drizzle's database, or a transaction of it: every function of this room takes either. */
export type Db = PgDatabase<PostgresJsQueryResultHKT>

export interface Database {
  sql: Sql
  db: Db
  close(): Promise<void>
}

export interface DatabaseOptions {
  target: Target
  /** Connections of `sql` and of `db`. The sum × instances must stay below the server's max_connections. */
  rawConnections?: number
  adminConnections?: number
  /** A query of an operator that takes longer is cancelled by the server. */
  adminTimeoutMs?: number
}

const OLDEST_POSTGRES = 14
const CONNECT_TIMEOUT_SECONDS = 10
const MOST_BACKOFF_SECONDS = 1
/** Flushes and reports: far above what any of them takes, so that a stuck one ends at all. */
const RAW_TIMEOUT_MS = 120_000

export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const { target, rawConnections = 4, adminConnections = 6, adminTimeoutMs = 30_000 } = options
  const sql = connect(target, { max: rawConnections, statementTimeoutMs: RAW_TIMEOUT_MS })
  const adminClient = connect(target, { max: adminConnections, statementTimeoutMs: adminTimeoutMs })
  const close = async () => {
    await Promise.all([sql.end({ timeout: 5 }), adminClient.end({ timeout: 5 })])
  }
  try {
    await checkServer(sql, target)
  } catch (error) {
    await close()
    throw error
  }
  return { sql, db: drizzle(adminClient), close }
}

export interface ConnectOptions {
  max: number
  statementTimeoutMs: number
  /** The server ends a session that asked nothing for so long. */
  idleSessionTimeoutMs?: number
  /** A connection is gone; the next query opens another one. */
  onClose?(): void
}

/** One client. `max: 1` is a connection of its own: for migrations and everything that holds a session's lock. */
export function connect(target: Target, options: ConnectOptions): Sql {
  const { idleSessionTimeoutMs, onClose = () => {} } = options
  const settings = {
    max: options.max,
    // Saves each connection a query for the types of arrays, which no query here passes or returns.
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    // The driver's own waits up to 20 s between attempts, and so would an operator for a plain "it is away".
    backoff: (attempts: number) => Math.min(2 ** attempts / 100, MOST_BACKOFF_SECONDS),
    idle_timeout: 300,
    onnotice: () => {},
    onclose: onClose,
    types: { bigint: postgres.BigInt },
    // The driver's types know no `socket`, its documentation does.
    socket: openServerSocket,
    connection: {
      application_name: 'turnpike',
      statement_timeout: options.statementTimeoutMs,
      // A client that died in a transaction must not hold its locks for ever.
      idle_in_transaction_session_timeout: 60_000,
      TimeZone: 'UTC',
      ...(idleSessionTimeoutMs === undefined ? {} : { idle_session_timeout: idleSessionTimeoutMs }),
    },
  }
  return guardTransactions(
    typeof target === 'string' ? postgres(target, settings) : postgres({ ...target, ...settings }),
  )
}

/** Rejects when the server cannot be reached or is too old for partitioned primary keys and the like. */
export async function checkServer(sql: Sql, target: Target): Promise<void> {
  const [row] = await sql<{ number: string }[]>`select current_setting('server_version_num') as number`.catch(
    (error) => {
      throw new Error(`cannot reach Postgres at ${describeTarget(target)}: ${reasonOf(error)}`, { cause: error })
    },
  )
  const major = Math.floor(Number(row?.number) / 10_000)
  if (major < OLDEST_POSTGRES)
    throw new Error(`Postgres ${OLDEST_POSTGRES} or newer is needed; ${describeTarget(target)} runs ${major}`)
}

/** Host and database for a message: never the password. */
export function describeTarget(target: Target): string {
  if (typeof target !== 'string') return `${target.host}/${target.database}`
  try {
    const { host, pathname } = new URL(target)
    return `${host}${pathname}`
  } catch {
    return 'the address in DATABASE_URL'
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return message || code || 'no answer'
}
