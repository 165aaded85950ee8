/**
 * Everything the request path needs to know, as core entities: read once at start, then one thing at a time as it changes. All
 * of it in one snapshot of the database, so that no key points to a group that is not there.
 *
 * Opening a secret is the caller's (`box`). One that does not open (another ENCRYPTION_KEY) makes that account unusable and
 * says why; it never keeps the others from serving.
 * If it fails: rejects; the caller keeps what it had.
 */
import { fromStoredBlocks } from '../core/account-block.ts'
import type { Account, AccountCredentials, ApiKey, Group, Proxy as UpstreamProxy, User } from '../core/entities.ts'
import type { Subscription } from '../core/subscription.ts'
import type { Secretbox } from '../lib/secretbox.ts'
import { openCredentials, openProxyUrl } from './account-credentials.ts'
import type { Sql, SqlTransaction } from './client.ts'
import * as rows from './directory-rows.ts'
import { asId } from './page.ts'

export interface KeyEntry {
  key: ApiKey
  /** HMAC in hex, as `hashApiKey` gives it. */
  hash: string
  /** The hash before the last rotation; good until then (KEY-10). */
  previous: { hash: string; expiresAtMs: number } | null
}

export interface Directory {
  users: User[]
  groups: Group[]
  keys: KeyEntry[]
  accounts: Account[]
  proxies: UpstreamProxy[]
  subscriptions: Subscription[]
}

/** What `loadOne` gives for each kind. */
export interface DirectoryEntries {
  user: User
  group: Group
  key: KeyEntry
  account: Account
  proxy: UpstreamProxy
  subscription: Subscription
}

type Opener = Pick<Secretbox, 'open'>

export async function loadDirectory(sql: Sql, box: Opener): Promise<Directory> {
  return sql.begin('isolation level repeatable read read only', async (transaction) => {
    const proxies = await readProxies(transaction, box, null)
    return {
      proxies,
      users: await rows.readUsers(transaction, null),
      groups: await rows.readGroups(transaction, null),
      keys: await rows.readKeys(transaction, null),
      accounts: await readAccounts(transaction, box, { id: null, proxies }),
      subscriptions: await rows.readSubscriptions(transaction, null),
    }
  })
}

/** Null: deleted, or never there. A changed proxy is also in its accounts: load those again with it. */
export async function loadOne<Kind extends keyof DirectoryEntries>(
  sql: Sql,
  box: Opener,
  { kind, id }: { kind: Kind; id: string },
): Promise<DirectoryEntries[Kind] | null> {
  const only = asId(id)
  const read: { [K in keyof DirectoryEntries]: () => Promise<DirectoryEntries[K][]> } = {
    user: () => rows.readUsers(sql, only),
    group: () => rows.readGroups(sql, only),
    key: () => rows.readKeys(sql, only),
    account: async () => readAccounts(sql, box, { id: only, proxies: await readProxies(sql, box, null) }),
    proxy: () => readProxies(sql, box, only),
    subscription: () => rows.readSubscriptions(sql, only),
  }
  return (await read[kind]())[0] ?? null
}

async function readProxies(sql: Sql | SqlTransaction, box: Opener, id: string | null): Promise<UpstreamProxy[]> {
  const stored = await rows.readProxies(sql, id)
  return stored.map(({ sealed, ...proxy }) => {
    try {
      return { ...proxy, url: openProxyUrl(box, { ...proxy, sealed }) }
    } catch {
      // Without its password it would only be refused: nobody is to be sent through it.
      return { ...proxy, status: 'disabled' }
    }
  })
}

async function readAccounts(
  sql: Sql | SqlTransaction,
  box: Opener,
  { id, proxies }: { id: string | null; proxies: readonly UpstreamProxy[] },
): Promise<Account[]> {
  const proxyById = new Map(proxies.map((proxy) => [proxy.id, proxy]))
  const stored = await rows.readAccounts(sql, id)
  return stored.map(({ sealed, proxyId, blocks, ...account }) => ({
    ...account,
    blocks: fromStoredBlocks(blocks),
    ...openOrExplain(box, account, sealed),
    proxy: proxyId === null ? null : (proxyById.get(proxyId) ?? null),
  }))
}

function openOrExplain(
  box: Opener,
  account: { id: string; status: Account['status']; errorMessage: string | null },
  sealed: string,
): { credentials: AccountCredentials; status: Account['status']; errorMessage: string | null } {
  const { status, errorMessage } = account
  try {
    return { credentials: openCredentials(box, account.id, sealed), status, errorMessage }
  } catch (error) {
    return { credentials: {}, status: 'error', errorMessage: (error as Error).message }
  }
}
