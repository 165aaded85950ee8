/**
 * Slows down whoever keeps failing (OPS-9, KEY-14): some failures are free, then each source waits its turn.
 *
 * GCRA: one number per source, the time at which its debt is paid. `burst` failures may come at once, afterwards one per
 * `refillMs`. While in debt a source is not even looked at, right or wrong: otherwise guessing would cost nothing.
 * Invariant: memory is bounded by `capacity` sources; the one that failed longest ago is forgotten first.
 */
import type { Clock } from './clock.ts'
import { createLru } from './lru.ts'

export interface AttemptLimiter {
  /** Milliseconds until this source may try again; 0: now. */
  waitMs(source: string): number
  /** Notes a failure. */
  failed(source: string): void
  readonly size: number
}

export interface AttemptLimiterOptions {
  clock: Clock
  burst: number
  refillMs: number
  capacity: number
}

export function createAttemptLimiter({ clock, burst, refillMs, capacity }: AttemptLimiterOptions): AttemptLimiter {
  /** Source → epoch ms at which all its failures are paid off; to fail is to use. */
  const paidAtMs = createLru<string, number>(capacity)
  const toleranceMs = (burst - 1) * refillMs

  return {
    waitMs(source) {
      const debtMs = (paidAtMs.peek(source) ?? 0) - clock.nowMs()
      return Math.max(0, debtMs - toleranceMs)
    },
    failed(source) {
      paidAtMs.set(source, Math.max(paidAtMs.peek(source) ?? 0, clock.nowMs()) + refillMs)
    },
    get size() {
      return paidAtMs.size
    },
  }
}

/** What counts as one source: an IPv4 address, an IPv6 /64 (a single host usually has a whole one). */
export function sourceOf(address: string | null): string {
  if (address === null) return 'unknown'
  if (!address.includes(':') || address.includes('.')) return address
  const [head = ''] = address.split('::')
  const groups = head.split(':').slice(0, 4)
  return `${groups.join(':')}::/64`
}
