/**
 * How long a failing account stays out, and why (ACC-6): by cause, with memory of what went before. Pure: history in, decision and new
 * history out.
 *
 * 429: until the provider says, else 5 s doubling to 5 min; for one model family only, where it said so. 529: 1 min doubling to 10. 403: 10
 * min, the third in a row is an error. 401: an error (OAuth was refreshed and tried again before it comes here); a refresh that failed for
 * now: until it is tried again. 5xx and connect errors: circuit breaker, open after 5 in 30 s for 30 s, then one probe: its success closes
 * it, its failure opens it again. A success clears what it disproves.
 */
import type { Failure } from './failure.ts'
import type { ParkCause } from './pool-entry.ts'

export interface CooldownHistory {
  /** Undated ones, by model family; '': of the whole account. */
  rateLimitsInARow: Readonly<Record<string, number>>
  overloadsInARow: number
  forbiddenInARow: number
  /** Epoch ms of recent server and connect errors, oldest first. */
  faultsAtMs: readonly number[]
  /** The breaker has opened and no success came since: the next failure opens it at once. */
  probing: boolean
}

export const NO_HISTORY: CooldownHistory = Object.freeze({
  rateLimitsInARow: {},
  overloadsInARow: 0,
  forbiddenInARow: 0,
  faultsAtMs: [],
  probing: false,
})

export type Cooldown =
  | { kind: 'none' }
  /** Out until then; `family`: only for models of that family. */
  | { kind: 'until'; cause: ParkCause; untilMs: number; source: string; family: string | null }
  /** Out until an operator looks at it. */
  | { kind: 'error'; message: string }

const SECOND = 1000
const MINUTE = 60_000
const BREAKER = { faults: 5, windowMs: 30 * SECOND, openMs: 30 * SECOND } as const
const FORBIDDEN = { waitMs: 10 * MINUTE, errorAt: 3 } as const

const doubling = (firstMs: number, mostMs: number, times: number) =>
  Math.min(mostMs, firstMs * 2 ** Math.min(times, 30))

export function coolDown(
  history: CooldownHistory,
  failure: Failure,
  nowMs: number,
): { cooldown: Cooldown; history: CooldownHistory } {
  switch (failure.cause) {
    case 'rate_limited': {
      const { family = null, source = '', untilMs = null } = failure.told ?? {}
      if (untilMs === null) return backOff(history, family, nowMs)
      return { cooldown: { kind: 'until', cause: 'rate_limited', untilMs, source, family }, history }
    }
    case 'overloaded': {
      const times = history.overloadsInARow
      const untilMs = nowMs + doubling(MINUTE, 10 * MINUTE, times)
      return {
        cooldown: { kind: 'until', cause: 'overloaded', untilMs, source: 'backoff', family: null },
        history: { ...history, overloadsInARow: times + 1 },
      }
    }
    case 'forbidden': {
      const times = history.forbiddenInARow + 1
      const untilMs = nowMs + FORBIDDEN.waitMs
      const message = `Access forbidden ${times} times in a row: ${failure.error?.message ?? 'no reason given'}`
      return {
        cooldown:
          times >= FORBIDDEN.errorAt
            ? { kind: 'error', message }
            : { kind: 'until', cause: 'cooling_down', untilMs, source: 'forbidden', family: null },
        history: { ...history, forbiddenInARow: times },
      }
    }
    case 'unauthorized':
    case 'credential_error': {
      // A token refresh that is tried again by itself (ACC-10): the account comes back with it.
      const { family = null, source = '', untilMs = null } = failure.told ?? {}
      if (untilMs !== null)
        return { cooldown: { kind: 'until', cause: 'cooling_down', untilMs, source, family }, history }
      const message = `Authentication failed: ${failure.error?.message ?? 'no usable credential'}`
      return { cooldown: { kind: 'error', message }, history }
    }
    case 'server_error':
    case 'connect_error':
    case 'connect_timeout':
    case 'first_byte_timeout':
    case 'stream_fault':
      return breakCircuit(history, nowMs)
    default:
      return { cooldown: { kind: 'none' }, history }
  }
}

/** A limit of which only time will tell. */
function backOff(history: CooldownHistory, family: string | null, nowMs: number) {
  const { rateLimitsInARow } = history
  const times = rateLimitsInARow[family ?? ''] ?? 0
  const untilMs = nowMs + doubling(5 * SECOND, 5 * MINUTE, times)
  const cooldown: Cooldown = { kind: 'until', cause: 'rate_limited', untilMs, source: 'backoff', family }
  return { cooldown, history: { ...history, rateLimitsInARow: { ...rateLimitsInARow, [family ?? '']: times + 1 } } }
}

function breakCircuit(history: CooldownHistory, nowMs: number) {
  const faultsAtMs = [...history.faultsAtMs.filter((atMs) => nowMs - atMs < BREAKER.windowMs), nowMs]
  const opens = history.probing || faultsAtMs.length >= BREAKER.faults
  const cooldown: Cooldown = opens
    ? { kind: 'until', cause: 'broken', untilMs: nowMs + BREAKER.openMs, source: 'circuit breaker', family: null }
    : { kind: 'none' }
  return { cooldown, history: { ...history, faultsAtMs: opens ? [] : faultsAtMs, probing: opens || history.probing } }
}

/**
 * A success disproves the counts of failures in a row, and closes the circuit. It says nothing about the limits of other model families, and
 * does not disprove a limit that the provider dated.
 */
export function afterSuccess(history: CooldownHistory, family: string): CooldownHistory {
  const others = Object.entries(history.rateLimitsInARow).filter(([name]) => name !== '' && name !== family)
  return others.length === 0 ? NO_HISTORY : { ...NO_HISTORY, rateLimitsInARow: Object.fromEntries(others) }
}
