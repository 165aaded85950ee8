/**
 * Gathers the lines of a head (or of trailers) out of chunks cut anywhere, up to the empty line that ends them. Pure, bounded.
 * Whole in one chunk, the usual case, it costs one search per line and one decoding.
 */
import { Http1Error } from './http1-error.ts'

export interface LineBlock {
  /** Takes bytes from `at` on; gives the position after the block, or -1 when its end is still to come. */
  push(bytes: Uint8Array, at: number): number
  /** The lines as latin-1, each with its end, without the empty one, once the block is whole; taking them makes ready for the next block. */
  take(): string
  readonly size: number
}

const LF = 10
const CR = 13

export function createLineBlock(mostBytes: number): LineBlock {
  let text = ''
  let size = 0
  /** Bytes of the line under way, and whether the only one so far was a CR. */
  let lineSize = 0
  let onlyCr = false

  function keep(bytes: Uint8Array, from: number, to: number): void {
    size += to - from
    if (size > mostBytes) throw new Http1Error('protocol', `header fields over ${mostBytes} bytes`)
    text += latin1(bytes, from, to)
  }

  return {
    push(bytes, at) {
      let from = at
      for (;;) {
        const lf = bytes.indexOf(LF, from)
        const to = lf < 0 ? bytes.length : lf
        if (to > from) onlyCr = lineSize === 0 && to - from === 1 && bytes[from] === CR
        lineSize += to - from
        if (lf < 0) {
          keep(bytes, at, to)
          return -1
        }
        const empty = lineSize === 0 || onlyCr
        lineSize = 0
        onlyCr = false
        from = lf + 1
        if (empty) {
          keep(bytes, at, from)
          return from
        }
      }
    },
    take() {
      const lines = text.slice(0, text.endsWith('\r\n') ? -2 : -1)
      text = ''
      size = 0
      return lines
    },
    get size() {
      return size
    },
  }
}

/** Without a Buffer around the bytes: 100 ns instead of 220 for a head. */
function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.prototype.toString.call(bytes, 'latin1', from, to)
}
