/**
 * What the four dialects' `inspect` files have in common: turning a scanned request body into facts or a Denial (REL-1).
 *
 * A client's mistake in a field that turnpike needs is refused here; in any other field it is the upstream's to judge.
 */
import { type Denial, deny } from '../core/denial.ts'
import { CLOSE_BRACE, OPEN_BRACE, spaceEnd } from '../lib/json-bytes.ts'
import { jsonKind, readBoolean, readNumber, readString, type Span } from '../lib/json-read.ts'
import { type JsonScan, type JsonScanner, MAX_JSON_DEPTH, MAX_SPANS_PER_PATH } from '../lib/json-scan.ts'
import type { Inspected, Operation } from './protocol.ts'
import { type SessionField, sessionHint } from './session-hint.ts'

/** More than any model can write. A cap beyond it means "no cap", and holding its price would refuse the request (BIL-7). */
const MAX_SENSIBLE_CAP = 10_000_000

export function scanBody<Name extends string>(scanner: JsonScanner<Name>, body: Uint8Array): JsonScan<Name> | Denial {
  const scan = scanner(body)
  switch (scan.fault) {
    case 'syntax':
      return deny('invalid_json', `The request body is not valid JSON (at byte ${scan.at}).`)
    case 'cut-off':
      return deny('invalid_json', `The request body is not valid JSON: it ends too early (at byte ${scan.at}).`)
    case 'too-deep':
      return deny('invalid_json', `The request body is nested deeper than ${MAX_JSON_DEPTH} levels.`)
    case 'too-many':
      return deny('invalid_request', `The request body repeats a field more than ${MAX_SPANS_PER_PATH} times.`)
  }
  if (body[scan.root.start] !== OPEN_BRACE) return deny('invalid_json', 'The request body must be a JSON object.')
  return scan
}

/** What the three dialects that say everything in the body say alike; each fills in what is its own. */
export function readCommon(
  operation: Operation,
  body: Uint8Array,
  scan: JsonScan<SessionField | 'model' | 'stream'>,
): Inspected | Denial {
  const model = readModel(body, valueAt(scan, 'model'))
  if (typeof model !== 'string') return model
  const stream = readStream(body, valueAt(scan, 'stream'), operation)
  if (typeof stream !== 'boolean') return stream
  const { insertAt, empty } = memberSlot(body, scan.root)
  return {
    model,
    modelSpans: everyValueAt(scan, MODEL),
    stream,
    framing: stream ? 'sse' : 'json',
    maxOutputTokens: null,
    choices: 1,
    sessionHint: sessionHint(body, scan),
    prefixSpans: [],
    storeSpan: null,
    usageOption: null,
    insertAt,
    empty,
  }
}

const MODEL = ['model'] as const

/** Where a member can be spliced in as the first one, and whether it would be the only one. */
export function memberSlot(body: Uint8Array, root: Span): { insertAt: number; empty: boolean } {
  const insertAt = root.start + 1
  return { insertAt, empty: body[spaceEnd(body, insertAt)] === CLOSE_BRACE }
}

/** The value that counts: the last of duplicates. Null: absent. */
export function valueAt<Name extends string>(scan: JsonScan<Name>, name: Name): Span | null {
  return scan.found[name].at(-1) ?? null
}

/** Every value at some paths, replaced duplicates too: all that any parser might take. */
export function everyValueAt<Name extends string>(scan: JsonScan<Name>, names: readonly Name[]): Span[] {
  const spans: Span[] = []
  for (const name of names) {
    spans.push(...scan.found[name])
    const superseded = scan.superseded[name]
    if (superseded) spans.push(...superseded)
  }
  return spans.length < 2 ? spans : spans.sort((a, b) => a.start - b.start)
}

function readModel(body: Uint8Array, span: Span | null): string | Denial {
  if (span === null) return deny('missing_model', "The request names no model: 'model' is required.")
  const model = readString(body, span)
  if (model === null || model.trim() === '') return deny('missing_model', "'model' must be a non-empty string.")
  return model
}

/** An endpoint that never streams ignores the field, as its upstream does. */
function readStream(body: Uint8Array, span: Span | null, operation: Operation): boolean | Denial {
  if (span === null || operation.streaming !== 'body' || jsonKind(body, span) === 'null') return false
  return readBoolean(body, span) ?? deny('invalid_request', "'stream' must be true or false.")
}

/** Vendors take 128 at most; what is no such number is theirs to refuse. */
const MOST_CHOICES = 128

/** The largest of the counts given. */
export function readChoices<Name extends string>(
  body: Uint8Array,
  scan: JsonScan<Name>,
  names: readonly Name[],
): number {
  let largest = 1
  for (const name of names) {
    const span = valueAt(scan, name)
    const count = span === null ? null : readNumber(body, span)
    if (count !== null && Number.isInteger(count) && count <= MOST_CHOICES) largest = Math.max(largest, count)
  }
  return largest
}

/** The largest of the caps given, so that a hold is never too small where vendors prefer different ones. */
export function readCap<Name extends string>(
  body: Uint8Array,
  scan: JsonScan<Name>,
  names: readonly Name[],
): number | null {
  let largest: number | null = null
  for (const name of names) {
    const span = valueAt(scan, name)
    const cap = span === null ? null : readNumber(body, span)
    if (cap === null || !Number.isInteger(cap) || cap <= 0 || cap > MAX_SENSIBLE_CAP) continue
    largest = Math.max(largest ?? 0, cap)
  }
  return largest
}
