/** How limits, takes and counters are written for the scripts, and read back (format: scripts/common.lua). */
import { type Amounts, type Bucket, type Limit, MEASURES, type Span, type Standing, type Take } from '../core/limit.ts'

const LIMIT_RULES = { whole: 'w', estimate: 'e', hold: 'h' } as const
const STANDINGS: Readonly<Record<string, Standing>> = { k: 'known', s: 'stale', u: 'unread' }
const MEASURE_INDEX = Object.fromEntries(MEASURES.map((measure, index) => [measure, index + 1]))

/** Six arguments a limit. */
export function pushLimit(args: string[], limit: Limit): void {
  const { counter, measure, span, most, rule, durable } = limit
  args.push(counter, String(MEASURE_INDEX[measure]), spanText(span), most === null ? '' : String(most))
  args.push(LIMIT_RULES[rule], durable ? '1' : '0')
}

export function pushAmounts(args: string[], amounts: Amounts): void {
  for (const measure of MEASURES) args.push(String(amounts[measure]))
}

export function spanText(span: Span): string {
  if (span.kind === 'window') return `w ${span.lengthMs}`
  if (span.kind === 'calendar') return `c ${span.boundaries.join(' ')}`
  return span.kind === 'rate' ? 'r' : 't'
}

export function takesText(takes: readonly Take[]): string {
  return takes.map(takeText).join(';')
}

function takeText({ counter, measure, kind, startMs, amount, perMinute, durable }: Take): string {
  const fields = [counter, MEASURE_INDEX[measure], kind === 'rate' ? 'r' : 'b', startMs, amount, perMinute]
  return `${fields.join(' ')} ${durable ? 1 : 0}`
}

export function parseTakes(text: string): Take[] {
  return text === '' ? [] : text.split(';').map(parseTake)
}

function parseTake(text: string): Take {
  const [counter = '', measure, kind, startMs, amount, perMinute, durable] = text.split(' ')
  return {
    counter,
    measure: MEASURES[Number(measure) - 1] ?? 'slots',
    kind: kind === 'r' ? 'rate' : 'bucket',
    startMs: Number(startMs),
    amount: Number(amount),
    perMinute: Number(perMinute),
    durable: durable === '1',
  }
}

export function parseBucket(text: string): Bucket | null {
  const [startMs, used, reserved, standing = '', most] = text.split(' ')
  if (most === undefined) return null
  return {
    startMs: Number(startMs),
    used: Number(used),
    reserved: Number(reserved),
    standing: STANDINGS[standing] ?? 'unread',
    most: most === '-' ? null : Number(most),
  }
}
