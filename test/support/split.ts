/** Feeds bytes to a rewriter in pieces. */
import fc from 'fast-check'

export interface Pushable {
  push(chunk: Uint8Array): Uint8Array
  end(): Uint8Array
}

/** Lengths of pieces, repeated until the bytes are used up; `[1]` is byte by byte. */
export const pieceLengths = fc.oneof(
  fc.constant([1]),
  fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 200 })), { minLength: 1, maxLength: 12 }),
)

/** What comes out; the pieces are copies, so that nothing can depend on what stands beside them. */
export function feed(rewriter: Pushable, bytes: Uint8Array, lengths: readonly number[]): Buffer {
  const out: Uint8Array[] = []
  for (let pos = 0, turn = 0; pos < bytes.length; turn++) {
    const end = Math.min(bytes.length, pos + lengths[turn % lengths.length]!)
    out.push(rewriter.push(bytes.slice(pos, end)))
    pos = end
  }
  out.push(rewriter.end())
  return Buffer.concat(out)
}
