/** Times, days and time zones as people write them → what can be reckoned with. Pure. Anything that isn't one is null, never a guess. */

/** Between 1970 and 9999: what lies outside of it is a mistake, and the database could not hold all of it. */
const MOST_MS = 253_402_300_800_000

/** RFC 3339 → epoch ms. `Date.parse` would take the 30th of February for the 2nd of March. */
export function parseInstant(text: string): number | null {
  return reckon(() => Temporal.Instant.from(text).epochMilliseconds)
}

/** "2026-07-24" → where that day begins in the zone, epoch ms. */
export function parseDay(text: string, timeZone: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  return reckon(() => Temporal.PlainDate.from(text).toZonedDateTime(timeZone).epochMilliseconds)
}

function reckon(read: () => number): number | null {
  try {
    const ms = read()
    return ms >= 0 && ms < MOST_MS ? ms : null
  } catch {
    return null
  }
}

/**
 * IANA names only. An offset like "+02:00" would do for JavaScript, but Postgres reads it the other way round (POSIX: west is positive).
 */
export function isTimeZone(name: string): boolean {
  // The default; asking would load the time zone data, which takes 8 ms.
  if (name === 'UTC') return true
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}
