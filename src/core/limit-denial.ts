/**
 * What a client is told when a counter refuses (KEY-4): a code of its own for each limit, a sentence that a person understands, and when to
 * come back. "You can wait" and "you must pay or change something" are different codes (core/denial).
 */
import { type Denial, type DenialCode, deny } from './denial.ts'
import type { Refusal } from './limit.ts'
import { toUsdText } from './money.ts'
import { denyPayer } from './quota.ts'

interface Wording {
  code: DenialCode
  /** When requests under way hold the rest of it: always a code that says "later". */
  heldCode: DenialCode
  what: string
}

const WORDINGS: Readonly<Record<string, Wording>> = {
  total: { code: 'total_cost_limit_exceeded', heldCode: 'cost_rate_limit_exceeded', what: 'total cost limit' },
  tokens: { code: 'token_limit_exceeded', heldCode: 'token_rate_limit_exceeded', what: 'token limit' },
  week: { code: 'weekly_cost_limit_exceeded', heldCode: 'weekly_cost_limit_exceeded', what: 'weekly cost limit' },
  day: { code: 'daily_cost_limit_exceeded', heldCode: 'daily_cost_limit_exceeded', what: 'daily cost limit' },
  'window-requests': { code: 'rate_limit_exceeded', heldCode: 'rate_limit_exceeded', what: 'request limit' },
  'window-tokens': {
    code: 'token_rate_limit_exceeded',
    heldCode: 'token_rate_limit_exceeded',
    what: 'token rate limit',
  },
  'window-cost': { code: 'cost_rate_limit_exceeded', heldCode: 'cost_rate_limit_exceeded', what: 'cost rate limit' },
  tpm: { code: 'token_rate_limit_exceeded', heldCode: 'token_rate_limit_exceeded', what: 'limit of tokens per minute' },
  rpm: { code: 'rate_limit_exceeded', heldCode: 'rate_limit_exceeded', what: 'limit of requests per minute' },
  slots: {
    code: 'concurrency_limit_exceeded',
    heldCode: 'concurrency_limit_exceeded',
    what: 'limit of requests at a time',
  },
}

export function denyLimit(refusal: Refusal): Denial {
  const { limit, waitMs } = refusal
  if (limit.name === 'key' || limit.name === 'balance' || limit.name === 'subscription') return denyPayer(limit.name)
  const wording = WORDINGS[limit.name]
  if (!wording) throw new Error(`no words for the limit ${limit.name}`)
  const amount = limit.measure === 'cost' ? `${toUsdText(BigInt(limit.most ?? 0))} USD` : String(limit.most ?? 0)
  const reached =
    refusal.isHeld && limit.measure !== 'slots'
      ? `What is left of the ${wording.what} of this API key (${amount}) is held by requests under way.`
      : `The ${wording.what} of this API key is reached (${amount}).`
  const code = refusal.isHeld ? wording.heldCode : wording.code
  if (waitMs === null) return deny(code, reached)
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  return deny(code, `${reached} Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`, seconds)
}

/** Counters are out of reach and the operator chose to refuse then (OPS-5), or what was spent so far can't be read. */
export function denyUncounted(): Denial {
  return deny('limits_unavailable', 'The limits of this API key can not be checked at the moment. Try again.', 1)
}
