/**
 * Which account a session is bound to (ACC-4), for an hour from its last use. Keys are scoped and hashed by `core/session`.
 * Bounded: when full, the binding used longest ago is forgotten; the session then gets a new account at its next request.
 */
import { createLru } from '../lib/lru.ts'

export interface Sticky {
  /** The bound account's id, or null. */
  find(sessionKey: string): string | null
  /** After a success: binds the session, or keeps its binding warm. */
  bind(sessionKey: string, accountId: string): void
  readonly size: number
}

export interface StickyOptions {
  nowMs(): number
  ttlMs?: number
  mostSessions?: number
}

const HOUR_MS = 3_600_000

export function createSticky({ nowMs, ttlMs = HOUR_MS, mostSessions = 200_000 }: StickyOptions): Sticky {
  const bindings = createLru<string, { accountId: string; untilMs: number }>(mostSessions)
  return {
    find(sessionKey) {
      const binding = bindings.get(sessionKey)
      if (!binding) return null
      if (binding.untilMs > nowMs()) return binding.accountId
      bindings.delete(sessionKey)
      return null
    },
    bind: (sessionKey, accountId) => bindings.set(sessionKey, { accountId, untilMs: nowMs() + ttlMs }),
    get size() {
      return bindings.size
    },
  }
}
