/**
 * Sliding limits per minute (KEY-6: rpm, tpm) by the generic cell rate algorithm: a bucket that holds a minute's worth and drains evenly.
 *
 * What was taken is remembered as the instant at which the bucket will be empty. A full minute's worth may come at once; after that only
 * what has drained. There is no boundary at which it starts anew, hence no double burst at one.
 *
 * rpm 60, 60 requests at 12:00:59 → empty at 12:01:59. At 12:01:01 two more are let in, not 60.
 *
 * Tokens are taken as estimated and corrected by the settlement. Too little was taken: the bucket goes beyond full, a debt that has to
 * drain first. Times are integers in µs: exact up to the year 2255 in a double, in JavaScript as in Redis' Lua (scripts/common.lua is
 * the twin of this file).
 */
export interface RateState {
  /** When the bucket will be empty. */
  emptyAtUs: number
  /** Since when it has not been empty, ms: what was taken before that has drained and can't be given back. */
  busySinceMs: number
}

export const MINUTE_US = 60_000_000
/** No single request may block a key for longer than a day, however many tokens it turned out to need. */
const LONGEST_DEBT_US = 86_400_000_000

export type RateDecision = { ok: true; state: RateState } | { ok: false; waitMs: number }

export interface RateTake {
  perMinute: number
  /** At most `perMinute`: more than a minute's worth could never be let in. */
  amount: number
  nowMs: number
}

export function takeRate(state: RateState | undefined, take: RateTake): RateDecision {
  const nowUs = take.nowMs * 1000
  const idle = state === undefined || state.emptyAtUs <= nowUs
  const emptyAtUs = (idle ? nowUs : state.emptyAtUs) + costUs(take.amount, take.perMinute)
  const tooFullUs = emptyAtUs - nowUs - MINUTE_US
  if (tooFullUs > 0) return { ok: false, waitMs: Math.ceil(tooFullUs / 1000) }
  return { ok: true, state: { emptyAtUs, busySinceMs: idle ? take.nowMs : state.busySinceMs } }
}

export interface RateCorrection {
  perMinute: number
  taken: number
  takenAtMs: number
  actual: number
  nowMs: number
}

/** The actual amount takes the place of the estimate. */
export function correctRate(state: RateState, correction: RateCorrection): RateState {
  const { perMinute, taken, takenAtMs, actual, nowMs } = correction
  const differenceUs = costUs(actual, perMinute) - costUs(taken, perMinute)
  if (differenceUs > 0) return { ...state, emptyAtUs: Math.max(state.emptyAtUs, nowMs * 1000) + differenceUs }
  if (takenAtMs < state.busySinceMs) return state
  return { ...state, emptyAtUs: state.emptyAtUs + differenceUs }
}

function costUs(amount: number, perMinute: number): number {
  return Math.min(LONGEST_DEBT_US, Math.ceil((amount * MINUTE_US) / perMinute))
}
