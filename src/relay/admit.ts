/**
 * May this request go ahead, as far as counting and money can tell (KEY-4, KEY-7, BIL-7)? Estimates what it will use and takes all of it from
 * the key's limits and its payer's money in one step; what it really used replaces the estimate when it is settled.
 * On a single instance nothing here awaits.
 */
import { type Denial, deny, isDenial } from '../core/denial.ts'
import type { ApiKey, Group } from '../core/entities.ts'
import { estimateHold, estimateTokens } from '../core/estimate.ts'
import { type PriceBook, type ResolvedPrice, resolvePrice } from '../core/price-index.ts'
import { choosePayer, type Payer } from '../core/quota.ts'
import type { Subscription } from '../core/subscription.ts'
import { totalTokens } from '../core/usage.ts'
import { andThenWith } from '../lib/later.ts'
import type { Admission, AdmissionRequest, Limiter, Spend } from '../state/limiter.ts'
import { type Exchange, platformOf } from './exchange.ts'
import type { RelaySettings } from './settings.ts'

export interface AdmitDeps {
  limiter: Limiter
  settings: RelaySettings
  nowMs(): number
  prices(account: null): PriceBook
  findSubscription(userId: string, groupId: string): Subscription | null
}

const LIST_PRICE = 1_000_000

/** Null: admitted; `exchange.admission` holds what was taken. */
export function admit(deps: AdmitDeps, exchange: Exchange): Denial | null | Promise<Denial | null> {
  const { key } = exchange.policy
  const { user, group } = exchange
  const nowMs = deps.nowMs()
  const subscription = user && group ? deps.findSubscription(user.id, group.id) : null
  const payer = choosePayer({ runMode: deps.settings.runMode, key, user, group, subscription, nowMs })
  exchange.payer = payer
  const price = priceOf(deps, exchange)
  if (price === null && deps.settings.unpricedModels === 'deny' && exchange.call.operation.metered) {
    return deny('model_unpriced', `There is no price for the model: ${(exchange.inspected?.model ?? '').slice(0, 200)}`)
  }
  return andThenWith(deps.limiter.admit(new AdmissionWish(deps, exchange, payer, price)), exchange, keep)
}

class AdmissionWish implements AdmissionRequest {
  readonly requestId: string
  readonly key: ApiKey
  readonly subscriptionLimits: Group | null

  constructor(
    private readonly deps: AdmitDeps,
    private readonly exchange: Exchange,
    readonly payer: Payer,
    private readonly price: ResolvedPrice | null,
  ) {
    this.requestId = exchange.id
    this.key = exchange.policy.key
    this.subscriptionLimits = payer.kind === 'subscription' ? exchange.group : null
  }

  estimate(): Spend {
    return estimate(this.deps, this.exchange, this.price)
  }
}

function keep(exchange: Exchange, taken: Admission | Denial): Denial | null {
  if (isDenial(taken)) return taken
  exchange.admission = taken
  return null
}

function priceOf(deps: AdmitDeps, exchange: Exchange): ResolvedPrice | null {
  const model = exchange.inspected?.model ?? ''
  return resolvePrice(deps.prices(null), { model, platform: platformOf(exchange), atMs: exchange.createdAtMs })
}

/** Input from the body's size, output from the client's cap or a default, at the price of the model as asked for (BIL-7). */
function estimate(deps: AdmitDeps, exchange: Exchange, price: ResolvedPrice | null): Spend {
  const { protocol, operation } = exchange.call
  if (!operation.metered) return { tokens: 0, costNano: 0n, chargeNano: 0n }
  const usage = estimateTokens({
    protocol: protocol.id,
    bodyBytes: exchange.bodyBytes,
    maxOutputTokens: exchange.inspected?.maxOutputTokens ?? null,
    assumedOutputTokens: deps.settings.reserveOutputTokens,
    choices: exchange.inspected?.choices ?? 1,
    generates: operation.generates,
    price,
  })
  const multiplier = exchange.group?.rateMultiplier ?? deps.settings.defaultRateMultiplier
  const costNano = estimateHold(usage, price, LIST_PRICE)
  const chargeNano = multiplier === LIST_PRICE ? costNano : estimateHold(usage, price, multiplier)
  return { tokens: totalTokens(usage), costNano, chargeNano }
}
