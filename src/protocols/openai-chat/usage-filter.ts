/**
 * Keeps from the client the usage chunk that turnpike asked for and the client did not (REL-8): the event of a chat
 * stream whose `choices` are empty and whose `usage` is an object. Every other byte passes as it came.
 * https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options
 *
 * Not that chunk are a vendor's usage beside a choice, and Azure's first chunk, which has empty choices and no usage.
 * Held back is only an unfinished event that can still be the one, at most 16 kB of it. Events end with an empty line or
 * with the stream, and what becomes of one does not depend on how it was split.
 */
import { CARRIAGE_RETURN, CLOSE_BRACKET, COLON, LINE_FEED, OPEN_BRACKET, spaceEnd } from '../../lib/json-bytes.ts'
import type { Rewriter } from '../rewriter.ts'
import { commentsOf, isUsageEvent, mayBeUsageEvent } from './usage-event.ts'

/** Hundreds of bytes are usual. A longer event passes, whatever it is. */
const MAX_EVENT_BYTES = 16 * 1024
const NO_BYTES: Uint8Array = new Uint8Array(0)

export function createUsageChunkFilter(): Rewriter {
  const finder = createEventEndFinder()
  let held = NO_BYTES
  /** What is being passed on unread up to its end. */
  let passing: 'event' | 'comment' | null = null

  function passOn(bytes: Uint8Array, from: number): number {
    const end = passing === 'comment' ? bytes.indexOf(LINE_FEED, from) + 1 : finder.find(bytes, from)
    if (end <= 0) return bytes.length
    passing = null
    return end
  }

  /** The end of the event that starts at `from`, or -1: it is not to be read on for now. */
  function readEvent(bytes: Uint8Array, from: number): number {
    finder.reset()
    const end = finder.find(bytes, from)
    if (end > 0) return end
    if (bytes.length - from <= MAX_EVENT_BYTES && mayBeUsageEvent(bytes.subarray(from))) return -1
    passing = 'event'
    return bytes.length
  }

  return {
    push(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      let pieces: Uint8Array[] | null = null
      let copied = 0
      let pos = 0
      while (pos < bytes.length) {
        if (passing === null && bytes[pos] === COLON) passing = 'comment'
        if (passing !== null) {
          pos = passOn(bytes, pos)
          continue
        }
        const end = readEvent(bytes, pos)
        if (end < 0) break
        if (isDropped(bytes, pos, end)) {
          pieces ??= []
          pieces.push(bytes.subarray(copied, pos), commentsOf(bytes.subarray(pos, end)))
          copied = end
        }
        pos = end
      }
      held = pos === bytes.length ? NO_BYTES : bytes.subarray(pos)
      if (pieces === null) return pos === bytes.length ? bytes : bytes.subarray(0, pos)
      pieces.push(bytes.subarray(copied, pos))
      return Buffer.concat(pieces)
    },
    end() {
      const rest = held
      held = NO_BYTES
      return isUsageEvent(rest) ? commentsOf(rest) : rest
    },
  }
}

function isDropped(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > MAX_EVENT_BYTES || !hasEmptyArray(bytes, start, end)) return false
  return isUsageEvent(bytes.subarray(start, end))
}

/** Looked for before anything is parsed: no content chunk usually has one, and the usage chunk must. */
function hasEmptyArray(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = bytes.indexOf(OPEN_BRACKET, start)
  while (pos >= 0 && pos < end) {
    if (bytes[spaceEnd(bytes, pos + 1)] === CLOSE_BRACKET) return true
    pos = bytes.indexOf(OPEN_BRACKET, pos + 1)
  }
  return false
}

/** Finds the end of an event, the position behind its empty line, also when it arrives in pieces. */
function createEventEndFinder() {
  /** What the current line has of earlier pieces. A lone carriage return may be half of an empty line's ending. */
  let line: 'nothing' | 'return' | 'text' = 'nothing'

  return {
    reset() {
      line = 'nothing'
    },
    /** -1: it is not in these bytes. */
    find(bytes: Uint8Array, from: number): number {
      let start = from
      for (;;) {
        const end = bytes.indexOf(LINE_FEED, start)
        const last = end < 0 ? bytes.length : end
        const length = last - start
        const isReturn = length === 1 && bytes[start] === CARRIAGE_RETURN
        if (length > 0) line = isReturn && line === 'nothing' ? 'return' : 'text'
        if (end < 0) return -1
        if (line !== 'text') return end + 1
        line = 'nothing'
        start = end + 1
      }
    },
  }
}
