/**
 * Serves one admitted request from the accounts of its pool: choose, try, judge, try the next (ACC-3, ACC-5, REL-11).
 *
 * Nothing has gone to the client while this loop runs, so that every failure in it may be mended by another account. Each try is recorded.
 * An account is tried once per request, unless it is the only one and what failed may have been a moment's weakness: then again, after a
 * pause that doubles. All tries together have a budget: silence must not add up to minutes.
 */

import { type Denial, deny } from '../core/denial.ts'
import { denialOf, type Failure, judge } from '../core/failure.ts'
import { type AttemptDeps, attempt, attemptAfter401, isTurnedDown } from './attempt.ts'
import { type ChooseDeps, type Taken, takeAccount } from './choose.ts'
import { type Exchange, elapsedMs, releaseSlot } from './exchange.ts'
import { refusal } from './respond.ts'
import { bindSession } from './session-binding.ts'
import { settle } from './settle.ts'

export type AttemptsDeps = AttemptDeps & ChooseDeps

/** Pauses before the only account is tried again, ms; up to half as much is added at random, so that retries don't come in step. */
const RETRY_PAUSES_MS = [200, 600] as const

/** nginx's status for a client that left before its answer. */
const CLIENT_CLOSED_REQUEST = 499

export async function serve(deps: AttemptsDeps, exchange: Exchange): Promise<Response> {
  const tried = new Set<string>()
  let last: Failure | null = null
  let retries = 0
  while (mayTry(deps, exchange, last)) {
    const taken = takeAccount(deps, exchange, tried)
    const choice: Taken = taken instanceof Promise ? await taken : taken
    if (exchange.settled) {
      // Ended for its age while it waited (USE-3): the slot that came after all goes back.
      releaseSlot(exchange)
      break
    }
    if (typeof choice === 'string') {
      const pauseMs = RETRY_PAUSES_MS[retries]
      if (!last || pauseMs === undefined || !isWorthRetrying(exchange, last))
        return giveUp(deps, exchange, last, choice)
      retries++
      tried.clear()
      await Bun.sleep(pauseMs * (1 + Math.random() / 2))
      continue
    }
    // It left while the slot was asked for: nothing is sent for nobody.
    if (exchange.clientGone) break
    let result = await attempt(deps, exchange, choice)
    if (isTurnedDown(exchange, result)) result = await attemptAfter401(deps, exchange, choice, result)
    if (result.kind === 'response') {
      if (result.served) bindSession(deps, exchange, choice.entry.account.id)
      return result.response
    }
    last = result.failure
    tried.add(choice.entry.account.id)
    releaseSlot(exchange)
    const judgement = judge(last)
    if (judgement.blamesAccount) deps.health.noteFailure(choice.entry.account.id, last)
    if (judgement.next === 'stop') break
  }
  return giveUp(deps, exchange, last, 'none')
}

function mayTry(deps: AttemptsDeps, exchange: Exchange, last: Failure | null): boolean {
  if (exchange.clientGone || exchange.attempts.length >= deps.settings.maxAttempts) return false
  return last === null || elapsedMs(exchange) < deps.settings.failoverBudgetMs
}

/** Only one account could serve it, it is not out, and it failed in a way that passes (ACC-5). */
function isWorthRetrying(exchange: Exchange, last: Failure): boolean {
  const { candidates = 0, passedOver = {} } = exchange.choice ?? {}
  const out = Object.entries(passedOver).reduce((sum, [cause, count]) => (cause === 'excluded' ? sum : sum + count), 0)
  return judge(last).transient && candidates - out === 1
}

/** Nobody is left: the last error as REL-12 maps it, or that there was no account at all (ACC-5). */
function giveUp(deps: AttemptsDeps, exchange: Exchange, last: Failure | null, why: 'full' | 'none'): Response {
  const denial = last ? denialOf(last, deps.nowMs(), deps.settings.maxRetryAfterMs) : noAccount(exchange, why)
  const response = refusal(exchange, denial)
  const gone = exchange.clientGone
  settle(deps, exchange, {
    ending: gone ? 'client-gone' : last ? 'upstream-error' : 'refused',
    httpStatus: gone ? CLIENT_CLOSED_REQUEST : response.status,
    errorCode: gone ? 'client_closed_request' : denial.code,
    errorMessage: last?.error?.message ?? denial.message,
    reading: null,
    relayedBytes: 0,
  })
  return response
}

function noAccount(exchange: Exchange, why: 'full' | 'none'): Denial {
  if (why === 'full') {
    return deny('account_queue_full', 'All accounts are busy, and no slot came free in time. Try again.', 1)
  }
  const model = (exchange.inspected?.model ?? '').slice(0, 200)
  return deny('no_available_account', `No available accounts supporting model: ${model}`)
}
