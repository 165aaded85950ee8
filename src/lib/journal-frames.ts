/**
 * How texts lie in a journal's file: marker, length, checksum, bytes, one after the other.
 *
 * The marker begins with a byte that never occurs in UTF-8, so that after damage (a bad block, an edit by hand) the next sound frame is
 * found again and only what is damaged is lost. What is cut off at the end of a file is no damage: there the power went, or the disk was full.
 */
export interface Frames {
  texts: string[]
  /** Offset behind the last text, or behind damage that was stepped over. */
  end: number
  /** Bytes stepped over with a sound frame behind them. */
  damagedBytes: number
  /** More bytes are needed to go on (the last frame is cut off); at the end of a file: the torn tail. */
  restBytes: number
}

const MARKER = Buffer.from([0xff, 0x4a, 0x52, 0x31])
const HEADER_BYTES = 12
/** A record is about 1 kB; what is far beyond is not one of ours. */
export const MOST_TEXT_BYTES = 1024 * 1024
export const MOST_FRAME_BYTES = HEADER_BYTES + MOST_TEXT_BYTES

/** Bytes written; null: the text is too long. `into` has room for the longest frame. */
export function writeFrame(into: Buffer, text: string): number | null {
  if (
    text.length > MOST_TEXT_BYTES ||
    (text.length * 3 > MOST_TEXT_BYTES && Buffer.byteLength(text) > MOST_TEXT_BYTES)
  ) {
    return null
  }
  const length = into.write(text, HEADER_BYTES, 'utf8')
  into.set(MARKER)
  into.writeUInt32LE(length, 4)
  into.writeUInt32LE(checksum(into.subarray(HEADER_BYTES, HEADER_BYTES + length)), 8)
  return HEADER_BYTES + length
}

/** `bytes` begin at a frame. At most `most` texts. */
export function readFrames(bytes: Buffer, most: number): Frames {
  const frames: Frames = { texts: [], end: 0, damagedBytes: 0, restBytes: 0 }
  let from = 0
  while (frames.texts.length < most && from < bytes.length) {
    const found = findFrame(bytes, from)
    if (found === null) break
    frames.damagedBytes += found.at - from
    frames.texts.push(bytes.toString('utf8', found.at + HEADER_BYTES, found.end))
    from = found.end
  }
  frames.end = from
  frames.restBytes = bytes.length - from
  return frames
}

/** The first sound frame at or behind `from`. */
function findFrame(bytes: Buffer, from: number): { at: number; end: number } | null {
  for (let at = bytes.indexOf(MARKER, from); at !== -1; at = bytes.indexOf(MARKER, at + 1)) {
    if (at + HEADER_BYTES > bytes.length) return null
    const end = at + HEADER_BYTES + bytes.readUInt32LE(at + 4)
    if (end > bytes.length || end - at > MOST_FRAME_BYTES) continue
    if (checksum(bytes.subarray(at + HEADER_BYTES, end)) === bytes.readUInt32LE(at + 8)) return { at, end }
  }
  return null
}

const checksum = (bytes: Buffer): number => Bun.hash.crc32(bytes)
