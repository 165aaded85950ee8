/**
 * Reads a JSON text of which only the first or the last part is there.
 *
 * Why: an event with an image in it is several MB, its type stands at its start and its usage at its end (REL-8). Both parts
 * can be completed to valid JSON without a guess: what is not closed is closed (a prefix), what is not opened is opened (a suffix),
 * and the one member that was cut is left out. Strings are respected from both sides, so a text that looks like JSON is no member.
 *
 * `{"a":1,"b":{"c":2,"d":"xy…`  →  `{"a":1,"b":{"c":2}}`, open path ["b"]
 * `…yz","e":3},"f":4}`          →  `{"b":{"e":3},"f":4}` with that path ("?" where the path says nothing)
 */
import { asObject, parseJson } from './json-values.ts'

export interface PrefixValue {
  value: unknown
  /** Keys of the containers still open below the root; null: an element of an array. */
  path: (string | null)[]
  /** The root is closed: nothing is missing. */
  whole: boolean
}

const BACKSLASH = 92

/** The value of a text that may end anywhere; undefined when not even its root opens. */
export function readPrefix(text: string): PrefixValue | undefined {
  let closers = ''
  let cut = -1
  let expectKey = false
  let key = ''
  const keys: (string | null)[] = []
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') {
      const end = endOfString(text, at)
      if (end < 0) break
      if (expectKey) key = text.slice(at, end)
      else cut = end
      at = end - 1
    } else if (char === '{' || char === '[') {
      if (closers !== '') keys.push(closers.endsWith('}') ? nameOf(key) : null)
      closers += char === '{' ? '}' : ']'
      expectKey = char === '{'
      cut = at + 1
    } else if (char === '}' || char === ']') {
      if (!closers.endsWith(char)) return undefined
      closers = closers.slice(0, -1)
      keys.pop()
      cut = at + 1
      expectKey = false
      if (closers === '') break
    } else if (char === ',') {
      if (!expectKey) cut = at
      expectKey = closers.endsWith('}')
    } else if (char === ':') expectKey = false
  }
  if (cut < 0) return undefined
  const value = parseJson(text.slice(0, cut) + reversed(closers))
  return value === undefined ? undefined : { value, path: keys, whole: closers === '' }
}

/** The value of a text that may start anywhere and ends with the root's last bracket. `path`: see `readPrefix`. */
export function readSuffix(text: string, path: readonly (string | null)[] = []): unknown {
  const whole = text.trimEnd()
  if (!whole.endsWith('}') && !whole.endsWith(']')) return undefined
  let closers = ''
  let cut = -1
  let cutClosers = ''
  for (let at = whole.length - 1; at >= 0; at--) {
    const char = text[at]!
    if (char === '"') {
      at = startOfString(text, at)
      if (at < 0) break
    } else if (char === '}' || char === ']') closers += char
    else if (char === '{' || char === '[') {
      if (!closers.endsWith(char === '{' ? '}' : ']')) return undefined
      closers = closers.slice(0, -1)
      if (closers === '') return parseJson(text.slice(at))
      if (closers.endsWith(']')) {
        cut = at
        cutClosers = closers
      }
    } else if (char === ',') {
      cut = at + 1
      cutClosers = closers
    }
  }
  return cut < 0 ? undefined : parseJson(opening(cutClosers, path) + text.slice(cut))
}

/** One value out of its two ends; objects are united, arrays follow each other. Undefined when the end is not an end. */
export function joinEnds(start: string, end: string): unknown {
  const head = readPrefix(start)
  const tail = readSuffix(end, head?.path)
  return tail === undefined ? undefined : unite(head?.value, tail)
}

function unite(head: unknown, tail: unknown): unknown {
  if (Array.isArray(head) && Array.isArray(tail)) return [...head, ...tail]
  const first = asObject(head)
  const second = asObject(tail)
  if (!first || !second) return tail === undefined ? head : tail
  const united: Record<string, unknown> = { ...first, ...second }
  for (const key of Object.keys(second)) if (Object.hasOwn(first, key)) united[key] = unite(first[key], second[key])
  return united
}

function opening(closers: string, path: readonly (string | null)[]): string {
  let text = ''
  for (let depth = 0; depth < closers.length; depth++) {
    if (depth > 0 && closers[depth - 1] === '}') text += `${JSON.stringify(path[depth - 1] ?? '?')}:`
    text += closers[depth] === '}' ? '{' : '['
  }
  return text
}

function reversed(closers: string): string {
  let text = ''
  for (let at = closers.length - 1; at >= 0; at--) text += closers[at]
  return text
}

function nameOf(quoted: string): string | null {
  const name = parseJson(quoted)
  return typeof name === 'string' ? name : null
}

/** Index just after the string that starts at `start`, or -1 when it is cut. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    if (backslashesBefore(text, at) % 2 === 0) return at + 1
  }
  return -1
}

/** Index of the opening quote of the string that ends at `end`, or -1 when it is before the text's start. */
function startOfString(text: string, end: number): number {
  for (let at = end - 1; at >= 0; at--) {
    at = text.lastIndexOf('"', at)
    if (at < 0 || backslashesBefore(text, at) % 2 === 0) return at
  }
  return -1
}

function backslashesBefore(text: string, at: number): number {
  let count = 0
  while (count < at && text.charCodeAt(at - 1 - count) === BACKSLASH) count++
  return count
}
