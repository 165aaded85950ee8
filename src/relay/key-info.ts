/**
 * `GET /v1/key` (KEY-13): what the holder of a key may know of it – its limits, what it spent, its windows – and nothing else: no user, no
 * group, no account. Whoever holds the key may ask: no platform, client or model is involved, so none is checked.
 *
 * What the counters know is shown, as it is at this moment; the rest comes from the database, which is behind by a flush.
 * If it fails: with the database away, what only it knows is null.
 */
import { dayBoundaries, weekBoundaries } from '../core/calendar.ts'
import { type Denial, isDenial } from '../core/denial.ts'
import type { ApiKey } from '../core/entities.ts'
import { checkAddress, checkHolder } from '../core/key.ts'
import { toUsd } from '../core/money.ts'
import { toWireWindow } from '../core/window-wire.ts'
import { newId } from '../lib/ids.ts'
import type { KeyUsage } from '../state/key-usage.ts'
import type { Limiter } from '../state/limiter.ts'
import type { Totals, TotalsLoader } from '../state/totals.ts'
import { type FindKeyDeps, findKey } from './authenticate.ts'
import type { Call } from './exchange.ts'
import { denialResponse } from './respond.ts'

export interface KeyInfoDeps extends FindKeyDeps {
  limiter: Pick<Limiter, 'usagesOf'>
  loadTotals: TotalsLoader
  nowMs(): number
  /** Somebody was turned away for their key; the denial's code. */
  onUnauthenticated(code: string): void
  /** In which days and weeks begin. */
  timeZone: string
}

export type KeyInfo = (call: Call) => Promise<Response>

export function createKeyInfo(deps: KeyInfoDeps): KeyInfo {
  const { directory, limiter, loadTotals, nowMs, timeZone } = deps

  async function readTotals(key: ApiKey): Promise<Totals | null> {
    const now = nowMs()
    const query = {
      keyId: key.id,
      dayStartMs: dayBoundaries(now, timeZone)[1],
      weekStartMs: weekBoundaries(now, timeZone)[1],
      funds: key.standalone ? ({ kind: 'key', id: key.id } as const) : null,
      subscriptionId: null,
      requestIds: [],
    }
    return loadTotals(query).catch(() => null)
  }

  return async (call) => {
    const requestId = newId()
    const refuse = (denial: Denial) => {
      deps.onUnauthenticated(denial.code)
      return denialResponse(call.protocol, denial, requestId)
    }
    const policy = findKey(deps, call)
    if (isDenial(policy)) return refuse(policy)
    const { key } = policy
    const user = key.userId === null ? null : directory.findUser(key.userId)
    const address = policy.checksIp ? call.address() : null
    const denial = checkHolder(policy, user, nowMs()) ?? checkAddress(policy, address)
    if (denial) return refuse(denial)
    const [usages, totals] = await Promise.all([limiter.usagesOf([key]), readTotals(key)])
    const usage = usages.get(key.id) as KeyUsage
    const headers = { 'x-turnpike-request-id': requestId, 'cache-control': 'no-store' }
    return Response.json(showKey(key, usage, totals), { headers })
  }
}

/** By the names that operators know them under (KEY-5); a limit of 0 is none. */
function showKey(key: ApiKey, usage: KeyUsage, totals: Totals | null) {
  const spent = totals?.key
  return {
    name: key.name,
    active: key.active,
    expires_at: toTime(key.expiresAtMs),
    permissions: key.permissions,
    model_restriction: key.modelRestriction,
    models: key.models,
    limits: showLimits(key),
    spend: {
      tokens: usage.tokens ?? spent?.tokens ?? null,
      total_cost_usd: usdOf(usage.totalCost, spent?.costNano),
      weekly_cost_usd: usdOf(usage.weekCost, spent?.weekCostNano),
      daily_cost_usd: usdOf(usage.dayCost, spent?.dayCostNano),
    },
    balance_usd: key.standalone ? usdOf(null, totals?.fundsNano) : null,
    concurrency: usage.concurrency,
    window: usage.window && toWireWindow(usage.window),
  }
}

function showLimits(key: ApiKey) {
  return {
    token_limit: key.tokenLimit,
    concurrency_limit: key.concurrencyLimit,
    rate_limit_window: key.rateLimitWindowMinutes,
    rate_limit_requests: key.rateLimitRequests,
    rate_limit_tokens: key.rateLimitTokens,
    rate_limit_cost_usd: toUsd(key.rateLimitCostNano),
    rpm: key.rpm,
    tpm: key.tpm,
    daily_cost_limit_usd: toUsd(key.dailyCostLimitNano),
    weekly_cost_limit_usd: toUsd(key.weeklyCostLimitNano),
    total_cost_limit_usd: toUsd(key.totalCostLimitNano),
  }
}

function usdOf(counted: number | null, stored: bigint | null | undefined): number | null {
  if (counted !== null) return toUsd(BigInt(Math.round(counted)))
  return stored === null || stored === undefined ? null : toUsd(stored)
}

const toTime = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
