/**
 * Everything the request path knows about users, groups, keys and accounts, in memory (KEY-3): one Map look-up each, no await.
 * Entries are immutable and replaced whole when a change is heard of; the account pool follows along. No SQL: the loader is passed in.
 *
 * If it fails: a reload that throws leaves what was known in place, and the caller tries again.
 */
import { type AccountPool, createAccountPool } from '../core/account-pool.ts'
import type { Account, ApiKey, Group, User } from '../core/entities.ts'
import { compileKey, type KeyPolicy } from '../core/key.ts'
import { PLATFORMS, type Platform } from '../core/platform.ts'
import type { Subscription } from '../core/subscription.ts'

export type EntityKind = 'user' | 'group' | 'key' | 'account' | 'proxy' | 'subscription'

export interface DirectoryKey {
  key: ApiKey
  hash: string
  /** The hash before the last rotation, good until then (KEY-10). */
  previous: { hash: string; expiresAtMs: number } | null
}

export interface DirectoryLoader {
  loadAll(): Promise<{
    users: User[]
    groups: Group[]
    keys: DirectoryKey[]
    accounts: Account[]
    subscriptions: Subscription[]
  }>
  /** Null: gone. */
  loadUser(id: string): Promise<User | null>
  loadGroup(id: string): Promise<Group | null>
  loadKey(id: string): Promise<DirectoryKey | null>
  loadAccount(id: string): Promise<Account | null>
  loadSubscription(id: string): Promise<Subscription | null>
}

export interface Directory {
  load(): Promise<void>
  /** Reads one thing again, after it changed here or elsewhere. */
  reload(kind: EntityKind, id: string): Promise<void>
  findKeyBySecret(secret: string): KeyPolicy | null
  findKey(id: string): KeyPolicy | null
  findUser(id: string): User | null
  findGroup(id: string): Group | null
  findDefaultGroup(platform: Platform): Group | null
  /** A user's subscription to a group; its windows are as they were when it was read. */
  findSubscription(userId: string, groupId: string): Subscription | null
  findSubscriptionById(id: string): Subscription | null
  readonly pool: AccountPool
  readonly keyCount: number
}

export interface DirectoryDeps {
  loader: DirectoryLoader
  hashKey(secret: string): string
  /** Pools that an account is chosen from: its groups, or its whole platform in simple mode (ACC-13). */
  poolsOf(account: Account): readonly string[]
  nowMs(): number
}

/** In simple mode every account of a platform is a candidate (ACC-13). */
export const platformPool = (platform: Platform) => `platform:${platform}`

interface StoredKey {
  entry: DirectoryKey
  /** Compiled at first use: of 100,000 keys few are in use. */
  policy: KeyPolicy | null
}

export function createDirectory(deps: DirectoryDeps): Directory {
  const users = new Map<string, User>()
  const groups = new Map<string, Group>()
  const defaults = new Map<Platform, Group>()
  const subscriptions = new Map<string, Subscription>()
  const subscriptionOf = new Map<string, Subscription>()
  const keys = new Map<string, StoredKey>()
  const keysByHash = new Map<string, StoredKey>()
  const pool = createAccountPool(deps.poolsOf, deps.nowMs())
  /** Readings under way: which turn each thing was last put by, and what was read again since a `load` began. */
  const newest = new Map<string, number>()
  let turns = 0
  let reading = 0
  let heard: Map<string, { kind: EntityKind; id: string }> | null = null

  function putKey(entry: DirectoryKey): void {
    dropKey(entry.key.id)
    const stored: StoredKey = { entry, policy: null }
    keys.set(entry.key.id, stored)
    keysByHash.set(entry.hash, stored)
    if (entry.previous) keysByHash.set(entry.previous.hash, stored)
  }

  function dropKey(id: string): void {
    const old = keys.get(id)
    if (!old) return
    keys.delete(id)
    for (const hash of [old.entry.hash, old.entry.previous?.hash ?? '']) {
      if (keysByHash.get(hash) === old) keysByHash.delete(hash)
    }
  }

  function putGroup(group: Group): void {
    groups.set(group.id, group)
    refreshDefaults()
  }

  function refreshDefaults(): void {
    for (const platform of PLATFORMS) {
      defaults.delete(platform)
      for (const group of groups.values()) {
        if (group.isDefault && group.platform === platform) defaults.set(platform, group)
      }
    }
  }

  /** Of several (an ended one and its successor) the one that ends last. */
  function refreshSubscriptions(): void {
    subscriptionOf.clear()
    for (const subscription of subscriptions.values()) {
      if (subscription.status !== 'active') continue
      const place = `${subscription.userId} ${subscription.groupId}`
      const known = subscriptionOf.get(place)
      if (!known || known.expiresAtMs < subscription.expiresAtMs) subscriptionOf.set(place, subscription)
    }
  }

  function policyOf(stored: StoredKey): KeyPolicy {
    stored.policy ??= compileKey(stored.entry.key)
    return stored.policy
  }

  /** Reads one thing; what is returned puts it in its place. */
  async function read(kind: Exclude<EntityKind, 'proxy'>, id: string): Promise<() => void> {
    if (kind === 'user') {
      const user = await deps.loader.loadUser(id)
      return () => void (user ? users.set(id, user) : users.delete(id))
    }
    if (kind === 'group') {
      const group = await deps.loader.loadGroup(id)
      return () => {
        if (group) putGroup(group)
        else if (groups.delete(id)) refreshDefaults()
      }
    }
    if (kind === 'key') {
      const entry = await deps.loader.loadKey(id)
      return () => (entry ? putKey(entry) : dropKey(id))
    }
    if (kind === 'account') {
      const account = await deps.loader.loadAccount(id)
      return () => (account ? pool.put(account) : pool.remove(id))
    }
    const subscription = await deps.loader.loadSubscription(id)
    return () => {
      if (subscription) subscriptions.set(id, subscription)
      else subscriptions.delete(id)
      refreshSubscriptions()
    }
  }

  async function reload(kind: EntityKind, id: string): Promise<void> {
    if (kind === 'proxy') {
      // A proxy stands in each account that goes through it.
      const through = [...pool.entries()].filter((entry) => entry.account.proxy?.id === id)
      for (const entry of through) await reload('account', entry.account.id)
      return
    }
    const place = `${kind} ${id}`
    const turn = ++turns
    heard?.set(place, { kind, id })
    reading++
    try {
      const put = await read(kind, id)
      // Two readings of one thing may come back in the wrong order.
      if (turn < (newest.get(place) ?? 0)) return
      newest.set(place, turn)
      put()
    } finally {
      if (--reading === 0) newest.clear()
    }
  }

  async function load(): Promise<void> {
    const changed = new Map<string, { kind: EntityKind; id: string }>()
    heard = changed
    const all = await deps.loader.loadAll()
    users.clear()
    groups.clear()
    subscriptions.clear()
    keys.clear()
    keysByHash.clear()
    for (const user of all.users) users.set(user.id, user)
    for (const group of all.groups) groups.set(group.id, group)
    refreshDefaults()
    for (const subscription of all.subscriptions) subscriptions.set(subscription.id, subscription)
    refreshSubscriptions()
    for (const entry of all.keys) putKey(entry)
    const present = new Set(all.accounts.map((account) => account.id))
    for (const entry of [...pool.entries()]) if (!present.has(entry.account.id)) pool.remove(entry.account.id)
    for (const account of all.accounts) pool.put(account)
    if (heard === changed) heard = null
    // What changed while everything was read may be newer than that.
    await Promise.all(Array.from(changed.values(), ({ kind, id }) => reload(kind, id)))
  }

  return {
    load,
    reload,
    findKeyBySecret: (secret) => {
      const hash = deps.hashKey(secret)
      const stored = keysByHash.get(hash)
      if (!stored) return null
      const isCurrent = stored.entry.hash === hash || (stored.entry.previous?.expiresAtMs ?? 0) > deps.nowMs()
      return isCurrent ? policyOf(stored) : null
    },
    findKey: (id) => {
      const stored = keys.get(id)
      return stored ? policyOf(stored) : null
    },
    findUser: (id) => users.get(id) ?? null,
    findGroup: (id) => groups.get(id) ?? null,
    findSubscription: (userId, groupId) => subscriptionOf.get(`${userId} ${groupId}`) ?? null,
    findSubscriptionById: (id) => subscriptions.get(id) ?? null,
    findDefaultGroup: (platform) => defaults.get(platform) ?? null,
    pool,
    get keyCount() {
      return keys.size
    },
  }
}
