/**
 * The indexed structure from which an account is chosen (ACC-1, ACC-3): per group and priority, a heap by last use.
 *
 * Choosing looks at the top of one heap per kind of account (provider × names it supports), not at accounts: its cost does not
 * grow with the pool. An account that can't serve now (full, cooling down, disabled) is outside the heaps, counted by cause, and
 * comes back by `release` or when its time has come. Pure: the caller passes the time; the same calls give the same choices.
 */
import { createIndexedHeap } from '../lib/indexed-heap.ts'
import type { Account } from './entities.ts'
import { compileMapping } from './model-mapping.ts'
import {
  isFull,
  kindName,
  type ParkCause,
  type PoolEntry,
  type PoolKind,
  storedPark,
  usedBefore,
} from './pool-entry.ts'
import type { ChoiceExplained } from './receipt.ts'

export interface ChooseInput {
  poolId: string
  model: string
  nowMs: number
  /** Does this kind of account offer the operation? Asked once per kind, not per account. */
  offers(account: Account): boolean
  excluded: ReadonlySet<string>
  /** A limit of this account that concerns only some models (ACC-6): true = not now. */
  blockedFor?(entry: PoolEntry): boolean
  /** Failed a moment ago: passed over while another of its priority can serve, and in a retry while any other can. */
  suspect?(entry: PoolEntry): boolean
  isRetry?: boolean
  /** Ask `usable` as if a slot were free. */
  ignoreFull?: boolean
}

export interface Choice {
  entry: PoolEntry
  upstreamModel: string
}

export interface AccountPool {
  put(account: Account): void
  remove(accountId: string): void
  get(accountId: string): PoolEntry | undefined
  entries(): IterableIterator<PoolEntry>
  /** The kinds of account in a pool: a sample of each, and one that can serve now, if any. */
  kinds(poolId: string): { sample: Account; ready: Account | null }[]
  choose(input: ChooseInput): Choice | null
  /** Is this very account in the pool and able to serve now (sticky sessions, bound accounts)? Its upstream model, or null. */
  usable(entry: PoolEntry, input: ChooseInput): string | null
  /** Why a choice came out as it did: counts, O(kinds of account). */
  explain(input: ChooseInput): ChoiceExplained
  /** Takes a slot and marks it used, at once (ACC-3, ACC-7). False: it is full. */
  acquire(entry: PoolEntry): boolean
  release(entry: PoolEntry): void
  /** Out of the heaps until a time (null: until changed). A longer park is never shortened by a shorter one (ACC-6). */
  park(entry: PoolEntry, cause: ParkCause, untilMs: number | null): void
  /** Forgets what was learned about it; what the stored account says stays. */
  unpark(entry: PoolEntry): void
  /** One request at a time from now on, or no longer (ACC-6). */
  setProbing(entry: PoolEntry, probing: boolean): void
  /** Other instances hold its slots, or no longer (OPS-4). */
  setFullElsewhere(entry: PoolEntry, isFull: boolean): void
  /** Brings back every account whose time has come. Returns how many. */
  wake(nowMs: number): number
  readonly size: number
}

interface Tier {
  priority: number
  kinds: Map<string, PoolKind>
}

export function createAccountPool(poolsOf: (account: Account) => readonly string[], startMs: number): AccountPool {
  const entries = new Map<string, PoolEntry>()
  const pools = new Map<string, Tier[]>()
  const sleeping = createIndexedHeap<PoolEntry>((a, b) => (a.park?.untilMs ?? 0) < (b.park?.untilMs ?? 0))
  const expiring = createIndexedHeap<PoolEntry>((a, b) => (a.account.expiresAtMs ?? 0) < (b.account.expiresAtMs ?? 0))
  let useCounter = 0
  let lastWakeMs = startMs

  /** Puts the entry into or out of its heaps, and counts it, after anything about it changed. */
  function refresh(entry: PoolEntry): void {
    const out = entry.park?.cause ?? (isFull(entry) ? 'full' : null)
    for (const kind of entry.kinds) {
      if (out !== null) kind.ready.remove(entry)
      else if (kind.ready.has(entry)) kind.ready.update(entry)
      else kind.ready.add(entry)
      if (out !== entry.countedAs) {
        if (entry.countedAs) kind.out.set(entry.countedAs, (kind.out.get(entry.countedAs) ?? 0) - 1)
        if (out) kind.out.set(out, (kind.out.get(out) ?? 0) + 1)
      }
    }
    entry.countedAs = out
  }

  function attach(entry: PoolEntry): void {
    for (const poolId of poolsOf(entry.account)) {
      const kind = kindOf(tierOf(pools, poolId, entry.account.priority), entry.account)
      kind.members.add(entry)
      entry.kinds.push(kind)
    }
    if (entry.park?.untilMs) sleeping.add(entry)
    if (entry.account.expiresAtMs !== null && entry.park?.cause !== 'expired') expiring.add(entry)
    refresh(entry)
  }

  function detach(entry: PoolEntry): void {
    for (const kind of entry.kinds) {
      kind.ready.remove(entry)
      kind.members.delete(entry)
      if (entry.countedAs) kind.out.set(entry.countedAs, (kind.out.get(entry.countedAs) ?? 0) - 1)
    }
    sleeping.remove(entry)
    expiring.remove(entry)
    entry.kinds = []
    entry.countedAs = null
    for (const poolId of poolsOf(entry.account)) prune(pools, poolId)
  }

  function park(entry: PoolEntry, cause: ParkCause, untilMs: number | null): void {
    if (entry.park && (entry.park.untilMs === null || (untilMs !== null && untilMs <= entry.park.untilMs))) return
    sleeping.remove(entry)
    entry.park = { cause, untilMs }
    if (untilMs !== null) sleeping.add(entry)
    refresh(entry)
  }

  function wake(nowMs: number): number {
    lastWakeMs = nowMs
    let woken = 0
    for (let first = sleeping.peek(); first && (first.park?.untilMs ?? 0) <= nowMs; first = sleeping.peek()) {
      sleeping.remove(first)
      first.park = null
      refresh(first)
      woken++
    }
    for (let first = expiring.peek(); first && (first.account.expiresAtMs ?? 0) <= nowMs; first = expiring.peek()) {
      expiring.remove(first)
      park(first, 'expired', null)
    }
    return woken
  }

  function put(account: Account): void {
    const old = entries.get(account.id)
    if (old) detach(old)
    const entry: PoolEntry = old ?? newEntry(account)
    entry.account = account
    entry.mapper = compileMapping(account.modelMapping)
    // An edit of the account does not end a cooldown that it knows nothing of; `unpark` does.
    const live = entry.park?.untilMs && entry.park.untilMs > lastWakeMs ? entry.park : null
    entry.park = storedPark(account, lastWakeMs)
    if (live && (entry.park === null || (entry.park.untilMs !== null && entry.park.untilMs < (live.untilMs ?? 0)))) {
      entry.park = live
    }
    if (!old && account.lastUsedAtMs !== null) {
      // Stored uses order accounts among themselves after a restart; live ones come after all of them.
      entry.usedAt = account.lastUsedAtMs
      useCounter = Math.max(useCounter, account.lastUsedAtMs)
    }
    entries.set(account.id, entry)
    attach(entry)
  }

  function choose(input: ChooseInput): Choice | null {
    wake(input.nowMs)
    const tiers = pools.get(input.poolId) ?? []
    let fallback: PoolEntry | null = null
    for (const tier of tiers) {
      const sound = firstOfTier(tier, input, false)
      if (sound) return toChoice(sound, input)
      const suspect = input.suspect ? firstOfTier(tier, input, true) : null
      if (suspect && !input.isRetry) return toChoice(suspect, input)
      fallback ??= suspect
    }
    return fallback ? toChoice(fallback, input) : null
  }

  function explain(input: ChooseInput): ChoiceExplained {
    const passedOver: Record<string, number> = {}
    let candidates = 0
    for (const tier of pools.get(input.poolId) ?? []) {
      for (const kind of tier.kinds.values()) {
        candidates += kind.members.size
        if (!input.offers(kind.sample)) count(passedOver, 'endpoint', kind.members.size)
        else if (kind.mapper.map(input.model) === null) count(passedOver, 'model', kind.members.size)
        else for (const [cause, members] of kind.out) count(passedOver, cause, members)
      }
    }
    count(passedOver, 'excluded', input.excluded.size)
    return { candidates, passedOver, sticky: 'none' }
  }

  return {
    get size() {
      return entries.size
    },
    put,
    remove(accountId) {
      const entry = entries.get(accountId)
      if (!entry) return
      detach(entry)
      entries.delete(accountId)
    },
    get: (accountId) => entries.get(accountId),
    entries: () => entries.values(),
    kinds: (poolId) =>
      (pools.get(poolId) ?? []).flatMap((tier) =>
        [...tier.kinds.values()].map((kind) => ({ sample: kind.sample, ready: kind.ready.peek()?.account ?? null })),
      ),
    choose,
    usable(entry, input) {
      wake(input.nowMs)
      if (entry.park || (isFull(entry) && !input.ignoreFull) || input.excluded.has(entry.account.id)) return null
      if (!input.offers(entry.account) || input.blockedFor?.(entry)) return null
      return poolsOf(entry.account).includes(input.poolId) ? entry.mapper.map(input.model) : null
    },
    explain,
    acquire(entry) {
      if (isFull(entry)) return false
      entry.inFlight++
      entry.usedAt = ++useCounter
      refresh(entry)
      return true
    },
    release(entry) {
      if (entry.inFlight > 0) entry.inFlight--
      refresh(entry)
    },
    park,
    unpark(entry) {
      sleeping.remove(entry)
      entry.park = storedPark(entry.account, lastWakeMs)
      if (entry.park?.untilMs) sleeping.add(entry)
      refresh(entry)
    },
    setProbing(entry, probing) {
      if (entry.probing === probing) return
      entry.probing = probing
      refresh(entry)
    },
    setFullElsewhere(entry, isFull) {
      if (entry.fullElsewhere === isFull) return
      entry.fullElsewhere = isFull
      refresh(entry)
    },
    wake,
  }
}

function newEntry(account: Account): PoolEntry {
  return {
    account,
    mapper: compileMapping({}),
    usedAt: 0,
    inFlight: 0,
    probing: false,
    fullElsewhere: false,
    park: null,
    kinds: [],
    countedAs: null,
  }
}

function tierOf(pools: Map<string, Tier[]>, poolId: string, priority: number): Tier {
  const tiers = pools.get(poolId) ?? []
  pools.set(poolId, tiers)
  let tier = tiers.find((candidate) => candidate.priority === priority)
  if (!tier) {
    tier = { priority, kinds: new Map() }
    tiers.push(tier)
    tiers.sort((a, b) => a.priority - b.priority)
  }
  return tier
}

function kindOf(tier: Tier, account: Account): PoolKind {
  const name = kindName(account)
  let kind = tier.kinds.get(name)
  if (!kind) {
    const ready = createIndexedHeap(usedBefore)
    kind = { mapper: compileMapping(account.modelMapping), sample: account, ready, members: new Set(), out: new Map() }
    tier.kinds.set(name, kind)
  }
  return kind
}

/** Drops kinds and tiers that have lost their last member. */
function prune(pools: Map<string, Tier[]>, poolId: string): void {
  const tiers = pools.get(poolId)
  if (!tiers) return
  for (const tier of tiers) {
    for (const [name, kind] of tier.kinds) if (kind.members.size === 0) tier.kinds.delete(name)
  }
  const left = tiers.filter((tier) => tier.kinds.size > 0)
  if (left.length === 0) pools.delete(poolId)
  else if (left.length < tiers.length) pools.set(poolId, left)
}

function count(passedOver: Record<string, number>, cause: string, by: number): void {
  if (by > 0) passedOver[cause] = (passedOver[cause] ?? 0) + by
}

function toChoice(entry: PoolEntry, input: ChooseInput): Choice {
  return { entry, upstreamModel: entry.mapper.map(input.model) ?? input.model }
}

/** The least recently used account of a priority, sound or (when asked for) suspect. */
function firstOfTier(tier: Tier, input: ChooseInput, suspects: boolean): PoolEntry | null {
  let chosen: PoolEntry | null = null
  for (const kind of tier.kinds.values()) {
    if (kind.mapper.map(input.model) === null || !input.offers(kind.sample)) continue
    const entry = firstOf(kind, input, suspects)
    if (entry && (chosen === null || usedBefore(entry, chosen))) chosen = entry
  }
  return chosen
}

/** The least recently used account of a kind that this request may still use. Almost always the top of the heap: no walk is begun for that. */
function firstOf(kind: PoolKind, input: ChooseInput, suspects: boolean): PoolEntry | null {
  const top = kind.ready.peek()
  if (top === undefined || mayUse(top, input, suspects)) return top ?? null
  for (const entry of kind.ready.inOrder()) if (mayUse(entry, input, suspects)) return entry
  return null
}

function mayUse(entry: PoolEntry, input: ChooseInput, suspects: boolean): boolean {
  if (input.excluded.has(entry.account.id) || input.blockedFor?.(entry)) return false
  return (input.suspect?.(entry) ?? false) === suspects
}
