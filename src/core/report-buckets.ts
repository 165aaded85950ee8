/**
 * The days, weeks and months of a report, in any time zone (USE-12): each begins and ends at a midnight of the zone, so a day that daylight
 * saving shortens or lengthens has its 23 or 25 hours. Pure.
 *
 * A report counts whole periods: a span that begins or ends within one is widened, and the answer says to what.
 */

export const PERIODS = ['day', 'week', 'month'] as const
export type Period = (typeof PERIODS)[number]

/** From, including it, to, excluding it; epoch ms. */
export interface Span {
  fromMs: number
  toMs: number
}

export interface Bucket extends Span {
  /** Its first day in the zone, "2026-07-20": a Monday for a week (ISO 8601), the first for a month. */
  day: string
}

/** All periods that the span touches, in order. Null: more than `most` of them. */
export function bucketsOf(span: Span, of: { period: Period; timeZone: string; most: number }): Bucket[] | null {
  const { period, timeZone, most } = of
  const buckets: Bucket[] = []
  let day = startOf(dateAt(span.fromMs, timeZone), period)
  let fromMs = midnightOf(day, timeZone)
  while (fromMs < span.toMs) {
    if (buckets.length === most) return null
    const next = day.add({ [`${period}s`]: 1 })
    const toMs = midnightOf(next, timeZone)
    buckets.push({ day: day.toString(), fromMs, toMs })
    day = next
    fromMs = toMs
  }
  return buckets
}

/** The last `count` periods, the current one among them. */
export function latestSpan(nowMs: number, of: { period: Period; timeZone: string; count: number }): Span {
  const { period, timeZone, count } = of
  const current = startOf(dateAt(nowMs, timeZone), period)
  const first = current.subtract({ [`${period}s`]: count - 1 })
  return { fromMs: midnightOf(first, timeZone), toMs: midnightOf(current.add({ [`${period}s`]: 1 }), timeZone) }
}

export function dateAt(ms: number, timeZone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone).toPlainDate()
}

/** Where midnight is skipped the day begins an hour later. */
export function midnightOf(day: Temporal.PlainDate, timeZone: string): number {
  return day.toZonedDateTime(timeZone).epochMilliseconds
}

function startOf(day: Temporal.PlainDate, period: Period): Temporal.PlainDate {
  if (period === 'week') return day.subtract({ days: day.dayOfWeek - 1 })
  return period === 'month' ? day.with({ day: 1 }) : day
}
