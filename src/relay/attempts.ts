/**
 * Serves one admitted request from the accounts of its pool: choose, try, judge, try the next (ACC-3, ACC-5, REL-11).
 *
 * Nothing has gone to the client while this loop runs, so that every failure in it may be mended by another account. Each try is recorded.
 * An account is tried once per request.
 */

import type { Choice, ChooseInput } from '../core/account-pool.ts'
import { type Denial, deny } from '../core/denial.ts'
import { denialOf, type Failure, judge } from '../core/failure.ts'
import { providerFor } from '../providers/table.ts'
import { type Directory, platformPool } from '../state/directory.ts'
import { type AttemptDeps, type Attempted, attempt } from './attempt.ts'
import type { Exchange } from './exchange.ts'
import { denialResponse } from './respond.ts'
import { settle } from './settle.ts'

export interface AttemptsDeps extends AttemptDeps {
  directory: Directory
}

export async function serve(deps: AttemptsDeps, exchange: Exchange): Promise<Response> {
  const tried = new Set<string>()
  let last: Failure | null = null
  while (exchange.attempts.length < deps.settings.maxAttempts && !exchange.clientGone) {
    const choice = choose(deps, exchange, tried)
    if (!choice) break
    tried.add(choice.entry.account.id)
    const result = await attempt(deps, exchange, choice)
    record(exchange, choice, result)
    if (result.kind === 'response') {
      if (result.served) deps.health.noteSuccess(choice.entry.account.id)
      return result.response
    }
    last = result.failure
    deps.releaseSlot(exchange)
    const judgement = judge(last)
    if (judgement.blamesAccount) deps.health.noteFailure(choice.entry.account.id, last)
    if (judgement.next === 'stop') break
  }
  return giveUp(deps, exchange, last)
}

function choose(deps: AttemptsDeps, exchange: Exchange, tried: ReadonlySet<string>): Choice | null {
  const { directory } = deps
  const { operation, protocol } = exchange.call
  const model = exchange.inspected?.model ?? ''
  const nowMs = deps.nowMs()
  const input: ChooseInput = {
    poolId: exchange.group?.id ?? platformPool(protocol.platform),
    model,
    nowMs,
    excluded: tried,
    offers: (account) => {
      const provider = providerFor(account.platform, account.type)
      return provider?.speaks.includes(protocol.id) === true && !provider.lacks.includes(operation.id)
    },
    blockedFor: (entry) => {
      const provider = providerFor(entry.account.platform, entry.account.type)
      const family = provider?.familyOf(entry.mapper.map(model) ?? model) ?? model
      return deps.health.blocks(entry, family, nowMs)
    },
  }
  const boundId = exchange.policy.key.boundAccounts[protocol.platform]
  const choice = boundId === undefined ? directory.pool.choose(input) : chooseBound(directory, input, boundId)
  if (exchange.choice === null || !choice) exchange.choice = directory.pool.explain(input)
  if (choice && directory.pool.acquire(choice.entry)) {
    exchange.entry = choice.entry
    exchange.account = choice.entry.account
    exchange.upstreamModel = choice.upstreamModel
    return choice
  }
  return null
}

/** A key bound to one account uses only that one (KEY-5). */
function chooseBound(directory: Directory, input: ChooseInput, accountId: string): Choice | null {
  const entry = directory.pool.get(accountId)
  if (!entry) return null
  const upstreamModel = directory.pool.usable(entry, input)
  return upstreamModel === null ? null : { entry, upstreamModel }
}

function record(exchange: Exchange, choice: Choice, result: Attempted): void {
  exchange.attempts.push({
    accountId: choice.entry.account.id,
    status: result.status,
    durationMs: result.durationMs,
    reason: result.kind === 'response' ? null : result.failure.cause,
    upstreamRequestId: exchange.upstreamRequestId,
    usage: null,
  })
}

/** Nobody is left: the last error as REL-12 maps it, or that there was no account at all (ACC-5). */
function giveUp(deps: AttemptsDeps, exchange: Exchange, last: Failure | null): Response {
  const denial = last ? denialOf(last, deps.nowMs(), deps.settings.maxRetryAfterMs) : noAccount(exchange)
  const response = denialResponse(exchange.call.protocol, denial, exchange.id)
  settle(deps, exchange, {
    ending: exchange.clientGone ? 'client-gone' : last ? 'upstream-error' : 'refused',
    httpStatus: response.status,
    errorCode: denial.code,
    errorMessage: last?.error?.message ?? denial.message,
    reading: null,
    relayedBytes: 0,
  })
  return response
}

function noAccount(exchange: Exchange): Denial {
  const model = (exchange.inspected?.model ?? '').slice(0, 200)
  return deny('no_available_account', `No available accounts supporting model: ${model}`)
}
