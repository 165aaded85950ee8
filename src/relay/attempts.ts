/**
 * Serves one admitted request from the accounts of its pool: choose, try, judge, try the next (ACC-3, ACC-5, REL-11).
 *
 * Nothing has gone to the client while this loop runs, so that every failure in it may be mended by another account. Each try is recorded.
 * An account is tried once per request.
 */

import { type Denial, deny } from '../core/denial.ts'
import { denialOf, type Failure, judge } from '../core/failure.ts'
import { type AttemptDeps, attempt } from './attempt.ts'
import { bindSession, type ChooseDeps, choose } from './choose.ts'
import type { Exchange } from './exchange.ts'
import { denialResponse } from './respond.ts'
import { settle } from './settle.ts'

export type AttemptsDeps = AttemptDeps & ChooseDeps

export async function serve(deps: AttemptsDeps, exchange: Exchange): Promise<Response> {
  const tried = new Set<string>()
  let last: Failure | null = null
  while (exchange.attempts.length < deps.settings.maxAttempts && !exchange.clientGone) {
    const choice = choose(deps, exchange, tried)
    if (!choice) break
    tried.add(choice.entry.account.id)
    const result = await attempt(deps, exchange, choice)
    if (result.kind === 'response') {
      if (result.served) bindSession(deps, exchange, choice.entry.account.id)
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
