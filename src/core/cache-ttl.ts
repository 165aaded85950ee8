/**
 * For how long a prompt cache should live, judged by the pauses between one user's (or key's) completed requests (USE-15). Pure.
 *
 * Percentiles are continuous: with n pauses in order, p lies at position (n − 1) × p and is interpolated between its neighbours, as Postgres'
 * percentile_cont does. A pause of exactly 5 minutes is within 5.
 */

export const MINUTE_MS = 60_000

/** Upper bounds of the distribution, in minutes; the last class has none. */
export const PAUSE_BOUNDS_MINUTES = [5, 15, 30, 60] as const
export type CacheTtlMinutes = (typeof PAUSE_BOUNDS_MINUTES)[number]

export interface Percentiles {
  p50Ms: number
  p75Ms: number
  p90Ms: number
}

export interface TtlAdvice {
  ttlMinutes: CacheTtlMinutes
  /** A sentence for the operator. */
  reason: string
}

/** Null: there were fewer than two requests, hence no pause. */
export function adviseTtl(percentiles: Pick<Percentiles, 'p75Ms' | 'p90Ms'> | null): TtlAdvice {
  if (percentiles === null) return { ttlMinutes: 5, reason: 'Fewer than two requests: no pause to judge by.' }
  const { p75Ms, p90Ms } = percentiles
  if (p90Ms <= 5 * MINUTE_MS) {
    return { ttlMinutes: 5, reason: `9 of 10 pauses last at most ${shown(p90Ms)}: within the shortest cache.` }
  }
  const most = `3 of 4 pauses last at most ${shown(p75Ms)}`
  if (p75Ms <= 15 * MINUTE_MS) return { ttlMinutes: 15, reason: `${most}: within 15 minutes.` }
  if (p75Ms <= 30 * MINUTE_MS) return { ttlMinutes: 30, reason: `${most}: within 30 minutes.` }
  return { ttlMinutes: 60, reason: `More than 1 in 4 pauses last longer than 30 minutes (p75 ${shown(p75Ms)}).` }
}

/** Minutes as they are shown: to a hundredth, rounded up, so that what lies beyond a bound never reads as within it. */
export function shownMinutes(ms: number): number {
  return Math.ceil((ms / MINUTE_MS) * 100 - 1e-9) / 100
}

function shown(ms: number): string {
  const minutes = shownMinutes(ms)
  return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`
}
