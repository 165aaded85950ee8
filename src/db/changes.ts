/**
 * Tells every instance what an operator changed (KEY-3: within 2 s). NOTIFY is part of the writing transaction: it arrives
 * when the change is visible, and never when it was rolled back. Postgres folds equal notices of one transaction into one.
 *
 * If it fails: the listener reconnects by itself and says so with `onReconnect`; what was said meanwhile is lost, so the
 * caller loads everything again.
 */
import { sql as query } from 'drizzle-orm'
import type { Db, Sql } from './client.ts'

const CHANGE_KINDS = [
  'user',
  'group',
  'key',
  'account',
  'account_reset',
  'proxy',
  'subscription',
  'price',
  'setting',
  'admin_token',
  'statistics',
] as const
export type ChangeKind = (typeof CHANGE_KINDS)[number]

export interface Change {
  kind: ChangeKind
  /** The id; of a price the model, of a setting its name. */
  id: string
}

export const CHANNEL = 'turnpike_changes'

/** Call it inside the transaction that writes. */
export async function notifyChange(db: Db, kind: ChangeKind, id: string): Promise<void> {
  await db.execute(query`select pg_notify(${CHANNEL}, ${`${kind}:${id}`})`)
}

/** Gateways that run on this database now: each holds a connection that listens. Commands don't. */
export async function countListeners(sql: Sql): Promise<number> {
  const [row] = await sql<{ found: number }[]>`
    select count(*)::int as found from pg_stat_activity
    where datname = current_database() and query ilike ${`listen%${CHANNEL}%`}`
  return row?.found ?? 0
}

export interface ChangeListener {
  onChange(change: Change): void
  /** The connection was away: changes may have been missed. Not called for the first connection. */
  onReconnect(): void
}

/** Resolves when listening; the function ends it. */
export async function listenForChanges(sql: Sql, listener: ChangeListener): Promise<() => Promise<void>> {
  let connected = false
  const { unlisten } = await sql.listen(
    CHANNEL,
    (payload) => {
      const change = readChange(payload)
      if (change !== null) listener.onChange(change)
    },
    () => {
      if (connected) listener.onReconnect()
      connected = true
    },
  )
  return unlisten
}

/** Null for what an instance of another version may say. */
function readChange(payload: string): Change | null {
  const colon = payload.indexOf(':')
  const kind = payload.slice(0, colon) as ChangeKind
  return CHANGE_KINDS.includes(kind) ? { kind, id: payload.slice(colon + 1) } : null
}
