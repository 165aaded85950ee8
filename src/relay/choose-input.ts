/** What a request asks of an account, as the pool understands it (ACC-1): its group's pool, the model, the endpoint, limits of model families. */
import type { ChooseInput } from '../core/account-pool.ts'
import type { Account } from '../core/entities.ts'
import { mayReach } from '../core/key.ts'
import type { PoolEntry } from '../core/pool-entry.ts'
import { providerFor } from '../providers/table.ts'
import { platformPool } from '../state/directory.ts'
import type { Health } from '../state/health.ts'
import type { Exchange } from './exchange.ts'

export interface ChooseInputDeps {
  health: Health
  nowMs(): number
}

export function toChooseInput(deps: ChooseInputDeps, exchange: Exchange, excluded: ReadonlySet<string>): ChooseInput {
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
    blockedFor: (entry) => deps.health.blocks(entry, askedFamily(entry, model), nowMs),
  }
}

/** KEY-5. Without a group, an account bound at any platform that can serve the protocol. */
export function boundAccountId({ policy, group, call }: Exchange): string | undefined {
  const bound = policy.key.boundAccounts
  if (group) return bound[group.platform]
  return call.protocol.platforms.map((platform) => bound[platform]).find((id) => id !== undefined)
}

/** What the vendor's wire calls a model that the account (its mapping) calls so. */
export function upstreamName(account: Account, model: string): string {
  return providerOf(account)?.envelope?.modelId(account, model) ?? model
}

/** Of the model that a client asks the account for. */
export function askedFamily({ account, mapper }: PoolEntry, model: string): string {
  return familyOf(account, upstreamName(account, mapper.map(model) ?? model))
}

/** Of the model that the account serves this request with. */
export function servedFamily({ upstreamModel, inspected }: Exchange, account: Account): string {
  return familyOf(account, upstreamModel ?? inspected?.model ?? '')
}

/** Models that share the account's limits. `model`: as the vendor's wire calls it. */
function familyOf(account: Account, model: string): string {
  return providerOf(account)?.familyOf(model) ?? model
}

const providerOf = (account: Account) => providerFor(account.platform, account.type)
