/**
 * Which account serves this attempt: the key's own (KEY-5), the session's (ACC-4), else the pool's choice (ACC-3), else the fallback group's
 * (ACC-12). Takes its slot at once; with slots shared over instances, after asking for it.
 * What it decided, and why others were passed over, is written into the exchange (ACC-17).
 */
import type { Choice, ChooseInput } from '../core/account-pool.ts'
import { isFull, type PoolEntry } from '../core/pool-entry.ts'
import { andThen, type Later } from '../lib/later.ts'
import type { WaitQueue } from '../lib/wait-queue.ts'
import type { AccountSlots } from '../state/account-slots.ts'
import { boundAccountId, type ChooseInputDeps, toChooseInput, upstreamName } from './choose-input.ts'
import type { Exchange } from './exchange.ts'
import { explainChoice } from './explain-choice.ts'
import { type BindingDeps, boundEntry } from './session-binding.ts'

export interface ChooseDeps extends ChooseInputDeps, Omit<BindingDeps, 'health'> {
  slots: AccountSlots
  /** Those who wait for a slot of an account (ACC-7); whoever frees one offers it here. */
  queue: WaitQueue
  settings: { queueTimeoutMs: number; stickyWaitMs: number }
  nowMs(): number
}

/** `full`: every account that could serve is at its limit, and stayed so. `none`: there is none. */
export type Taken = Choice | 'full' | 'none'

/** Takes an account's slot: at once where one is free, else after waiting for it. Awaits nothing when it need not. */
export function takeAccount(deps: ChooseDeps, exchange: Exchange, tried: ReadonlySet<string>): Later<Taken> {
  const input = toChooseInput(deps, exchange, tried)
  const own = boundAccountId(exchange)
  return own === undefined ? takeFrom(deps, exchange, input) : takeOwn(deps, exchange, input, own)
}

/** Only the key's own account may serve it. */
function takeOwn(deps: ChooseDeps, exchange: Exchange, input: ChooseInput, accountId: string): Later<Taken> {
  const entry = deps.directory.pool.get(accountId)
  if (!entry) return miss(deps, exchange, input)
  const waitMs = deps.settings.queueTimeoutMs
  return andThen(takeThis(deps, exchange, input, { entry, waitMs }), (taken) =>
    taken === 'none' ? miss(deps, exchange, input) : taken,
  )
}

/** From one pool: the session's account while it can serve, and after a moment's wait for its warm cache (ACC-4); else any. */
function takeFrom(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): Later<Taken> {
  const waitMs = deps.settings.stickyWaitMs
  return andThen(boundEntry(deps, exchange, input.poolId), (entry) => {
    const taken = entry ? takeThis(deps, exchange, input, { entry, waitMs }) : 'none'
    return andThen(taken, (bound) => (typeof bound === 'object' ? bound : takeAny(deps, exchange, input)))
  })
}

/** This very account, waiting for it if it is only full. */
function takeThis(
  deps: ChooseDeps,
  exchange: Exchange,
  input: ChooseInput,
  { entry, waitMs }: { entry: PoolEntry; waitMs: number },
): Later<Taken> {
  const find = () => {
    const upstreamModel = deps.directory.pool.usable(entry, input)
    return upstreamModel === null ? null : { entry, upstreamModel }
  }
  return andThen(takeFirst(deps, exchange, input, find), (choice) => {
    if (choice) return choice
    return isOnlyFull(deps, input, entry) ? waitFor(deps, exchange, input, { waitMs, find }) : 'none'
  })
}

function takeAny(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): Later<Taken> {
  const find = () => deps.directory.pool.choose(input)
  return andThen(takeFirst(deps, exchange, input, find), (choice) => {
    if (choice) return choice
    if (miss(deps, exchange, input) === 'full') {
      return waitFor(deps, exchange, input, { waitMs: deps.settings.queueTimeoutMs, find })
    }
    const next = fallbackOf(deps, exchange, input.poolId)
    if (next === null) return 'none'
    exchange.choice = null
    return takeFrom(deps, exchange, { ...input, poolId: next })
  })
}

/** The group whose accounts help out when a group has none that can serve (ACC-12). One step only: its own fallback is not asked. */
function fallbackOf(deps: ChooseDeps, exchange: Exchange, poolId: string): string | null {
  const { group } = exchange
  if (!group || group.id !== poolId || group.fallbackGroupId === null) return null
  const fallback = deps.directory.findGroup(group.fallbackGroupId)
  return fallback?.status === 'active' && fallback.platform === group.platform ? fallback.id : null
}

async function waitFor(
  deps: ChooseDeps,
  exchange: Exchange,
  input: ChooseInput,
  { waitMs, find }: { waitMs: number; find(): Choice | null },
): Promise<Taken> {
  const attempt = () => {
    input.nowMs = deps.nowMs()
    return takeFirst(deps, exchange, input, find)
  }
  // It may have left while it waited for something else.
  if (exchange.clientGone) return 'full'
  const waiting = deps.queue.wait<Choice>({ lane: exchange.policy.key.id, timeoutMs: waitMs, attempt })
  if (!waiting) return 'full'
  exchange.onClientGone = waiting.leave
  const end = await waiting.end
  exchange.onClientGone = null
  return end.kind === 'served' ? end.value : 'full'
}

/** The first that is found and has a slot to give: one whose slots other instances hold is no longer found (OPS-4). */
function takeFirst(
  deps: ChooseDeps,
  exchange: Exchange,
  input: ChooseInput,
  find: () => Choice | null,
): Later<Choice | null> {
  const choice = find()
  if (choice === null) return null
  const explanation = exchange.choice ?? explainChoice(deps, exchange, input, choice.entry.account.id)
  return andThen(deps.slots.take(choice.entry), (slot) => {
    if (slot === null) return takeFirst(deps, exchange, input, find)
    const { account } = choice.entry
    exchange.choice = explanation
    exchange.slot = slot
    exchange.account = account
    exchange.upstreamModel = upstreamName(account, choice.upstreamModel)
    return { ...choice, upstreamModel: exchange.upstreamModel }
  })
}

/** Nobody in this pool can serve it now: is it only that they are full? */
function miss(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): 'full' | 'none' {
  const explanation = explainChoice(deps, exchange, input, null)
  exchange.choice = explanation
  return (explanation.passedOver.full ?? 0) > 0 ? 'full' : 'none'
}

function isOnlyFull(deps: ChooseDeps, input: ChooseInput, entry: PoolEntry): boolean {
  return (
    isFull(entry) && entry.park === null && deps.directory.pool.usable(entry, { ...input, ignoreFull: true }) !== null
  )
}
