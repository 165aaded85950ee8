/**
 * A span of time → the stored sums that make it up (USE-10): months and days, which are of the configured time zone, and hours, which are of
 * UTC. Pure. A year in another zone is eleven months, some days and some odd hours at both ends, so that reports read little however long
 * the span.
 *
 * What can't be cut out of whole days and whole hours is refused, not rounded: a day of a zone that is half an hour off begins within
 * an hour, and how much of that hour lies before it the sums don't tell. Its days are exact when it is the configured zone.
 */
import { type Bucket, dateAt, midnightOf, type Span } from './report-buckets.ts'

const HOUR_MS = 3_600_000

/** Whole days or months. */
export interface DayPiece {
  /** Index of the bucket that it is part of. */
  bucket: number
  /** First day, and the day after the last, in the configured zone; of months both are firsts. */
  from: string
  to: string
}

export interface HourPiece extends Span {
  bucket: number
}

export interface Pieces {
  months: DayPiece[]
  days: DayPiece[]
  hours: HourPiece[]
}

/** Null: a bucket begins or ends within an hour and is no whole number of configured days. */
export function piecesOf(buckets: readonly Bucket[], configuredZone: string): Pieces | null {
  const pieces: Pieces = { months: [], days: [], hours: [] }
  for (const [bucket, span] of buckets.entries()) {
    if (!addDaysAndEdges(pieces, bucket, span, configuredZone) && !addHours(pieces, bucket, [span])) return null
  }
  return pieces
}

/** False, and nothing is added, when the span holds no whole day or its edges are no whole hours. */
function addDaysAndEdges(pieces: Pieces, bucket: number, span: Span, configuredZone: string): boolean {
  const first = firstDayFrom(span.fromMs, configuredZone)
  const end = dateAt(span.toMs, configuredZone)
  if (Temporal.PlainDate.compare(first, end) >= 0) return false
  const before = { fromMs: span.fromMs, toMs: midnightOf(first, configuredZone) }
  const after = { fromMs: midnightOf(end, configuredZone), toMs: span.toMs }
  if (!addHours(pieces, bucket, [before, after])) return false
  addMonthsAndDays(pieces, bucket, [first, end])
  return true
}

function addMonthsAndDays(pieces: Pieces, bucket: number, [from, to]: [Temporal.PlainDate, Temporal.PlainDate]): void {
  const add = (list: DayPiece[], first: Temporal.PlainDate, end: Temporal.PlainDate) => {
    if (Temporal.PlainDate.compare(first, end) < 0) list.push({ bucket, from: first.toString(), to: end.toString() })
  }
  const firstMonth = from.day === 1 ? from : from.with({ day: 1 }).add({ months: 1 })
  const endMonth = to.with({ day: 1 })
  const hasMonths = Temporal.PlainDate.compare(firstMonth, endMonth) < 0
  add(pieces.days, from, hasMonths ? firstMonth : to)
  if (!hasMonths) return
  add(pieces.months, firstMonth, endMonth)
  add(pieces.days, endMonth, to)
}

function addHours(pieces: Pieces, bucket: number, spans: readonly Span[]): boolean {
  const found = spans.filter(({ fromMs, toMs }) => fromMs < toMs)
  if (found.some(({ fromMs, toMs }) => fromMs % HOUR_MS !== 0 || toMs % HOUR_MS !== 0)) return false
  for (const { fromMs, toMs } of found) pieces.hours.push({ bucket, fromMs, toMs })
  return true
}

/** The first day that begins at this moment or later. */
function firstDayFrom(ms: number, timeZone: string): Temporal.PlainDate {
  const day = dateAt(ms, timeZone)
  return midnightOf(day, timeZone) === ms ? day : day.add({ days: 1 })
}
