/**
 * What must be sent before an error event so that clients parse it as an event of its own, when the upstream broke off anywhere (REL-13).
 *
 *   after a blank line        nothing
 *   after a line              one line end: the event that was open is whole and is dispatched
 *   within a comment, `event:` or half a field name: two line ends; what was cut says nothing
 *   within a `data:` line     two line ends; the cut event is dispatched with half a JSON in it
 *
 * The last case has no better answer. Server-sent events cannot take back a line, and completing the JSON would forge an event: a cut
 * `response.completed` would become a success, `12|34` tokens would become 12. Half a JSON is loud in strict SDKs (they throw, which is
 * what REL-13 wants) and skipped by tolerant ones (Codex), which then read the error event.
 *
 * The line end is the stream's own: @google/genai 1.30 knows CRLF CRLF and LF LF as the end of an event, but no mixture.
 */
import type { Framing } from './protocol.ts'

const LF = 10
const CR = 13

/** `tail`: the last bytes that the client has got, all of them if they were few. */
export function streamLead(tail: Uint8Array, framing: Framing): string {
  if (framing === 'json') return ''
  return framing === 'sse' ? sseLead(tail) : arrayLead(tail)
}

function sseLead(tail: Uint8Array): string {
  const end = tail.length
  if (end === 0) return ''
  const line = usesCrlf(tail) ? '\r\n' : '\n'
  const last = tail[end - 1]
  if (last === LF) return blankBefore(tail, end - 1) ? '' : line
  if (last === CR) return blankBefore(tail, end) ? '\n' : `\n${line}`
  return line + line
}

/** Is the line that the newline at `index` ends empty? */
function blankBefore(tail: Uint8Array, index: number): boolean {
  const before = tail[index - 1] === CR ? index - 2 : index - 1
  return tail[before] === LF
}

function usesCrlf(tail: Uint8Array): boolean {
  const newline = tail.lastIndexOf(LF)
  return newline > 0 ? tail[newline - 1] === CR : tail[tail.length - 1] === CR
}

/** A JSON array is open: a comma parts the error from a last element; within an element nothing can be mended. */
function arrayLead(tail: Uint8Array): string {
  for (let at = tail.length - 1; at >= 0; at--) {
    const byte = tail[at]!
    if (byte === 32 || byte === LF || byte === CR || byte === 9) continue
    return byte === 91 || byte === 44 ? '' : ','
  }
  return '['
}
