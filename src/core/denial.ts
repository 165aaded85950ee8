import type { Platform } from './platform.ts'

/**
 * Every reason for which turnpike itself turns a request down: one closed table (contract.md, "Errors to clients").
 *
 * A Denial is a value, not an exception. `protocols/<p>/error` gives it the shape of the client's dialect.
 * "You can wait" (429 with `retryAfterSeconds`) and "you must pay or change something" are different codes.
 */
export interface DenialKind {
  status: number
  type: string
  /** May the same request succeed later, unchanged? */
  retryable: boolean
}

const auth = { status: 401, type: 'authentication_error', retryable: false } as const
const forbidden = { status: 403, type: 'permission_error', retryable: false } as const
const invalid = { status: 400, type: 'invalid_request_error', retryable: false } as const
const later = { status: 429, type: 'rate_limit_error', retryable: true } as const
/** OpenAI clients stop on 429 `insufficient_quota`, the others on 403 (contract.md): the protocol's error file decides. */
const money = { status: 403, type: 'insufficient_quota', retryable: false } as const

export const DENIALS = {
  missing_api_key: auth,
  invalid_api_key: auth,
  api_key_disabled: auth,
  api_key_expired: auth,
  user_disabled: auth,
  platform_not_allowed: forbidden,
  model_not_allowed: forbidden,
  client_not_allowed: forbidden,
  ip_not_allowed: forbidden,
  group_not_allowed: forbidden,
  model_unpriced: forbidden,
  rate_limit_exceeded: later,
  token_rate_limit_exceeded: later,
  cost_rate_limit_exceeded: later,
  concurrency_limit_exceeded: later,
  account_queue_full: later,
  daily_cost_limit_exceeded: later,
  weekly_cost_limit_exceeded: later,
  total_cost_limit_exceeded: money,
  token_limit_exceeded: money,
  insufficient_user_quota: money,
  insufficient_key_balance: money,
  subscription_limit_exceeded: money,
  invalid_json: invalid,
  invalid_encoding: invalid,
  missing_model: invalid,
  invalid_request: invalid,
  body_too_large: { status: 413, type: 'invalid_request_error', retryable: false },
  unknown_endpoint: { status: 404, type: 'not_found_error', retryable: false },
  model_not_found: { status: 404, type: 'not_found_error', retryable: false },
  method_not_allowed: { status: 405, type: 'invalid_request_error', retryable: false },
  websocket_unsupported: { status: 426, type: 'invalid_request_error', retryable: false },
  no_available_account: { status: 503, type: 'overloaded_error', retryable: true },
  shutting_down: { status: 503, type: 'overloaded_error', retryable: true },
  /** The bodies of all requests together take the memory that they may (OPS-11). */
  request_memory_full: { status: 503, type: 'overloaded_error', retryable: true },
  journal_full: { status: 503, type: 'overloaded_error', retryable: true },
  limits_unavailable: { status: 503, type: 'overloaded_error', retryable: true },
  too_many_attempts: { status: 429, type: 'rate_limit_error', retryable: true },
  // What an upstream did to us, as REL-12 tells it to the client.
  upstream_authentication: { status: 502, type: 'upstream_error', retryable: true },
  upstream_forbidden: { status: 502, type: 'upstream_error', retryable: true },
  upstream_rate_limited: { status: 429, type: 'rate_limit_error', retryable: true },
  upstream_overloaded: { status: 503, type: 'overloaded_error', retryable: true },
  upstream_failed: { status: 502, type: 'upstream_error', retryable: true },
  upstream_timeout: { status: 504, type: 'upstream_error', retryable: true },
  upstream_gateway_error: { status: 500, type: 'upstream_error', retryable: true },
  upstream_stream_broken: { status: 502, type: 'upstream_error', retryable: true },
  internal_error: { status: 500, type: 'api_error', retryable: true },
} as const satisfies Record<string, DenialKind>

export type DenialCode = keyof typeof DENIALS

export interface Denial {
  code: DenialCode
  /** A sentence for the person at the client. Never holds a secret, an account's name or an upstream URL (REL-12). */
  message: string
  /** Seconds; becomes `retry-after`. Only with a retryable code. */
  retryAfterSeconds?: number
  platform?: Platform
}

export function deny(code: DenialCode, message: string, retryAfterSeconds?: number): Denial {
  return retryAfterSeconds === undefined ? { code, message } : { code, message, retryAfterSeconds }
}

export function isDenial(value: object): value is Denial {
  return 'code' in value && typeof value.code === 'string' && value.code in DENIALS
}
