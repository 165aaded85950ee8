/**
 * Where server-sent events end in a chunk of bytes: after a blank line, LF LF or CR LF CR LF, which may have begun in earlier chunks.
 * Searches are native; only newlines are looked at, and a `data:` line of any length holds none.
 */

/** The last two bytes before the chunk; 0 where there are none. */
export interface TwoBytes {
  last: number
  beforeLast: number
}

const LF = 10
const CR = 13

/** Index just after the last event end among the chunk's first `limit` bytes, or -1. */
export function lastEventEnd(chunk: Uint8Array, limit: number, before: TwoBytes): number {
  let index = limit - 1
  while (index >= 0) {
    if (chunk[index] !== LF) index = chunk.lastIndexOf(LF, index)
    if (index < 0) return -1
    if (endsEvent(chunk, index, before)) return index + 1
    index--
  }
  return -1
}

/** Index just after the first event end whose newline stands at `from` or later, or -1. */
export function firstEventEnd(chunk: Uint8Array, from: number, before: TwoBytes): number {
  let index = chunk.indexOf(LF, from)
  while (index >= 0) {
    if (endsEvent(chunk, index, before)) return index + 1
    index = chunk.indexOf(LF, index + 1)
  }
  return -1
}

/** Does the newline at `index` end a blank line? */
function endsEvent(chunk: Uint8Array, index: number, before: TwoBytes): boolean {
  const previous = index > 0 ? chunk[index - 1] : before.last
  if (previous === LF) return true
  if (previous !== CR) return false
  return (index > 1 ? chunk[index - 2] : index === 1 ? before.last : before.beforeLast) === LF
}
