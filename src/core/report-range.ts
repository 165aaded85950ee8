/**
 * What a report's `from`, `to` and `tz` mean: which days, weeks or months it is about, and of which stored sums they are made. Pure.
 *
 * `from` and `to` are times or days of the zone; `to` is excluded, as in every list. Left out, they are the last periods up to now.
 */
import { type Fault, invalid } from './fault.ts'
import { type Bucket, bucketsOf, latestSpan, type Period, type Span } from './report-buckets.ts'
import { type Pieces, piecesOf } from './rollup-pieces.ts'
import { isTimeZone, parseDay, parseInstant } from './time-text.ts'

export interface RangeWish {
  from?: string
  to?: string
  /** IANA name; the configured zone unless told. */
  timeZone?: string
}

export interface RangeRules {
  nowMs: number
  configuredZone: string
  period: Period
  /** Periods when `from` is left out. */
  usual: number
  most: number
  /** One bucket for all of it, of whole periods. */
  together?: boolean
}

/** The span as it is counted: widened to whole periods. */
export interface Range extends Span {
  timeZone: string
  buckets: Bucket[]
  pieces: Pieces
}

export function readRange(wish: RangeWish, rules: RangeRules): Range | Fault {
  const { timeZone = rules.configuredZone } = wish
  if (!isTimeZone(timeZone)) return invalid('tz', 'tz is not the IANA name of a time zone, like "Europe/Berlin"')
  const span = readSpan(wish, timeZone, rules)
  if ('fault' in span) return span
  const { period, most } = rules
  const periods = bucketsOf(span, { period, timeZone, most })
  if (periods === null) return invalid('from', `the span is longer than ${most} ${period}s`)
  const [first, last] = [periods[0] as Bucket, periods.at(-1) as Bucket]
  const buckets = rules.together ? [{ ...first, toMs: last.toMs }] : periods
  const pieces = piecesOf(buckets, rules.configuredZone)
  if (pieces === null) return invalid('tz', halfHours(timeZone, rules.configuredZone))
  return { fromMs: first.fromMs, toMs: last.toMs, timeZone, buckets, pieces }
}

function halfHours(timeZone: string, configuredZone: string): string {
  return `the days of ${timeZone} do not begin on a full hour of UTC, and sums are kept by the hour and by days of ${configuredZone} (TIMEZONE)`
}

function readSpan(wish: RangeWish, timeZone: string, rules: RangeRules): Span | Fault {
  const { period, usual, nowMs } = rules
  const from = wish.from === undefined ? undefined : parseMoment(wish.from, timeZone)
  const to = wish.to === undefined ? undefined : parseMoment(wish.to, timeZone)
  if (from === null) return invalid('from', NO_MOMENT('from'))
  if (to === null) return invalid('to', NO_MOMENT('to'))
  const latest = latestSpan(to === undefined ? nowMs : Math.max(to - 1, 0), { period, timeZone, count: usual })
  const span = { fromMs: from ?? latest.fromMs, toMs: to ?? latest.toMs }
  if (span.fromMs < span.toMs) return span
  return to === undefined ? invalid('from', 'from is later than now') : invalid('to', 'to must be later than from')
}

const NO_MOMENT = (name: string) => `${name} must be a day like 2026-07-24 or an RFC 3339 time, from 1970 on`

function parseMoment(text: string, timeZone: string): number | null {
  return text.includes('T') ? parseInstant(text) : parseDay(text, timeZone)
}
