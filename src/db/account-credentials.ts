/**
 * Credentials of accounts and proxies ↔ their sealed columns (ACC-8). Here is the only place that knows under which context
 * each is sealed. `rotateSecrets` re-seals all of them for `turnpike rotate-encryption-key`.
 */
import { desc, ne } from 'drizzle-orm'
import type { AccountCredentials } from '../core/entities.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import { accounts } from '../schema/accounts.ts'
import type { ProxyCredentials } from '../schema/proxies.ts'
import type { Db, Sql } from './client.ts'
import { sealedValueContext } from './sealed-values.ts'

const contextOf = (kind: 'account' | 'proxy', id: string) => `${kind}:${id}`

export function sealCredentials(box: Secretbox, accountId: string, credentials: AccountCredentials): string {
  return box.seal(JSON.stringify(credentials), contextOf('account', accountId))
}

export function openCredentials(box: Pick<Secretbox, 'open'>, accountId: string, sealed: string): AccountCredentials {
  return JSON.parse(box.open(sealed, contextOf('account', accountId))) as AccountCredentials
}

export function sealProxyCredentials(box: Secretbox, proxyId: string, credentials: ProxyCredentials): string {
  return box.seal(JSON.stringify(credentials), contextOf('proxy', proxyId))
}

function openProxyCredentials(box: Pick<Secretbox, 'open'>, proxyId: string, sealed: string): ProxyCredentials {
  return JSON.parse(box.open(sealed, contextOf('proxy', proxyId))) as ProxyCredentials
}

/** A proxy's full address, with the name and password that it wants. */
export function openProxyUrl(
  box: Pick<Secretbox, 'open'>,
  { id, url: stored, sealed }: { id: string; url: string; sealed: string | null },
): string {
  if (sealed === null) return stored
  const { username, password } = openProxyCredentials(box, id, sealed)
  const url = new URL(stored)
  url.username = encodeURIComponent(username)
  url.password = encodeURIComponent(password)
  return url.href
}

/** Is this the key that credentials are sealed under, as far as the newest few tell? True when there are none. */
export async function opensStoredCredentials(db: Db, box: Secretbox): Promise<boolean> {
  const rows = await db
    .select({ id: accounts.id, sealed: accounts.sealedCredentials })
    .from(accounts)
    .where(ne(accounts.sealedCredentials, ''))
    .orderBy(desc(accounts.id))
    .limit(10)
  return rows.length === 0 || rows.some(({ id, sealed }) => opens(box, id, sealed))
}

function opens(box: Secretbox, id: string, sealed: string): boolean {
  try {
    openCredentials(box, id, sealed)
    return true
  } catch {
    return false
  }
}

/** Where sealed text stands: table, its key, its column, and the context that it is sealed for. */
const SEALED = [
  { table: 'accounts', key: 'id', column: 'sealed_credentials', contextOf: (id: string) => contextOf('account', id) },
  { table: 'proxies', key: 'id', column: 'sealed_credentials', contextOf: (id: string) => contextOf('proxy', id) },
  { table: 'sealed_values', key: 'name', column: 'sealed', contextOf: sealedValueContext },
] as const

/**
 * Seals every secret again under the box's current key, in one transaction: afterwards none needs the previous key. Returns
 * how many were changed. Rows are locked against a token refresh at the same time.
 */
export async function rotateSecrets(sql: Sql, box: Secretbox): Promise<number> {
  return sql.begin(async (transaction) => {
    let changed = 0
    for (const { table, key, column, contextOf } of SEALED) {
      const names = { table: transaction(table), key: transaction(key), column: transaction(column) }
      const rows = await transaction<{ key: string; sealed: string }[]>`
        select ${names.key} as key, ${names.column} as sealed from ${names.table}
        where ${names.column} <> '' order by ${names.key} for update`
      for (const row of rows) {
        const rotated = box.rotate(row.sealed, contextOf(row.key))
        if (rotated === row.sealed) continue
        await transaction`update ${names.table} set ${names.column} = ${rotated} where ${names.key} = ${row.key}`
        changed++
      }
    }
    return changed
  })
}
