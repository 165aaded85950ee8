/**
 * Who calls the admin API (OPS-9): a bearer token, checked before anything else of the request is looked at.
 *
 * Wrong tokens are slowed per address; ten are free, so that a typo never locks an operator out of a busy evening, afterwards one
 * every six seconds. Memory is bounded. A missing token is only a 401: nothing was guessed.
 */
import type { Actor } from '../../admin/actor.ts'
import { type AttemptLimiter, createAttemptLimiter, sourceOf } from '../../lib/attempt-limiter.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { type Problem, problem } from '../answer.ts'
import type { ClientAddress } from '../client-address.ts'
import type { CallerCheck } from './serve-call.ts'

export interface AuthenticateDeps {
  /** Name and role of the token's holder; null: nobody has it. */
  verifyToken(token: string): Promise<Pick<Actor, 'name' | 'role'> | null>
  clientAddress: ClientAddress
  log: Log
  clock?: Clock
  attempts?: AttemptLimiter
  /** A wrong token was given. */
  onRefused?(): void
}

const LIMITS = { burst: 10, refillMs: 6000, capacity: 10_000 }
const MAX_TOKEN_LENGTH = 1000

export function createCallerCheck(deps: AuthenticateDeps): CallerCheck {
  const { verifyToken, clientAddress, log, clock = systemClock } = deps
  const attempts = deps.attempts ?? createAttemptLimiter({ clock, ...LIMITS })

  return async (request, server) => {
    const clientIp = clientAddress(request, server)
    const source = sourceOf(clientIp)
    const waitMs = attempts.waitMs(source)
    if (waitMs > 0) return tooManyAttempts(waitMs)
    const token = bearerToken(request.headers.get('authorization'))
    if (token === null) return problem(401, 'missing_token', 'send the admin token as "authorization: Bearer <token>"')
    const holder = token.length > MAX_TOKEN_LENGTH ? null : await verifyToken(token)
    if (holder) return { ...holder, clientIp }
    attempts.failed(source)
    deps.onRefused?.()
    log.warn('wrong admin token', { clientIp })
    return problem(401, 'invalid_token', 'this admin token is not known, or no longer valid')
  }
}

function bearerToken(header: string | null): string | null {
  const match = /^bearer +(\S+)\s*$/i.exec(header ?? '')
  return match?.[1] ?? null
}

function tooManyAttempts(waitMs: number): Problem {
  return {
    status: 429,
    code: 'too_many_attempts',
    message: 'too many wrong admin tokens from this address; wait before the next try',
    retryAfterSeconds: Math.ceil(waitMs / 1000),
  }
}
