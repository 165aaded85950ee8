/**
 * Which account a session is bound to (ACC-4), for an hour from its last use. Keys are scoped and hashed by `core/session`. One interface, two
 * implementations that pass one test: here the sessions of one process, `shared-sticky` those of all instances.
 * Bounded: when full, the binding used longest ago is forgotten; the session then gets a new account at its next request.
 */
import type { Later } from '../lib/later.ts'
import { createLru } from '../lib/lru.ts'

export interface Sticky {
  /** The bound account's id, or null. */
  find(bindingKey: string): Later<string | null>
  /** After a success: binds the session, or keeps its binding warm. */
  bind(bindingKey: string, accountId: string): void
  readonly size: number
}

export interface StickyOptions {
  nowMs(): number
  ttlMs?: number
  mostSessions?: number
}

export const BINDING_MS = 3_600_000
export const MOST_SESSIONS = 200_000

export function createSticky({ nowMs, ttlMs = BINDING_MS, mostSessions = MOST_SESSIONS }: StickyOptions): Sticky {
  const bindings = createLru<string, { accountId: string; untilMs: number }>(mostSessions)
  return {
    find(bindingKey) {
      const binding = bindings.get(bindingKey)
      if (!binding) return null
      if (binding.untilMs > nowMs()) return binding.accountId
      bindings.delete(bindingKey)
      return null
    },
    bind: (bindingKey, accountId) => bindings.set(bindingKey, { accountId, untilMs: nowMs() + ttlMs }),
    get size() {
      return bindings.size
    },
  }
}
