/** What a request asks of an account, as the pool understands it (ACC-1): its group's pool, the model, the endpoint, limits of model families. */
import type { ChooseInput } from '../core/account-pool.ts'
import type { Account } from '../core/entities.ts'
import { mayReach } from '../core/key.ts'
import type { PoolEntry } from '../core/pool-entry.ts'
import { providerFor } from '../providers/table.ts'
import { platformPool } from '../state/directory.ts'
import type { Health } from '../state/health.ts'
import type { Exchange } from './exchange.ts'

export interface AccountWishDeps {
  health: Health
  nowMs(): number
}

/** What a wish does not mind. */
interface Leniency {
  /** Accounts at their limit of requests at a time. */
  ignoreFull: boolean
  /** Limits of model families. */
  ignoreLimits: boolean
}

const STRICT: Leniency = { ignoreFull: false, ignoreLimits: false }

/** Its questions are methods: as closures they would be made for every request. Asked again after a wait, `nowMs` is set first. */
export class AccountWish implements ChooseInput {
  poolId: string
  readonly model: string
  readonly isRetry: boolean
  readonly ignoreFull: boolean
  readonly ignoreLimits: boolean
  nowMs: number

  constructor(
    private readonly deps: AccountWishDeps,
    private readonly exchange: Exchange,
    readonly excluded: ReadonlySet<string>,
    { ignoreFull, ignoreLimits }: Leniency = STRICT,
  ) {
    this.poolId = exchange.group?.id ?? platformPool(exchange.call.protocol.platform)
    this.model = exchange.inspected?.model ?? ''
    this.isRetry = exchange.attempts.length > 0
    this.ignoreFull = ignoreFull
    this.ignoreLimits = ignoreLimits
    this.nowMs = deps.nowMs()
  }

  suspect({ account }: PoolEntry): boolean {
    return this.deps.health.isSuspect(account.id, this.nowMs)
  }

  offers(account: Account): boolean {
    const { policy, call } = this.exchange
    const provider = providerOf(account)
    if (!mayReach(policy.key, account.platform)) return false
    return provider?.speaks.includes(call.protocol.id) === true && !provider.lacks.includes(call.operation.id)
  }

  blockedFor(entry: PoolEntry): boolean {
    return !this.ignoreLimits && this.deps.health.blocks(entry, askedFamily(entry, this.model), this.nowMs)
  }

  /** The same of another pool. */
  in(poolId: string): AccountWish {
    return this.changed(poolId, this)
  }

  ignoringFull(): AccountWish {
    return this.changed(this.poolId, { ignoreFull: true, ignoreLimits: this.ignoreLimits })
  }

  ignoringLimits(): AccountWish {
    return this.changed(this.poolId, { ignoreFull: this.ignoreFull, ignoreLimits: true })
  }

  private changed(poolId: string, leniency: Leniency): AccountWish {
    const wish = new AccountWish(this.deps, this.exchange, this.excluded, leniency)
    wish.poolId = poolId
    wish.nowMs = this.nowMs
    return wish
  }
}

/** KEY-5. Without a group, an account bound at any platform that can serve the protocol. */
export function boundAccountId({ policy, group, call }: Exchange): string | undefined {
  const bound = policy.key.boundAccounts
  if (group) return bound[group.platform]
  for (const platform of call.protocol.platforms) if (bound[platform] !== undefined) return bound[platform]
  return undefined
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
