/**
 * Times of the usage statistics: RFC 3339 to the nanosecond, and the day and hour that a request counts in.
 *
 * Days are those of the configured time zone. So are hours, but each begins with an hour of UTC, because the rollups that statistics are rebuilt
 * from know no finer one: where the zone is half an hour off (India), "17" is from 17:30 to 18:30.
 */
export interface Instant {
  seconds: number
  nanos: number
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** Nobody used a model before or after; the bounds also fit 32 bits. */
const FIRST_SECOND = 0
const LAST_SECOND = Date.UTC(2100, 0, 1) / 1000 - 1
export const TIME_RANGE = 'an RFC 3339 time from 1970 to 2099'

/** Null: no such time, or none that a request can have been made at. */
export function parseInstant(text: string): Instant | null {
  const match = RFC_3339.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return null
  const dayMs = Date.UTC(Number(year), Number(month) - 1, Number(day))
  // A day that the month has not ends in the next one.
  if (Number(month) < 1 || Number(day) < 1 || new Date(dayMs).getUTCDate() !== Number(day)) return null
  if (Number(month) > 12) return null
  const offset = (Number(offsetHour) * 3600 + Number(offsetMinute) * 60) * (sign === '-' ? -1 : 1)
  const seconds = dayMs / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset
  if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND)) return null
  return { seconds, nanos: Number(fraction.padEnd(9, '0')) }
}

export function formatInstant({ seconds, nanos }: Instant): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`
}

export interface Place {
  /** "2026-07-24" */
  day: string
  /** 0 to 23 */
  hour: number
}

const MINUTE = 60
const HOUR = 3600
/** Minutes that are remembered: requests come in the order of time, or nearly. */
const MOST_REMEMBERED = 4096

/** Where a second of time counts. Remembers, because asking the time zone takes a microsecond. */
export function createPlaces(timeZone: string): (seconds: number) => Place {
  const remembered = new Map<number, Place>()
  let lastMinute = -1
  let last: Place = { day: '', hour: 0 }
  return (seconds) => {
    const minute = Math.floor(seconds / MINUTE)
    if (minute === lastMinute) return last
    let place = remembered.get(minute)
    if (place === undefined) {
      if (remembered.size >= MOST_REMEMBERED) remembered.clear()
      place = placeAt(minute * MINUTE, timeZone)
      remembered.set(minute, place)
    }
    lastMinute = minute
    last = place
    return place
  }
}

function placeAt(seconds: number, timeZone: string): Place {
  const day = localTime(seconds, timeZone).toPlainDate().toString()
  const { hour } = localTime(Math.floor(seconds / HOUR) * HOUR, timeZone)
  return { day, hour }
}

function localTime(seconds: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO(timeZone)
}

/** 7 → "07" */
export function hourName(hour: number): string {
  return String(hour).padStart(2, '0')
}
