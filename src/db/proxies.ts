/** Proxies. One that accounts still use is not deleted: their traffic would go out directly, which nobody asked for (REL-5). */
import { and, desc, eq, isNull, lt, sql } from 'drizzle-orm'
import { conflict, type Fault, isFault } from '../core/fault.ts'
import { newId } from '../lib/ids.ts'
import { accounts } from '../schema/accounts.ts'
import { type ProxyRow, proxies } from '../schema/proxies.ts'
import { notifyChange } from './changes.ts'
import type { Db } from './client.ts'
import { asId, decodeIdCursor, encodeCursor, type Page, type PageQuery, toPage } from './page.ts'
import { transact } from './transact.ts'

export type NewProxy = Pick<ProxyRow, 'name' | 'url' | 'sealedCredentials'> & Partial<Pick<ProxyRow, 'id' | 'status'>>
export type ProxyChanges = Partial<Pick<ProxyRow, 'name' | 'url' | 'sealedCredentials' | 'status'>>

export async function listProxies(db: Db, query: PageQuery): Promise<Page<ProxyRow> | Fault> {
  const before = decodeIdCursor(query.cursor)
  if (isFault(before)) return before
  const rows = await db
    .select()
    .from(proxies)
    .where(before === null ? undefined : lt(proxies.id, before))
    .orderBy(desc(proxies.id))
    .limit(query.limit + 1)
  return toPage(rows, query.limit, ({ id }) => encodeCursor(id))
}

export async function findProxyById(db: Db, id: string): Promise<ProxyRow | null> {
  const [row] = await db
    .select()
    .from(proxies)
    .where(eq(proxies.id, asId(id)))
  return row ?? null
}

/** Give the id when credentials are sealed for it. */
export async function insertProxy(db: Db, proxy: NewProxy): Promise<ProxyRow | Fault> {
  return transact(db, async (transaction) => {
    const [row] = await transaction
      .insert(proxies)
      .values({ id: newId(), ...proxy })
      .returning()
    await notifyChange(transaction, 'proxy', (row as ProxyRow).id)
    return row as ProxyRow
  })
}

export async function updateProxyById(db: Db, id: string, changes: ProxyChanges): Promise<ProxyRow | Fault | null> {
  return transact(db, async (transaction) => {
    const [row] = await transaction
      .update(proxies)
      .set({ ...changes, updatedAt: sql`now()` })
      .where(eq(proxies.id, asId(id)))
      .returning()
    if (row === undefined) return null
    await notifyChange(transaction, 'proxy', id)
    return row
  })
}

/** False: there was no such proxy. */
export async function deleteProxyById(db: Db, id: string): Promise<boolean | Fault> {
  return transact(db, async (transaction) => {
    const [proxy] = await transaction
      .select()
      .from(proxies)
      .where(eq(proxies.id, asId(id)))
      .for('update')
    if (proxy === undefined) return false
    const users = await transaction
      .select({ name: accounts.name })
      .from(accounts)
      .where(and(eq(accounts.proxyId, id), isNull(accounts.deletedAt)))
      .orderBy(accounts.id)
      .limit(4)
    if (users.length > 0) return conflict(null, `proxy ${proxy.name} is in use by ${namesOf(users)}`)
    // Deleted accounts point to it no more.
    await transaction.update(accounts).set({ proxyId: null }).where(eq(accounts.proxyId, id))
    await transaction.delete(proxies).where(eq(proxies.id, asId(id)))
    await notifyChange(transaction, 'proxy', id)
    return true
  })
}

function namesOf(users: { name: string }[]): string {
  const names = users.slice(0, 3).map(({ name }) => name)
  return `${users.length === 1 ? 'account' : 'accounts'} ${names.join(', ')}${users.length > 3 ? ' and others' : ''}`
}
