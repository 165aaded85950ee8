/**
 * Where days and weeks begin in the configured time zone, for daily and weekly limits (KEY-5). Pure: the caller passes the time.
 *
 * Temporal knows daylight saving: a day may have 23 or 25 hours, and where midnight is skipped it begins at 01:00.
 */

/**
 * Starts of the previous, the current, the next and the following period, ascending, in epoch ms. Four, because the instant at which a
 * request is counted is read from another clock (Redis') than the one that made this list: near midnight they may disagree.
 */
export type Boundaries = readonly [previousMs: number, currentMs: number, nextMs: number, followingMs: number]

export function dayBoundaries(nowMs: number, timeZone: string): Boundaries {
  const today = dateAt(nowMs, timeZone)
  return startsOf(today, 1, timeZone)
}

/** Weeks begin on Monday (ISO 8601). */
export function weekBoundaries(nowMs: number, timeZone: string): Boundaries {
  const today = dateAt(nowMs, timeZone)
  return startsOf(today.subtract({ days: today.dayOfWeek - 1 }), 7, timeZone)
}

/** The start of the period that `nowMs` is in; the list's first or last but one when it is outside of it. */
export function boundaryAt(boundaries: Boundaries, nowMs: number): number {
  const [previousMs, currentMs, nextMs] = boundaries
  if (nowMs >= nextMs) return nextMs
  return nowMs >= currentMs ? currentMs : previousMs
}

/** When the period that began at `startMs` ends. */
export function boundaryAfter(boundaries: Boundaries, startMs: number): number {
  return boundaries.find((boundaryMs) => boundaryMs > startMs) ?? boundaries[3]
}

function dateAt(nowMs: number, timeZone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate()
}

function startsOf(first: Temporal.PlainDate, days: number, timeZone: string): Boundaries {
  const start = (periods: number) => first.add({ days: days * periods }).toZonedDateTime(timeZone).epochMilliseconds
  return [start(-1), start(0), start(1), start(2)]
}
