/**
 * Finds values at wanted key paths in a JSON document without building an object tree, and validates all of it.
 *
 * Accepts exactly what `JSON.parse(new TextDecoder().decode(bytes))` accepts (a byte order mark at the start is skipped,
 * broken UTF-8 is the decoder's business, not the grammar's), but for nesting beyond 512 and absurdly many wanted values.
 * Of duplicate keys the last one wins, as in JSON.parse; the others' spans are kept in `superseded`, because somebody
 * who forwards the bytes must know what another parser might read there.
 *
 * Reading the whole document is what makes that sound: stopping at the first `model` would let a second one through.
 * No allocation per value, only per wanted one. See test/bench/scan.ts for what it costs.
 */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  type StringText,
  scalarEnd,
  spaceEnd,
  stringEnd,
} from './json-bytes.ts'
import { compileJsonPaths, nodeOfElement, nodeOfKey, type PathNode } from './json-paths.ts'
import type { Span } from './json-read.ts'
import { withText } from './json-text.ts'

/** Deeper documents are refused: no client nests like that, and whoever parses the body next may recurse. */
export const MAX_JSON_DEPTH = 512
/** Spans kept for one wanted path; a body with more of them is an attack on memory. */
export const MAX_SPANS_PER_PATH = 4096

/** `cut-off`: the bytes end inside the document. */
export type JsonFault = 'syntax' | 'cut-off' | 'too-deep' | 'too-many'

export interface JsonScan<Name extends string> {
  /** Null: the document is valid. Otherwise the spans are those found before the fault, open ones with end -1. */
  fault: JsonFault | null
  /** Position of the fault, else the length. */
  at: number
  /** The top-level value. */
  root: Span
  /** Spans of the values that JSON.parse would keep, in document order. */
  found: Record<Name, Span[]>
  /** Spans, in no order, of wanted values that a later duplicate of their key, or of a key above them, replaced. */
  superseded: Partial<Record<Name, Span[]>>
}

export type JsonScanner<Name extends string> = (bytes: Uint8Array) => JsonScan<Name>

// What is open at each depth. A scan is synchronous and calls nobody, so all scans share these.
const starts = new Int32Array(MAX_JSON_DEPTH)
const elementIndexes = new Int32Array(MAX_JSON_DEPTH)
const nodes: (PathNode | null)[] = new Array(MAX_JSON_DEPTH).fill(null)
const spans: (Span | null)[] = new Array(MAX_JSON_DEPTH).fill(null)
/** Shared by every path without a find; never pushed to. */
const NONE: Span[] = []

export function createJsonScanner<Name extends string>(paths: Readonly<Record<Name, string>>): JsonScanner<Name> {
  const root = compileJsonPaths(paths)
  const nothing = Object.fromEntries(root.below.map((name) => [name, NONE])) as Record<Name, Span[]>
  return (bytes) => {
    const scan = { fault: null, at: 0, root: { start: 0, end: -1 }, found: { ...nothing }, superseded: {} }
    withText(bytes, { bytes, root, scan }, scanDocument)
    return scan
  }
}

interface Walk {
  bytes: Uint8Array
  text: StringText
  scan: JsonScan<string>
  /** Index of the innermost open container; -1: none. */
  depth: number
  /** What is wanted of the value to come; null: nothing, here or below. */
  node: PathNode | null
}

interface Wanted {
  bytes: Uint8Array
  root: PathNode
  /** To be filled in. */
  scan: JsonScan<string>
}

function scanDocument({ bytes, root, scan }: Wanted, text: StringText): void {
  const walk: Walk = { bytes, text, scan, depth: -1, node: root }
  let pos = spaceEnd(bytes, startsWithMark(bytes) ? 3 : 0)
  scan.root.start = pos
  do {
    const byte = bytes[pos]
    const span = walk.depth < 0 ? scan.root : keepSpan(walk, pos)
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      pos = enterContainer(walk, pos, span)
    } else {
      pos = byte === QUOTE ? stringEnd(bytes, walk.text, pos + 1) : scalarEnd(bytes, walk.text, pos)
      if (pos >= 0) {
        if (span !== null) span.end = pos
        pos = nextValue(walk, pos)
      }
    }
  } while (pos >= 0 && walk.depth >= 0 && scan.fault === null)
  scan.at = pos < 0 ? ~pos : pos
  if (pos < bytes.length || walk.depth >= 0) scan.fault ??= scan.at < bytes.length ? 'syntax' : 'cut-off'
}

// The four below answer the position of the next value, or of what follows the document when `depth` has become -1,
// or `~position` of a fault.

function enterContainer(walk: Walk, start: number, span: Span | null): number {
  const { bytes } = walk
  const depth = ++walk.depth
  if (depth === MAX_JSON_DEPTH) {
    walk.scan.fault = 'too-deep'
    return ~start
  }
  starts[depth] = start
  nodes[depth] = walk.node
  spans[depth] = span
  elementIndexes[depth] = -1
  const pos = spaceEnd(bytes, start + 1)
  const isObject = bytes[start] === OPEN_BRACE
  if (bytes[pos] === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return nextValue(walk, pos)
  return isObject ? enterMember(walk, pos) : enterElement(walk, pos)
}

/** `after` is where a value has ended: closes what ends there too, up to the comma before the next value. */
function nextValue(walk: Walk, after: number): number {
  const { bytes } = walk
  let pos = after
  for (; walk.depth >= 0; walk.depth--) {
    pos = spaceEnd(bytes, pos)
    const isObject = bytes[starts[walk.depth]!] === OPEN_BRACE
    if (bytes[pos] === COMMA) {
      pos = spaceEnd(bytes, pos + 1)
      return isObject ? enterMember(walk, pos) : enterElement(walk, pos)
    }
    if (bytes[pos] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return ~pos
    pos++
    const span = spans[walk.depth]!
    if (span !== null) span.end = pos
  }
  return spaceEnd(bytes, pos)
}

function enterMember(walk: Walk, start: number): number {
  const { bytes, depth } = walk
  if (bytes[start] !== QUOTE) return ~start
  const keyEnd = stringEnd(bytes, walk.text, start + 1)
  if (keyEnd < 0) return keyEnd
  const parent = nodes[depth]!
  walk.node = parent === null ? null : nodeOfKey(parent.keys, bytes, start + 1)
  if (walk.node !== null) supersede(walk.scan, walk.node, starts[depth]!)
  const pos = spaceEnd(bytes, keyEnd)
  return bytes[pos] === COLON ? spaceEnd(bytes, pos + 1) : ~pos
}

function enterElement(walk: Walk, start: number): number {
  walk.node = nodeOfElement(nodes[walk.depth]!, ++elementIndexes[walk.depth]!)
  return start
}

/** Null: nothing wants the value that begins at `start`. */
function keepSpan(walk: Walk, start: number): Span | null {
  if (walk.node === null || walk.node.name === null) return null
  const { name } = walk.node
  const { found, superseded } = walk.scan
  // Nothing begins where the bytes end: `{"choices":[` says nothing about an element.
  if (start >= walk.bytes.length) return null
  const kept = found[name]!
  if (kept.length + (superseded[name]?.length ?? 0) >= MAX_SPANS_PER_PATH) walk.scan.fault = 'too-many'
  const span = { start, end: -1 }
  if (kept === NONE) found[name] = [span]
  else kept.push(span)
  return span
}

/** A key has come (again) in the object that starts at `objectStart`: what was found under it there is void. */
function supersede(scan: JsonScan<string>, node: PathNode, objectStart: number): void {
  for (const name of node.below) {
    const kept = scan.found[name]!
    while (kept.length > 0 && kept[kept.length - 1]!.start > objectStart) {
      scan.superseded[name] ??= []
      scan.superseded[name].push(kept.pop()!)
    }
  }
}

/** The UTF-8 byte order mark, which text decoders take off. */
function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}
