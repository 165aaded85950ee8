/**
 * When a limit ends, however a vendor writes it (ACC-6). Gateways get this wrong in well-known ways: epoch seconds read as a date, epoch
 * milliseconds read as seconds (a cooldown of 50,000 years), "6m0s" read as 6. Pure: the caller passes the time.
 */

/** Nothing lasts beyond the longest window a vendor has, a week, with a day for clocks that differ (ACC-6). */
const LONGEST_LIMIT_MS = 8 * 24 * 3_600_000

/** Numbers from here on are epoch seconds, not seconds from now: 2001-09-09 as seconds, or 31 years as a wait. */
const EPOCH_SECONDS_FROM = 1e9
/** … and from here on epoch milliseconds (in seconds it would be the year 5138). */
const EPOCH_MS_FROM = 1e11

/**
 * A time as epoch ms, at most 8 days from now, or null when the text says nothing usable (empty, negative, in the past).
 *
 * resetTime('15', t)                     → t + 15 s          seconds from now (retry-after)
 * resetTime('1790814600', t)             → 1790814600000     epoch seconds (anthropic-ratelimit-unified-reset)
 * resetTime('1790814600000', t)          → 1790814600000     epoch ms
 * resetTime('2026-05-28T22:16:00Z', t)   → that moment       (anthropic-ratelimit-requests-reset)
 * resetTime('Wed, 21 Oct 2026 07:28:00 GMT', t)              HTTP date (retry-after, RFC 9110 10.2.3)
 * resetTime('6m0s', t), resetTime('19.496s', t), resetTime('12ms', t)   durations (x-ratelimit-reset-*, RetryInfo)
 */
export function resetTime(text: string | number | null | undefined, nowMs: number): number | null {
  if (text === null || text === undefined) return null
  const trimmed = String(text).trim()
  if (trimmed === '') return null
  const atMs = /^\d+(?:\.\d+)?$/.test(trimmed)
    ? fromNumber(Number(trimmed), nowMs)
    : (fromDuration(trimmed, nowMs) ?? fromDate(trimmed))
  if (atMs === null || Number.isNaN(atMs) || atMs < nowMs) return null
  return Math.min(Math.ceil(atMs), nowMs + LONGEST_LIMIT_MS)
}

function fromNumber(value: number, nowMs: number): number {
  if (value >= EPOCH_MS_FROM) return value
  if (value >= EPOCH_SECONDS_FROM) return value * 1000
  return nowMs + value * 1000
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function fromDuration(text: string, nowMs: number): number | null {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return null
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  }
  return nowMs + totalMs
}

function fromDate(text: string): number | null {
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : atMs
}

/** The later of two times; null counts as none. */
export function later(a: number | null, b: number | null): number | null {
  if (a === null) return b
  return b === null ? a : Math.max(a, b)
}
