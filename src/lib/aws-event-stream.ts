/**
 * Reads AWS's binary event stream (`application/vnd.amazon.eventstream`) as it arrives: bytes in, whole messages out.
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
 *
 *   total length (4) | headers length (4) | CRC-32 of these 8 (4) | headers | payload | CRC-32 of all before it (4)
 *
 * Our own, because AWS's codec takes whole messages only, and its stream reader allocates whatever length a peer declares. Here a message
 * is at most 16 MiB, nothing is allocated before its bytes have come, and each byte is copied at most twice however the stream is
 * split. Strict: anything that does not add up throws, and the stream is over; there is nothing to find one's way back by.
 */
import { crc32 } from 'node:zlib'

export interface EventStreamMessage {
  /** Headers whose value is a string (`:event-type`, `:message-type`, …). Others are stepped over: nobody sends them here. */
  headers: Readonly<Record<string, string>>
  /** May be a view into what was pushed: to be read at once. */
  payload: Uint8Array
}

export interface EventStreamReader {
  /** Hands over the messages that are whole now. Throws an EventStreamError at the first bad one, and from then on. */
  push(chunk: Uint8Array, onMessage: (message: EventStreamMessage) => void): void
  /** The stream has ended. Throws when a message is open. */
  end(): void
}

export class EventStreamError extends Error {}

export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const PRELUDE_BYTES = 12
const CRC_BYTES = 4
/** Prelude and the closing CRC: a message without headers and payload. */
const SMALLEST_MESSAGE_BYTES = PRELUDE_BYTES + CRC_BYTES

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function createEventStreamReader(): EventStreamReader {
  let held: Uint8Array[] = []
  let heldBytes = 0
  /** Bytes without which nothing more can be said: a prelude, or the message that it announced. */
  let wanted = PRELUDE_BYTES
  let broken: EventStreamError | null = null

  function take(chunk: Uint8Array, onMessage: (message: EventStreamMessage) => void): void {
    if (heldBytes + chunk.length < wanted) {
      hold(chunk)
      return
    }
    const bytes = heldBytes === 0 ? chunk : Buffer.concat([...held, chunk])
    held = []
    heldBytes = 0
    let start = 0
    wanted = PRELUDE_BYTES
    while (bytes.length - start >= PRELUDE_BYTES) {
      wanted = messageLength(bytes, start)
      if (bytes.length - start < wanted) break
      onMessage(readMessage(bytes.subarray(start, start + wanted)))
      start += wanted
      wanted = PRELUDE_BYTES
    }
    if (start < bytes.length) hold(bytes.subarray(start))
  }

  function hold(bytes: Uint8Array): void {
    // A copy: whoever pushes may use its memory again (`slice` of a Buffer would be a view).
    // A copy: whoever pushes may use its memory again (and `slice` of a Buffer would be a view).
    held.push(new Uint8Array(bytes))
    heldBytes += bytes.length
  }

  return {
    push(chunk, onMessage) {
      if (broken) throw broken
      try {
        take(chunk, onMessage)
      } catch (error) {
        broken = error as EventStreamError
        throw error
      }
    },
    end() {
      if (broken) throw broken
      if (heldBytes > 0) throw new EventStreamError(`the event stream ends within a message, after ${heldBytes} bytes`)
    },
  }
}

/** Length of the message that begins at `start`, once its prelude is known to be sound. */
function messageLength(bytes: Uint8Array, start: number): number {
  const view = viewOf(bytes, start, PRELUDE_BYTES)
  if (view.getUint32(8) !== crc32(bytes.subarray(start, start + 8))) {
    throw new EventStreamError('the prelude of a message does not match its checksum')
  }
  const total = view.getUint32(0)
  if (total > MAX_MESSAGE_BYTES) throw new EventStreamError(`a message of ${total} bytes is over the limit`)
  if (total < SMALLEST_MESSAGE_BYTES || view.getUint32(4) > total - SMALLEST_MESSAGE_BYTES) {
    throw new EventStreamError('the lengths in a message contradict each other')
  }
  return total
}

function readMessage(bytes: Uint8Array): EventStreamMessage {
  const view = viewOf(bytes, 0, bytes.length)
  const end = bytes.length - CRC_BYTES
  if (view.getUint32(end) !== crc32(bytes.subarray(0, end))) {
    throw new EventStreamError('a message does not match its checksum')
  }
  const headersEnd = PRELUDE_BYTES + view.getUint32(4)
  return {
    headers: readHeaders(bytes.subarray(PRELUDE_BYTES, headersEnd)),
    payload: bytes.subarray(headersEnd, end),
  }
}

/** Bytes of a header's value by its type; strings (7) and byte arrays (6) have a length before them. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 }
const BYTE_ARRAY = 6
const STRING = 7

/** name length (1) | name | type (1) | value, or its length (2) and the value */
function readHeaders(bytes: Uint8Array): Record<string, string> {
  // Without a prototype: a header may have any name.
  const headers: Record<string, string> = Object.create(null)
  let at = 0
  function next(length: number): Uint8Array {
    if (at + length > bytes.length) throw new EventStreamError('a header runs over the end of the headers')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const name = decoder.decode(next(next(1)[0]!))
    const type = next(1)[0]!
    if (type === STRING || type === BYTE_ARRAY) {
      const [high, low] = next(2)
      const value = next(high! * 256 + low!)
      if (type === STRING) headers[name] = decoder.decode(value)
    } else {
      const length = VALUE_BYTES[type]
      if (length === undefined) throw new EventStreamError(`a header has the unknown type ${type}`)
      next(length)
    }
  }
  return headers
}

function viewOf(bytes: Uint8Array, start: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + start, length)
}
