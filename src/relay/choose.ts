/**
 * Which account serves this attempt: the key's own (KEY-5), the session's (ACC-4), else the pool's choice (ACC-3), else the fallback group's
 * (ACC-12). Takes its slot at once; with slots shared over instances, after asking for it.
 * What it decided, and why others were passed over, is written into the exchange (ACC-17).
 */
import type { Choice } from '../core/account-pool.ts'
import { isFull, type PoolEntry } from '../core/pool-entry.ts'
import type { ChoiceExplained } from '../core/receipt.ts'
import { andThen, andThenWith, type Later } from '../lib/later.ts'
import type { WaitQueue } from '../lib/wait-queue.ts'
import type { AccountSlot, AccountSlots } from '../state/account-slots.ts'
import { AccountWish, type AccountWishDeps, boundAccountId, upstreamName } from './account-wish.ts'
import type { Exchange } from './exchange.ts'
import { explainChoice } from './explain-choice.ts'
import { type BindingDeps, boundEntry } from './session-binding.ts'

export interface ChooseDeps extends AccountWishDeps, Omit<BindingDeps, 'health'> {
  slots: AccountSlots
  /** Those who wait for a slot of an account (ACC-7); whoever frees one offers it here. */
  queue: WaitQueue
  settings: { queueTimeoutMs: number; stickyWaitMs: number }
  nowMs(): number
}

/** `full`: every account that could serve is at its limit, and stayed so. `none`: there is none. */
export type Taken = Choice | 'full' | 'none'

/** One search for an account: what each of its steps needs. */
interface Search {
  deps: ChooseDeps
  exchange: Exchange
  wish: AccountWish
}

/** … for this very account, or (null) for any of the pool; how long it is worth waiting for. */
interface Aim extends Search {
  entry: PoolEntry | null
  waitMs: number
}

interface AimAtOne extends Aim {
  entry: PoolEntry
}

/** Takes an account's slot: at once where one is free, else after waiting for it. Awaits nothing when it need not. */
export function takeAccount(deps: ChooseDeps, exchange: Exchange, tried: ReadonlySet<string>): Later<Taken> {
  const search = { deps, exchange, wish: new AccountWish(deps, exchange, tried) }
  const own = boundAccountId(exchange)
  return own === undefined ? takeFrom(search) : takeOwn(search, own)
}

/** Only the key's own account may serve it. */
function takeOwn(search: Search, accountId: string): Later<Taken> {
  const { deps } = search
  const entry = deps.directory.pool.get(accountId)
  if (!entry) return miss(search)
  const aim = { ...search, entry, waitMs: deps.settings.queueTimeoutMs }
  return andThen(takeThis(aim), (taken) => (taken === 'none' ? miss(search) : taken))
}

/** From one pool: the session's account while it can serve, and after a moment's wait for its warm cache (ACC-4); else any. */
function takeFrom(search: Search): Later<Taken> {
  const { deps, exchange, wish } = search
  return andThenWith(boundEntry(deps, exchange, wish.poolId), search, takeBound)
}

function takeBound(search: Search, entry: PoolEntry | null): Later<Taken> {
  if (entry === null) return takeAny(search)
  const { deps, exchange, wish } = search
  const aim = { deps, exchange, wish, entry, waitMs: deps.settings.stickyWaitMs }
  return andThenWith(takeThis(aim), search, orAny)
}

function orAny(search: Search, bound: Taken): Later<Taken> {
  return typeof bound === 'object' ? bound : takeAny(search)
}

/** This very account, waiting for it if it is only full. */
function takeThis(aim: AimAtOne): Later<Taken> {
  return andThenWith(takeFirst(aim), aim, orWaitForThis)
}

function orWaitForThis(aim: AimAtOne, choice: Choice | null): Later<Taken> {
  if (choice) return choice
  return isOnlyFull(aim) ? waitFor(aim) : 'none'
}

function takeAny({ deps, exchange, wish }: Search): Later<Taken> {
  const aim = { deps, exchange, wish, entry: null, waitMs: deps.settings.queueTimeoutMs }
  return andThenWith(takeFirst(aim), aim, orElsewhere)
}

function orElsewhere(aim: Aim, choice: Choice | null): Later<Taken> {
  if (choice) return choice
  if (miss(aim) === 'full') return waitFor(aim)
  const { deps, exchange, wish } = aim
  const next = fallbackOf(deps, exchange, wish.poolId)
  if (next === null) return 'none'
  exchange.choice = null
  return takeFrom({ deps, exchange, wish: wish.in(next) })
}

/** The group whose accounts help out when a group has none that can serve (ACC-12). One step only: its own fallback is not asked. */
function fallbackOf(deps: ChooseDeps, exchange: Exchange, poolId: string): string | null {
  const { group } = exchange
  if (!group || group.id !== poolId || group.fallbackGroupId === null) return null
  const fallback = deps.directory.findGroup(group.fallbackGroupId)
  return fallback?.status === 'active' && fallback.platform === group.platform ? fallback.id : null
}

async function waitFor(aim: Aim): Promise<Taken> {
  const { deps, exchange, wish, waitMs } = aim
  const attempt = () => {
    wish.nowMs = deps.nowMs()
    return takeFirst(aim)
  }
  // It may have left while it waited for something else.
  if (exchange.clientGone) return 'full'
  const waiting = deps.queue.wait<Choice>({ lane: exchange.policy.key.id, timeoutMs: waitMs, attempt })
  if (!waiting) return 'full'
  exchange.clientWatcher = { clientLeft: waiting.leave }
  const end = await waiting.end
  exchange.clientWatcher = null
  return end.kind === 'served' ? end.value : 'full'
}

function find({ deps, wish, entry }: Aim): Choice | null {
  const { pool } = deps.directory
  if (entry === null) return pool.choose(wish)
  const upstreamModel = pool.usable(entry, wish)
  return upstreamModel === null ? null : { entry, upstreamModel }
}

/** The first that is found and has a slot to give: one whose slots other instances hold is no longer found (OPS-4). */
function takeFirst(aim: Aim): Later<Choice | null> {
  const choice = find(aim)
  if (choice === null) return null
  const explanation = aim.exchange.choice ?? explainChoice(aim.deps, aim.exchange, aim.wish, choice.entry.account.id)
  return andThenWith(aim.deps.slots.take(choice.entry), { aim, choice, explanation }, withSlot)
}

interface Found {
  aim: Aim
  choice: Choice
  explanation: ChoiceExplained
}

function withSlot({ aim, choice, explanation }: Found, slot: AccountSlot | null): Later<Choice | null> {
  if (slot === null) return takeFirst(aim)
  const { exchange } = aim
  const { entry } = choice
  exchange.choice = explanation
  exchange.slot = slot
  exchange.account = entry.account
  exchange.upstreamModel = upstreamName(entry.account, choice.upstreamModel)
  return { entry, upstreamModel: exchange.upstreamModel }
}

/** Nobody in this pool can serve it now: is it only that they are full? */
function miss({ deps, exchange, wish }: Search): 'full' | 'none' {
  const explanation = explainChoice(deps, exchange, wish, null)
  exchange.choice = explanation
  return (explanation.passedOver.full ?? 0) > 0 ? 'full' : 'none'
}

function isOnlyFull({ deps, wish, entry }: AimAtOne): boolean {
  if (!isFull(entry) || entry.park !== null) return false
  return deps.directory.pool.usable(entry, wish.ignoringFull()) !== null
}
