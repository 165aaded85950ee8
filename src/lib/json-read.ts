/**
 * Reads single values out of JSON bytes that `json-scan` has found valid. A value of another kind reads as null: the
 * caller decides what a wrong type means.
 */
import { BACKSLASH, OPEN_BRACE, OPEN_BRACKET, QUOTE, stringEnd, textIn } from './json-bytes.ts'

/** Half-open byte range. */
export interface Span {
  start: number
  end: number
}

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

/**
 * A byte order mark inside a string is text, so it stays; broken UTF-8 becomes U+FFFD as in any lenient decoder: what a TextDecoder with
 * `ignoreBOM` gives, but without a subarray, in half the time.
 */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.prototype.toString.call(bytes, 'utf8', start, end)
}

export function jsonKind(bytes: Uint8Array, span: Span): JsonKind {
  switch (bytes[span.start]) {
    case QUOTE:
      return 'string'
    case OPEN_BRACE:
      return 'object'
    case OPEN_BRACKET:
      return 'array'
    case 0x74: // true
    case 0x66: // false
      return 'boolean'
    case 0x6e: // null
      return 'null'
    default:
      return 'number'
  }
}

export function readString(bytes: Uint8Array, span: Span): string | null {
  if (bytes[span.start] !== QUOTE) return null
  const text = textOf(bytes, span.start + 1, span.end - 1)
  // JSON.parse of one string: it undoes every escape, and only strings that have one pay for it.
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text
}

/** Is it this string? Decoded only when it is spelled with escapes, or in more than ASCII. */
export function isString(bytes: Uint8Array, span: Span, text: string): boolean {
  if (bytes[span.start] !== QUOTE) return false
  const from = span.start + 1
  const end = span.end - 1
  for (let pos = from; pos < end; pos++) {
    const byte = bytes[pos]!
    if (byte === BACKSLASH || byte >= 0x80) return readString(bytes, span) === text
    if (byte !== text.charCodeAt(pos - from)) return false
  }
  return end - from === text.length
}

/** The string whose opening quote is at `start`. */
export function readStringAt(bytes: Uint8Array, start: number): string {
  return readString(bytes, { start, end: stringEnd(bytes, textIn(bytes), start + 1) }) ?? ''
}

/** A finite number; 1e999 is valid JSON, but no number to work with. */
export function readNumber(bytes: Uint8Array, span: Span): number | null {
  if (jsonKind(bytes, span) !== 'number') return null
  const value = Number(textOf(bytes, span.start, span.end))
  return Number.isFinite(value) ? value : null
}

export function readBoolean(bytes: Uint8Array, span: Span): boolean | null {
  if (jsonKind(bytes, span) !== 'boolean') return null
  return bytes[span.start] === 0x74
}
