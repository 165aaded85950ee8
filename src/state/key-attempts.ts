/**
 * Slows down whoever keeps sending wrong API keys (KEY-14), and counts them for the metrics.
 *
 * Asked only once a key is known to be wrong, so that a good key always passes at once: behind one address there may be a whole team, and
 * one misconfigured client must not lock the others out. Nothing is lost by that: a key has 256 random bits, so that what is slowed is noise
 * and load, not a guesser who might succeed. The first failures of an address are told 401, as every client expects of a wrong key; after
 * that all but one every two seconds are told 429 with `retry-after`, which the usual clients obey, while many of them repeat a 401 at once (Claude
 * Code eleven times). An answer that is held back instead would cost a connection and memory for each attempt, and nothing to who opens many.
 *
 * Memory: one number for each of the last 10,000 addresses that failed (an IPv6 /64 is one), however often they try.
 */
import { type Denial, deny } from '../core/denial.ts'
import { createAttemptLimiter, sourceOf } from '../lib/attempt-limiter.ts'
import type { Clock } from '../lib/clock.ts'

export interface KeyAttempts {
  /** A wrong key came from this address: what its sender is told. */
  refuse(address: string | null): Denial
  /** Since the start. */
  readonly counts: Readonly<KeyAttemptCounts>
  /** Addresses remembered. */
  readonly size: number
}

export interface KeyAttemptCounts {
  /** Wrong keys in all. */
  wrong: number
  /** Of them, those that were told to wait. */
  slowed: number
}

export interface KeyAttemptsDeps {
  clock: Clock
  /** An address has used up what is free: once for each time that it does. */
  onSlowed(address: string | null): void
}

/** A team's worth of typing errors and client retries at once, then one every two seconds. */
const LIMITS = { burst: 30, refillMs: 2000, capacity: 10_000 }

export function createKeyAttempts({ clock, onSlowed }: KeyAttemptsDeps): KeyAttempts {
  const attempts = createAttemptLimiter({ clock, ...LIMITS })
  const counts: KeyAttemptCounts = { wrong: 0, slowed: 0 }
  return {
    refuse(address) {
      const source = sourceOf(address)
      const waitMs = attempts.waitMs(source)
      counts.wrong++
      if (waitMs === 0) {
        // What is slowed adds no debt: whoever hammers waits no longer than others, and so do the rest behind that address.
        attempts.failed(source)
        if (attempts.waitMs(source) > 0) onSlowed(address)
        return deny('invalid_api_key', 'Incorrect API key provided.')
      }
      counts.slowed++
      const seconds = Math.ceil(waitMs / 1000)
      const message = `Incorrect API key provided, and too many wrong ones came from your address. Try again in ${seconds} s.`
      return deny('too_many_attempts', message, seconds)
    },
    counts,
    get size() {
      return attempts.size
    },
  }
}
