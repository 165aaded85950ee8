/**
 * Which account serves this attempt: the key's own (KEY-5), the session's (ACC-4), else the pool's choice (ACC-3). Takes its slot at once.
 * Never awaits. What it decided, and why others were passed over, is written into the exchange (ACC-17).
 */
import type { Choice, ChooseInput } from '../core/account-pool.ts'
import type { Account } from '../core/entities.ts'
import { mayReach } from '../core/key.ts'
import { sessionKey } from '../core/session.ts'
import { providerFor } from '../providers/table.ts'
import { type Directory, platformPool } from '../state/directory.ts'
import type { Health } from '../state/health.ts'
import type { Sticky } from '../state/sticky.ts'
import type { Exchange } from './exchange.ts'

export interface ChooseDeps {
  directory: Directory
  health: Health
  sticky: Sticky
  nowMs(): number
}

export function choose(deps: ChooseDeps, exchange: Exchange, tried: ReadonlySet<string>): Choice | null {
  const input = toInput(deps, exchange, tried)
  const boundId = boundAccountId(exchange)
  const session = boundId === undefined ? sessionChoice(deps, exchange, input) : null
  const found =
    boundId === undefined ? (session ?? deps.directory.pool.choose(input)) : chooseThis(deps.directory, input, boundId)
  const choice = found && { ...found, upstreamModel: upstreamName(found.entry.account, found.upstreamModel) }
  explain(deps, exchange, input, choice, session !== null)
  if (!choice || !deps.directory.pool.acquire(choice.entry)) return null
  exchange.entry = choice.entry
  exchange.account = choice.entry.account
  exchange.upstreamModel = choice.upstreamModel
  return choice
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

function sessionChoice(deps: ChooseDeps, exchange: Exchange, input: ChooseInput): Choice | null {
  exchange.session ??= sessionOf(exchange, input.poolId)
  const bound = exchange.session === null ? null : deps.sticky.find(exchange.session)
  return bound === null ? null : chooseThis(deps.directory, input, bound)
}

function chooseThis(directory: Directory, input: ChooseInput, accountId: string): Choice | null {
  const entry = directory.pool.get(accountId)
  const upstreamModel = entry ? directory.pool.usable(entry, input) : null
  return entry && upstreamModel !== null ? { entry, upstreamModel } : null
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

function explain(
  deps: ChooseDeps,
  exchange: Exchange,
  input: ChooseInput,
  choice: Choice | null,
  fromSession: boolean,
): void {
  if (exchange.choice !== null && choice !== null) return
  const explained = deps.directory.pool.explain(input)
  const bound = exchange.session === null ? null : deps.sticky.find(exchange.session)
  explained.sticky = exchange.session === null ? 'none' : fromSession ? 'hit' : bound === null ? 'miss' : 'moved'
  exchange.choice = explained
}
