/**
 * What a failed attempt means (ACC-5, ACC-6, REL-12): whose fault it is, whether another account may do better, what the client is told.
 * Pure. Two judgements that are easily mixed up are kept apart: about the *account* (`blames`), and about the *request* (`next`).
 */
import { type Denial, deny } from './denial.ts'

/** What an upstream said went wrong, wherever it said it: an HTTP error's body, an error event, an error object inside a 200. */
export interface UpstreamError {
  type: string | null
  code: string | null
  /** HTTP-like status if the body names or implies one (529 for overloaded_error, 429 for rate_limit_error), else null. */
  status: number | null
  message: string | null
}

export type FailureCause =
  | 'connect_error'
  | 'connect_timeout'
  | 'first_byte_timeout'
  | 'unauthorized'
  | 'forbidden'
  | 'rate_limited'
  | 'overloaded'
  | 'server_error'
  | 'client_error'
  | 'unexpected_status'
  | 'stream_fault'
  | 'credential_error'
  /** We hung up because the client had left (REL-14): says nothing about the account. */
  | 'client_left'
  /** A status outside the account's list of custom error codes: told plainly, acts on nothing (ACC-9). */
  | 'masked_status'

export interface Failure {
  cause: FailureCause
  /** HTTP status of the answer, or the one that an error inside a 200 implies; null when there was no answer. */
  status: number | null
  error: UpstreamError | null
  /** Until when and for what the provider limits, as it said; null when it did not. */
  told: ToldLimit | null
}

/** What a provider said about a limit; read by `providers/limits`. */
export interface ToldLimit {
  /** Null: it said for what, not until when. */
  untilMs: number | null
  /** The header or field that said it. */
  source: string
  /** Only models of this family are limited; null: the whole account. */
  family: string | null
}

export interface Judgement {
  /** `next-account`: somebody else may serve it. `pass`: the client's own fault, told as the upstream said it. `stop`: told as ours. */
  next: 'next-account' | 'pass' | 'stop'
  /** Is it a mark against the account? */
  blamesAccount: boolean
  /** May the same account be tried once more when it is the only one (ACC-5)? */
  transient: boolean
}

/** The client's own fault: passes through with status and body (REL-12). */
const CLIENT_STATUSES = new Set([400, 404, 413, 422])

export function causeOfStatus(status: number): FailureCause {
  if (CLIENT_STATUSES.has(status)) return 'client_error'
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 429) return 'rate_limited'
  if (status === 529) return 'overloaded'
  return status >= 500 ? 'server_error' : 'unexpected_status'
}

/** An error that came inside a 200, before anything went to the client (REL-11). Without a status of its own it counts as a server error. */
export function failureOfStreamError(error: UpstreamError | null): Failure {
  if (!error) return { cause: 'stream_fault', status: null, error: null, told: null }
  const status = error.status ?? 500
  return { cause: causeOfStatus(status), status, error, told: null }
}

export function judge(failure: Failure): Judgement {
  switch (failure.cause) {
    case 'client_error':
      return { next: 'pass', blamesAccount: false, transient: false }
    case 'connect_error':
    case 'connect_timeout':
    case 'server_error':
    case 'overloaded':
    case 'stream_fault':
      return { next: 'next-account', blamesAccount: true, transient: true }
    case 'first_byte_timeout':
    case 'unauthorized':
    case 'forbidden':
    case 'rate_limited':
    case 'credential_error':
      return { next: 'next-account', blamesAccount: true, transient: false }
    case 'masked_status':
    case 'client_left':
      return { next: 'stop', blamesAccount: false, transient: false }
    case 'unexpected_status':
      return { next: 'next-account', blamesAccount: false, transient: false }
  }
}

/** What the client is told when nobody else can serve it (REL-12). Names no account, URL or secret. */
export function denialOf(failure: Failure, nowMs: number, maxRetryAfterMs: number): Denial {
  const untilMs = failure.told?.untilMs ?? null
  const waitMs = untilMs === null ? null : Math.min(untilMs - nowMs, maxRetryAfterMs)
  const retryAfter = waitMs === null ? undefined : Math.max(1, Math.ceil(waitMs / 1000))
  switch (failure.cause) {
    case 'unauthorized':
    case 'credential_error':
      return deny('upstream_authentication', 'Upstream authentication failed, please contact administrator')
    case 'forbidden':
      return deny('upstream_forbidden', 'Upstream access forbidden, please contact administrator')
    case 'rate_limited':
      return deny('upstream_rate_limited', 'Upstream rate limit exceeded, please retry later', retryAfter)
    case 'overloaded':
      return deny('upstream_overloaded', 'Upstream service overloaded, please retry later', retryAfter)
    case 'connect_timeout':
    case 'first_byte_timeout':
      return deny('upstream_failed', 'Upstream did not answer in time')
    case 'connect_error':
      return deny('upstream_failed', 'Upstream could not be reached')
    case 'masked_status':
      return deny('upstream_gateway_error', 'Upstream gateway error')
    case 'stream_fault':
      return deny('upstream_failed', 'Upstream answered with an empty or malformed response')
    default:
      return deny('upstream_failed', 'Upstream request failed')
  }
}
