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
  return new Lines(mostBytes)
}

class Lines implements LineBlock {
  size = 0
  private text = ''
  /** Bytes of the line under way, and whether the only one so far was a CR. */
  private lineSize = 0
  private onlyCr = false

  constructor(private readonly mostBytes: number) {}

  push(bytes: Uint8Array, at: number): number {
    let from = at
    for (;;) {
      const lf = bytes.indexOf(LF, from)
      const to = lf < 0 ? bytes.length : lf
      if (to > from) this.onlyCr = this.lineSize === 0 && to - from === 1 && bytes[from] === CR
      this.lineSize += to - from
      if (lf < 0) {
        this.keep(bytes, at, to)
        return -1
      }
      const empty = this.lineSize === 0 || this.onlyCr
      this.lineSize = 0
      this.onlyCr = false
      from = lf + 1
      if (empty) {
        this.keep(bytes, at, from)
        return from
      }
    }
  }

  take(): string {
    const lines = this.text.slice(0, this.text.endsWith('\r\n') ? -2 : -1)
    this.text = ''
    this.size = 0
    return lines
  }

  private keep(bytes: Uint8Array, from: number, to: number): void {
    this.size += to - from
    if (this.size > this.mostBytes) throw new Http1Error('protocol', `header fields over ${this.mostBytes} bytes`)
    this.text += latin1(bytes, from, to)
  }
}

/** Without a Buffer around the bytes: 100 ns instead of 220 for a head. */
function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.prototype.toString.call(bytes, 'latin1', from, to)
}
