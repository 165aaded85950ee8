/**
 * Tells the usage chunk of a chat stream from every other server-sent event, given the event's bytes.
 *
 * It is one whose every `choices` is an empty array and whose every `usage` is an object ("every": of duplicate keys).
 * Written such that an unfinished event is given up as early as one byte shows that it is another.
 */
import { CARRIAGE_RETURN, COLON, LINE_FEED, OPEN_BRACE, OPEN_BRACKET } from '../../lib/json-bytes.ts'
import { createJsonScanner } from '../../lib/json-scan.ts'

const scanChunk = createJsonScanner({ choices: 'choices', choice: 'choices[0]', usage: 'usage' })

export function isUsageEvent(event: Uint8Array): boolean {
  return judge(event, true)
}

/** For an event whose end has not come. */
export function mayBeUsageEvent(beginning: Uint8Array): boolean {
  return judge(beginning, false)
}

/** The comment lines of an event, which are no part of what it says. */
export function commentsOf(event: Uint8Array): Uint8Array {
  const comments: Uint8Array[] = []
  for (let start = 0; start < event.length; ) {
    const end = event.indexOf(LINE_FEED, start) + 1 || event.length
    if (event[start] === COLON) comments.push(event.subarray(start, end))
    start = end
  }
  return Buffer.concat(comments)
}

/** Is it the usage chunk, or, while its end has not come, can it be? */
function judge(event: Uint8Array, ended: boolean): boolean {
  const data = readData(event, ended)
  if (data === null) return false
  const scan = scanChunk(data)
  const first = data[scan.root.start]
  if (first !== undefined && first !== OPEN_BRACE) return false
  const { found, superseded } = scan
  const choices = [...found.choices, ...(superseded.choices ?? [])]
  const usages = [...found.usage, ...(superseded.usage ?? [])]
  if (found.choice.length > 0 || superseded.choice !== undefined) return false
  if (choices.some(({ start }) => data[start] !== OPEN_BRACKET)) return false
  if (usages.some(({ start }) => data[start] !== OPEN_BRACE)) return false
  if (scan.fault === 'cut-off') return !ended
  return scan.fault === null && choices.length > 0 && usages.length > 0
}

const FEED = Uint8Array.of(LINE_FEED)
const DATA = 'data:'
const OTHER_FIELDS = ['event', 'id', 'retry']

/** What the `data:` lines say together, or null: the event has a line that does not belong into a chat stream. */
function readData(event: Uint8Array, ended: boolean): Uint8Array | null {
  const data: Uint8Array[] = []
  for (let start = 0; start < event.length; ) {
    const feed = event.indexOf(LINE_FEED, start)
    const stop = feed < 0 ? event.length : feed
    const line = event.subarray(start, stop > start && event[stop - 1] === CARRIAGE_RETURN ? stop - 1 : stop)
    start = stop + 1
    if (line.length === 0 || line[0] === COLON) continue
    const name = String.fromCharCode(...line.subarray(0, 6))
    if (name.startsWith(DATA)) data.push(line.subarray(DATA.length))
    else if (!isOtherField(name, feed >= 0 || ended)) return null
  }
  // The space after a colon and the line feed between two lines are white space to JSON.
  return data.length === 1 ? data[0]! : Buffer.concat(data.flatMap((line, index) => (index ? [FEED, line] : [line])))
}

/** `name`: the beginning of a line. An unfinished one may still become a field's name. */
function isOtherField(name: string, finished: boolean): boolean {
  if (OTHER_FIELDS.some((field) => name === field || name.startsWith(`${field}:`))) return true
  return !finished && [DATA, ...OTHER_FIELDS].some((field) => field.startsWith(name))
}
