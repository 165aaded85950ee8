/**
 * Finds and compares one name among JSON strings, which may spell it with escapes ("openai\/gpt", "\u0067pt").
 * Strings are given as bytes, with their quotes.
 */
import { BACKSLASH } from '../lib/json-bytes.ts'
import { readString } from '../lib/json-read.ts'

export interface NameMatcher {
  equals(string: Uint8Array): boolean
  /** Could the beginning of a string, opening quote included, still become the name? */
  mayBegin(beginning: Uint8Array): boolean
  /** Byte sequences of which a JSON text that names it has at least one. */
  readonly marks: readonly Uint8Array[]
}

const encoder = new TextEncoder()

export function createNameMatcher(name: string): NameMatcher {
  const spelled = encoder.encode(JSON.stringify(name))
  // Every UTF-16 unit as a six-byte escape, and the quotes.
  const longest = name.length * 6 + 2
  return {
    marks: marksOf(name).map((mark) => encoder.encode(mark)),
    equals(string) {
      if (string.length > longest) return false
      if (Buffer.compare(string, spelled) === 0) return true
      return string.includes(BACKSLASH) && readString(string, { start: 0, end: string.length }) === name
    },
    mayBegin(beginning) {
      if (beginning.length > longest) return false
      // `stream` leaves out an unfinished character, the pattern an unfinished escape.
      const text = new TextDecoder().decode(beginning, { stream: true })
      const [finished] = /^"(?:[^\\]|\\[^u]|\\u[0-9a-fA-F]{4})*/.exec(text)!
      return name.startsWith(JSON.parse(`${finished}"`) as string)
    },
  }
}

/** Any character may be written as a `\u` escape; of the short escapes only that of the slash is optional. */
function marksOf(name: string): string[] {
  const spelled = JSON.stringify(name)
  return name.includes('/') ? [spelled, '\\u', '\\/'] : [spelled, '\\u']
}
