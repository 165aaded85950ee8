/**
 * How each account is doing (ACC-6, ACC-11): cooldowns by cause and scope, circuit breakers, subscription windows. Decides nothing itself:
 * `core/cooldown` does; this room remembers, applies it to the pool and tells whoever keeps it (`onChange`).
 *
 * A block always has a cause, a source, a start and an end, and `reset` clears it (an operator's last word). Those that other instances, or
 * this one in an earlier life, have stored are taken over with the stored account (OPS-4).
 */
import { type AccountBlock, isLiveBlock } from '../core/account-block.ts'
import type { AccountPool } from '../core/account-pool.ts'
import { afterSuccess, type CooldownHistory, coolDown, NO_HISTORY } from '../core/cooldown.ts'
import type { Account } from '../core/entities.ts'
import type { Failure } from '../core/failure.ts'
import type { PoolEntry } from '../core/pool-entry.ts'
import { type AccountSnapshot, exhaustedUntil } from '../core/snapshot.ts'

export interface AccountHealth {
  blocks: AccountBlock[]
  snapshot: AccountSnapshot | null
}

export interface HealthChange {
  accountId: string
  /** What is new; exactly one of them. */
  block?: AccountBlock
  snapshot?: AccountSnapshot
}

export interface Health {
  noteFailure(accountId: string, failure: Failure): void
  /** With a model of this family. */
  noteSuccess(accountId: string, family: string): void
  noteSnapshot(accountId: string, snapshot: AccountSnapshot): void
  /** Is this family of models limited on this account now? */
  blocks(entry: PoolEntry, family: string, nowMs: number): boolean
  /** … and until when; null: it is not. */
  blockedUntilMs(entry: PoolEntry, family: string, nowMs: number): number | null
  /** Did it fail a moment ago, or is it only being probed? Others go first (ACC-5). */
  isSuspect(accountId: string, nowMs: number): boolean
  describe(accountId: string): AccountHealth
  /** Clears every cooldown and count (`POST /admin/accounts/{id}/reset`). */
  reset(accountId: string): void
  /** Accounts of which some model family may be limited: few, of however many. */
  limitedAccounts(): readonly string[]
  /** The stored account was read: its blocks count here too. An operator who sets it active has the last word over an error that was stored. */
  accountStored(account: Account): void
  forget(accountId: string): void
}

export interface HealthDeps {
  pool: AccountPool
  nowMs(): number
  onChange(change: HealthChange): void
}

/** How long one fault makes an account the second choice: as long as its circuit breaker remembers it. */
const SUSPECT_MS = 30_000

/** An error is in the database within this; a younger one may not be there yet. */
const STORED_WITHIN_MS = 5000

const NO_ACCOUNTS: readonly string[] = []
const NO_BLOCKS: readonly AccountBlock[] = []

interface State {
  history: CooldownHistory
  blocks: AccountBlock[]
  snapshot: AccountSnapshot | null
}

export function createHealth(deps: HealthDeps): Health {
  const states = new Map<string, State>()
  const limited = new Set<string>()

  function stateOf(accountId: string): State {
    let state = states.get(accountId)
    if (!state) {
      state = { history: NO_HISTORY, blocks: [], snapshot: null }
      states.set(accountId, state)
    }
    return state
  }

  /** False: a longer one is known. A longer cooldown is never shortened by a later answer (ACC-6). */
  function remember(accountId: string, block: AccountBlock): boolean {
    const state = stateOf(accountId)
    const known = state.blocks.find((other) => other.cause === block.cause && other.family === block.family)
    if (known && (known.untilMs === null || (block.untilMs !== null && block.untilMs <= known.untilMs))) return false
    state.blocks = [...state.blocks.filter((other) => other !== known && isLiveBlock(other, deps.nowMs())), block]
    if (block.family !== null) limited.add(accountId)
    return true
  }

  function block(accountId: string, block: AccountBlock): void {
    if (!remember(accountId, block)) return
    const entry = deps.pool.get(accountId)
    if (entry && block.family === null) deps.pool.park(entry, block.cause, block.untilMs)
    deps.onChange({ accountId, block })
  }

  function setHistory(accountId: string, history: CooldownHistory): void {
    stateOf(accountId).history = history
    const entry = deps.pool.get(accountId)
    if (entry) deps.pool.setProbing(entry, history.probing)
  }

  function stillLimited(): string[] {
    const nowMs = deps.nowMs()
    const isLimited = (block: AccountBlock) => block.family !== null && isLiveBlock(block, nowMs)
    for (const accountId of limited) if (!states.get(accountId)?.blocks.some(isLimited)) limited.delete(accountId)
    return [...limited]
  }

  return {
    noteFailure(accountId, failure) {
      const nowMs = deps.nowMs()
      const { cooldown, history } = coolDown(stateOf(accountId).history, failure, nowMs)
      setHistory(accountId, history)
      if (cooldown.kind === 'error') {
        const { message } = cooldown
        block(accountId, {
          cause: 'error',
          source: failure.cause,
          family: null,
          sinceMs: nowMs,
          untilMs: null,
          message,
        })
      } else if (cooldown.kind === 'until') {
        const { cause, source, family, untilMs } = cooldown
        block(accountId, { cause, source, family, sinceMs: nowMs, untilMs, message: failure.error?.message ?? null })
      }
    },
    noteSuccess(accountId, family) {
      const state = states.get(accountId)
      if (state && state.history !== NO_HISTORY) setHistory(accountId, afterSuccess(state.history, family))
    },
    noteSnapshot(accountId, snapshot) {
      stateOf(accountId).snapshot = snapshot
      deps.onChange({ accountId, snapshot })
      const untilMs = exhaustedUntil(snapshot, deps.nowMs())
      if (untilMs === null) return
      block(accountId, {
        cause: 'rate_limited',
        source: 'usage window at 100 %',
        family: null,
        sinceMs: deps.nowMs(),
        untilMs,
        message: null,
      })
    },
    blocks(entry, family, nowMs) {
      const { blocks = NO_BLOCKS } = states.get(entry.account.id) ?? {}
      for (const block of blocks) if (block.family === family && isLiveBlock(block, nowMs)) return true
      return false
    },
    blockedUntilMs(entry, family, nowMs) {
      const live = states.get(entry.account.id)?.blocks.filter((block) => isLiveBlock(block, nowMs)) ?? []
      const ends = live.filter((block) => block.family === family).map((block) => block.untilMs ?? nowMs)
      return ends.length === 0 ? null : Math.max(...ends)
    },
    isSuspect(accountId, nowMs) {
      const history = states.get(accountId)?.history
      if (!history || history === NO_HISTORY) return false
      return history.probing || nowMs - (history.faultsAtMs.at(-1) ?? Number.NEGATIVE_INFINITY) < SUSPECT_MS
    },
    describe(accountId) {
      const state = states.get(accountId)
      const nowMs = deps.nowMs()
      return {
        blocks: state?.blocks.filter((block) => isLiveBlock(block, nowMs)) ?? [],
        snapshot: state?.snapshot ?? null,
      }
    },
    limitedAccounts: () => (limited.size === 0 ? NO_ACCOUNTS : stillLimited()),
    reset(accountId) {
      states.delete(accountId)
      const entry = deps.pool.get(accountId)
      if (!entry) return
      deps.pool.setProbing(entry, false)
      deps.pool.unpark(entry)
    },
    accountStored({ id, status, blocks }) {
      // The status is the stored word about an error; a block of that cause only explains it.
      for (const block of blocks) if (block.cause !== 'error' && isLiveBlock(block, deps.nowMs())) remember(id, block)
      const state = states.get(id)
      const isOld = (block: AccountBlock) => deps.nowMs() - block.sinceMs > STORED_WITHIN_MS
      if (!state || status !== 'active') return
      state.blocks = state.blocks.filter((block) => block.cause !== 'error' || !isOld(block))
    },
    forget: (accountId) => void states.delete(accountId),
  }
}
