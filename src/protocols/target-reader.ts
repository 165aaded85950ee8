/**
 * Leads a JSON tracker through the framing of a response body, which is one document or a stream of server-sent events.
 * The model rewriter looks at the tracker's target after every step.
 *
 * Streams are lines as in https://html.spec.whatwg.org/multipage/server-sent-events.html, ending in LF or CRLF. Only
 * `data:` lines are read, those of one event as one document. Events without the wanted name are jumped over, found by
 * native search: 0.3 µs for a chat event of 300 bytes instead of 1.4 µs.
 */
import { CARRIAGE_RETURN, LINE_FEED } from '../lib/json-bytes.ts'
import type { JsonTracker } from '../lib/json-tracker.ts'

export interface TargetReader {
  /** The next bytes. As with the tracker, an unfinished target comes again at their front. */
  give(bytes: Uint8Array): void
  /** Reads on from `from` up to the end of a target, of a line, or of the bytes; answers where it stopped. */
  read(from: number): number
}

const NO_BYTES = Buffer.alloc(0)
const DATA = new TextEncoder().encode('data:')

export function createDocumentReader(tracker: JsonTracker): TargetReader {
  let bytes: Uint8Array = NO_BYTES
  return {
    give(given) {
      bytes = given
      tracker.give(given)
    },
    read(from) {
      const pos = tracker.advance(from)
      return tracker.target.end < 0 && bytes[pos] === LINE_FEED ? pos + 1 : pos
    },
  }
}

/** `marks`: byte sequences one of which is in every event that holds a target worth stopping at. */
export function createStreamReader(tracker: JsonTracker, marks: readonly Uint8Array[]): TargetReader {
  let bytes: Buffer = NO_BYTES
  /** What the next byte belongs to: the beginning of a line, or the rest of a data line or of another one. */
  let place: 'field' | 'data' | 'other' = 'field'
  /** How many bytes of the line's beginning were those of `data:`. */
  let matched = 0
  let mayJump = false
  let nextMark = -1

  /** Where the whole events without any mark end that begin at or after `from`; `from` if it is in the middle of one. */
  function jump(from: number): number {
    if (nextMark < from) nextMark = firstOf(marks, bytes, from)
    const start = lastEventStart(bytes, from, nextMark)
    if (start > from) startEvent()
    return start
  }

  function startEvent(): void {
    tracker.reset()
    place = 'field'
    matched = 0
  }

  function passField(byte: number): void {
    if (byte === LINE_FEED) {
      if (matched === 0) {
        startEvent()
        mayJump = true
      }
      matched = 0
    } else if (byte === DATA[matched]) {
      matched++
      if (matched < DATA.length) return
      place = 'data'
      // Sloppy relays forget the empty line between events; two documents never make one.
      if (tracker.isDone()) tracker.reset()
    } else if (byte !== CARRIAGE_RETURN || matched > 0) place = 'other'
  }

  function readLine(from: number): number {
    const pos = place === 'data' ? tracker.advance(from) : bytes.indexOf(LINE_FEED, from)
    if (pos < 0) return bytes.length
    if (tracker.target.end >= 0 || bytes[pos] !== LINE_FEED) return pos
    place = 'field'
    matched = 0
    return pos + 1
  }

  return {
    give(given) {
      tracker.give(given)
      bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
      mayJump = tracker.target.start < 0
      nextMark = -1
    },
    read(from) {
      let pos = from
      if (mayJump || tracker.target.end >= 0) pos = jump(from)
      mayJump = false
      if (pos > from) return pos
      if (place !== 'field') return readLine(from)
      passField(bytes[from]!)
      return from + 1
    },
  }
}

/** The first position from `from` on where one of the marks is, or the length. */
function firstOf(marks: readonly Uint8Array[], bytes: Buffer, from: number): number {
  let first = bytes.length
  for (const mark of marks) {
    const pos = bytes.indexOf(mark, from)
    if (pos >= 0 && pos < first) first = pos
  }
  return first
}

/** The last position after `from`, up to `limit`, that follows an empty line; else `from`. */
function lastEventStart(bytes: Uint8Array, from: number, limit: number): number {
  for (let pos = limit; pos > from; pos--) {
    if (bytes[pos - 1] !== LINE_FEED) continue
    const before = bytes[pos - 2] === CARRIAGE_RETURN ? pos - 3 : pos - 2
    if (bytes[before] === LINE_FEED) return pos
  }
  return from
}
