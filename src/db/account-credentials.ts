/**
 * Credentials of accounts and proxies ↔ their sealed columns (ACC-8). Here is the only place that knows under which context
 * each is sealed. `rotateSecrets` re-seals all of them for `turnpike rotate-encryption-key`.
 */
import type { AccountCredentials } from '../core/entities.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import type { ProxyCredentials } from '../schema/proxies.ts'
import type { Sql } from './client.ts'

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

export function openProxyCredentials(box: Pick<Secretbox, 'open'>, proxyId: string, sealed: string): ProxyCredentials {
  return JSON.parse(box.open(sealed, contextOf('proxy', proxyId))) as ProxyCredentials
}

/**
 * Seals every secret again under the box's current key, in one transaction: afterwards none needs the previous key. Returns
 * how many were changed. Rows are locked against a token refresh at the same time.
 */
export async function rotateSecrets(sql: Sql, box: Secretbox): Promise<number> {
  return sql.begin(async (transaction) => {
    let changed = 0
    for (const kind of ['account', 'proxy'] as const) {
      const table = transaction(kind === 'account' ? 'accounts' : 'proxies')
      const rows = await transaction<{ id: string; sealed: string }[]>`
        select id, sealed_credentials as sealed from ${table} where sealed_credentials <> '' order by id for update`
      for (const { id, sealed } of rows) {
        const rotated = box.rotate(sealed, contextOf(kind, id))
        if (rotated === sealed) continue
        await transaction`update ${table} set sealed_credentials = ${rotated} where id = ${id}`
        changed++
      }
    }
    return changed
  })
}
