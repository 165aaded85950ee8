/**
 * Which account serves this attempt: the key's own (KEY-5), the session's (ACC-4), else the pool's choice (ACC-3). Takes its slot at once.
 * What it decided, and why others were passed over, is written into the exchange (ACC-17).
 */
import type { Choice, ChooseInput } from '../core/account-pool.ts'
import type { Account } from '../core/entities.ts'
import { mayReach } from '../core/key.ts'
import { isFull, type PoolEntry } from '../core/pool-entry.ts'
import type { ChoiceExplained } from '../core/receipt.ts'
import { sessionKey } from '../core/session.ts'
import type { WaitQueue } from '../lib/wait-queue.ts'
import { providerFor } from '../providers/table.ts'
import { type Directory, platformPool } from '../state/directory.ts'
import type { Health } from '../state/health.ts'
import type { Sticky } from '../state/sticky.ts'
import type { Exchange } from './exchange.ts'

export interface ChooseDeps {
  directory: Directory
  health: Health
  sticky: Sticky
  /** Those who wait for a slot of an account (ACC-7); whoever frees one offers it here. */
  queue: WaitQueue
  settings: { queueTimeoutMs: number; stickyWaitMs: number }
  nowMs(): number
}

/** `full`: every account that could serve is at its limit, and stayed so. `none`: there is none. */
export type Taken = Choice | 'full' | 'none'

/** Takes an account's slot: at once where one is free, else after waiting for it. Awaits nothing when it need not. */
export function takeAccount(deps: ChooseDeps, exchange: Exchange, tried: ReadonlySet<string>): Taken | Promise<Taken> {
  const input = toInput(deps, exchange, tried)
  const bound = boundEntry(deps, exchange, input)
  const choice = bound ? chooseThis(deps.directory, input, bound) : null
  if (choice) return take(deps, exchange, input, choice)
  // Only the key's own account may serve it; a session may move, but first waits a moment for its warm cache (ACC-4).
  const mustStay = boundAccountId(exchange) !== undefined
  if (bound && isOnlyFull(deps, input, bound)) {
    const waitMs = mustStay ? deps.settings.queueTimeoutMs : deps.settings.stickyWaitMs
    return waitFor(deps, exchange, input, { waitMs, find: () => chooseThis(deps.directory, input, bound) }).then(
      (taken) => (typeof taken === 'object' || mustStay ? taken : takeAny(deps, exchange, input)),
    )
  }
  return mustStay ? miss(deps, exchange, input) : takeAny(deps, exchange, input)
}

function takeAny(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): Taken | Promise<Taken> {
  const { pool } = deps.directory
  const choice = pool.choose(input)
  if (choice) return take(deps, exchange, input, choice)
  if (miss(deps, exchange, input) === 'none') {
    const next = fallbackOf(deps, exchange, input.poolId)
    return next === null ? 'none' : takeAny(deps, exchange, { ...input, poolId: next })
  }
  return waitFor(deps, exchange, input, { waitMs: deps.settings.queueTimeoutMs, find: () => pool.choose(input) })
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
    const choice = find()
    return choice === null ? null : take(deps, exchange, input, choice)
  }
  // It may have left while it waited for something else.
  if (exchange.clientGone) return 'full'
  const waiting = deps.queue.wait<Taken>({ lane: exchange.policy.key.id, timeoutMs: waitMs, attempt })
  if (!waiting) return 'full'
  exchange.onClientGone = waiting.leave
  const end = await waiting.end
  exchange.onClientGone = null
  return end.kind === 'served' ? end.value : 'full'
}

function take(deps: ChooseDeps, exchange: Exchange, input: ChooseInput, choice: Choice): Choice {
  if (exchange.choice === null) exchange.choice = explained(deps, exchange, input, choice)
  deps.directory.pool.acquire(choice.entry)
  const { account } = choice.entry
  exchange.entry = choice.entry
  exchange.account = account
  exchange.upstreamModel = upstreamName(account, choice.upstreamModel)
  return { ...choice, upstreamModel: exchange.upstreamModel }
}

/** Nobody can serve it now: is it only that they are full? */
function miss(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): 'full' | 'none' {
  exchange.choice = explained(deps, exchange, input, null)
  return (exchange.choice.passedOver.full ?? 0) > 0 ? 'full' : 'none'
}

/** After a success the session stays with this account; one that only served because the bound one could not for a moment does not take over. */
export function bindSession(deps: ChooseDeps, exchange: Exchange, accountId: string): void {
  if (exchange.session === null) return
  const bound = deps.sticky.find(exchange.session)
  if (bound !== null && bound !== accountId && isPassing(deps, bound)) return
  deps.sticky.bind(exchange.session, accountId)
}

/** Full or cooling down for minutes: the account comes back, and with it the session's warm prompt cache. */
function isPassing(deps: ChooseDeps, accountId: string): boolean {
  const entry = deps.directory.pool.get(accountId)
  if (!entry) return false
  return entry.park === null || (entry.park.untilMs !== null && entry.park.untilMs - deps.nowMs() < 300_000)
}

function toInput(deps: ChooseDeps, exchange: Exchange, excluded: ReadonlySet<string>): ChooseInput {
  const { operation, protocol } = exchange.call
  const model = exchange.inspected?.model ?? ''
  const nowMs = deps.nowMs()
  return {
    poolId: exchange.group?.id ?? platformPool(protocol.platform),
    model,
    nowMs,
    excluded,
    isRetry: exchange.attempts.length > 0,
    suspect: (entry) => deps.health.isSuspect(entry.account.id, nowMs),
    offers: (account) => {
      const provider = providerOf(account)
      if (!mayReach(exchange.policy.key, account.platform)) return false
      return provider?.speaks.includes(protocol.id) === true && !provider.lacks.includes(operation.id)
    },
    blockedFor: (entry) => {
      const family = familyOf(entry.account, entry.mapper.map(model) ?? model)
      return deps.health.blocks(entry, family, nowMs)
    },
  }
}

/** KEY-5. Without a group, an account bound at any platform that can serve the protocol. */
function boundAccountId({ policy, group, call }: Exchange): string | undefined {
  const bound = policy.key.boundAccounts
  if (group) return bound[group.platform]
  return call.protocol.platforms.map((platform) => bound[platform]).find((id) => id !== undefined)
}

const providerOf = (account: Account) => providerFor(account.platform, account.type)

/** What the vendor's wire calls a model that the account (its mapping) calls so. */
function upstreamName(account: Account, model: string): string {
  return providerOf(account)?.envelope?.modelId(account, model) ?? model
}

function familyOf(account: Account, model: string): string {
  return providerOf(account)?.familyOf(upstreamName(account, model)) ?? model
}

/** The account that this key, or else this session, belongs to. */
function boundEntry(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): PoolEntry | null {
  const keysOwn = boundAccountId(exchange)
  if (keysOwn !== undefined) return deps.directory.pool.get(keysOwn) ?? null
  exchange.session ??= sessionOf(exchange, input.poolId)
  const bound = exchange.session === null ? null : deps.sticky.find(exchange.session)
  return bound === null ? null : (deps.directory.pool.get(bound) ?? null)
}

function isOnlyFull(deps: ChooseDeps, input: ChooseInput, entry: PoolEntry): boolean {
  return (
    isFull(entry) && entry.park === null && deps.directory.pool.usable(entry, { ...input, ignoreFull: true }) !== null
  )
}

function chooseThis(directory: Directory, input: ChooseInput, entry: PoolEntry): Choice | null {
  const upstreamModel = directory.pool.usable(entry, input)
  return upstreamModel === null ? null : { entry, upstreamModel }
}

function sessionOf(exchange: Exchange, poolId: string): string | null {
  const { inspected, body, call, policy } = exchange
  if (!inspected) return null
  return sessionKey(
    {
      header: (name) => call.request.headers.get(name),
      bodyHint: inspected.sessionHint,
      model: inspected.model,
      prefix: inspected.prefixSpans.map(({ start, end }) => body.subarray(start, end)),
      poolId,
      keyId: policy.key.id,
    },
    createHasher(),
  )
}

/** Not cryptographic: the key's scope is in clear before it, so that a collision is found only among one's own sessions. */
function createHasher() {
  let state = 0n
  return {
    add(part: string | Uint8Array) {
      state = Bun.hash.wyhash(part, state)
    },
    hex: () => state.toString(16),
  }
}

function explained(deps: ChooseDeps, exchange: Exchange, input: ChooseInput, choice: Choice | null): ChoiceExplained {
  const bound = exchange.session === null ? null : deps.sticky.find(exchange.session)
  const outcome = bound === null ? 'miss' : bound === choice?.entry.account.id ? 'hit' : 'moved'
  return { ...deps.directory.pool.explain(input), sticky: exchange.session === null ? 'none' : outcome }
}
