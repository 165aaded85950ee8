/**
 * Follows a JSON document that arrives in pieces and tells where string values at wanted paths stand (see json-paths).
 *
 * It is for bytes that are being passed on, so it looks at each of them once and remembers only an unfinished key. It is
 * no validator: a document found broken is left alone from there on, and numbers and literals are not looked into.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  isEscapable,
  isHexDigit,
  isSpace,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  plainEnd,
  QUOTE,
  viewOf,
} from './json-bytes.ts'
import { nodeOfElement, nodeOfKey, type PathNode } from './json-paths.ts'
import { MAX_JSON_DEPTH } from './json-scan.ts'

/** A string value at a wanted path. `start` is its opening quote, -1: in none; `end` is -1 until the closing one. */
export interface JsonTarget {
  start: number
  end: number
}

export interface JsonTracker {
  /** The next byte begins a new document. */
  reset(): void
  /** The next bytes to read. If the last ones ended inside of a target, they must begin at its opening quote again. */
  give(bytes: Uint8Array): void
  /**
   * Reads on from `from` and stops behind a target, at a line feed, or at the end; answers where. The caller passes over
   * a line feed itself: in a stream of lines it is framing, elsewhere white space.
   */
  advance(from: number): number
  readonly target: Readonly<JsonTarget>
  /** The target that is being read is none after all. */
  dismiss(): void
  /** Has the document ended? */
  isDone(): boolean
}

// Where in the grammar the next byte stands. Numbers, because comparing strings made a step 1.8 times as long.
const VALUE = 0
const FIRST_ELEMENT = 1
const FIRST_KEY = 2
const KEY = 3
const COLON_DUE = 4
const AFTER_VALUE = 5
const IN_STRING = 6
const IN_SCALAR = 7
const DONE = 8
const BROKEN = 9

// What kind of string the next byte stands in.
const PLAIN = 0
const UNWANTED_KEY = 1
const POSSIBLE_KEY = 2
const TARGET = 3

// What of an escape is due: nothing, hex digits (that many), the letter after the backslash; or it is none.
const LETTER_DUE = -1
const WRONG_ESCAPE = -2
const LETTER_U = 0x75
/** A key split over pieces is kept up to here; no wanted key is that long, even if every character is escaped. */
const MAX_KEY_BYTES = 1024
const NO_BYTES = new Uint8Array(0)
const NO_VIEW = viewOf(NO_BYTES)

interface State {
  bytes: Uint8Array
  view: DataView
  place: number
  string: number
  escape: number
  /** What is wanted of the value to come. */
  node: PathNode | null
  /** Of each open container: what is wanted inside, is it an object, the index of its current element. */
  nodes: (PathNode | null)[]
  objects: boolean[]
  indexes: number[]
  target: JsonTarget
  /** A possible key's opening quote and what followed it in earlier pieces; it goes on at `keyStart`. */
  keyHead: Uint8Array
  keyStart: number
}

export function createJsonTracker(root: PathNode): JsonTracker {
  const state: State = {
    bytes: NO_BYTES,
    view: NO_VIEW,
    place: VALUE,
    string: PLAIN,
    escape: 0,
    node: root,
    nodes: [],
    objects: [],
    indexes: [],
    target: { start: -1, end: -1 },
    keyHead: NO_BYTES,
    keyStart: 0,
  }
  return {
    target: state.target,
    reset() {
      forgetTarget(state)
      state.place = VALUE
      state.escape = 0
      state.node = root
      state.nodes.length = state.objects.length = state.indexes.length = 0
      state.keyHead = NO_BYTES
    },
    give(bytes) {
      if (state.target.end >= 0) forgetTarget(state)
      else if (state.target.start >= 0) state.target.start = 0
      state.bytes = bytes
      state.view = NO_VIEW
    },
    advance: (from) => advance(state, from),
    dismiss() {
      forgetTarget(state)
      state.string = PLAIN
    },
    isDone: () => state.place === DONE,
  }
}

function advance(state: State, from: number): number {
  const { bytes, target } = state
  if (target.end >= 0) forgetTarget(state)
  if (state.view === NO_VIEW) state.view = viewOf(bytes)
  let pos = from
  while (pos < bytes.length) {
    if (state.place === IN_STRING) {
      pos = passString(state, pos)
      if (target.end >= 0) return pos
      continue
    }
    const byte = bytes[pos]!
    if (state.place === IN_SCALAR && !isScalarByte(byte)) state.place = placeAfterValue(state)
    if (byte === LINE_FEED) return pos
    if (state.place === BROKEN) {
      const lineEnd = bytes.indexOf(LINE_FEED, pos)
      return lineEnd < 0 ? bytes.length : lineEnd
    }
    if (state.place !== IN_SCALAR && !isSpace(byte)) state.place = step(state, byte, pos)
    pos++
  }
  if (state.place === IN_STRING && state.string === POSSIBLE_KEY) keepKeyHead(state)
  return pos
}

/** Answers the position behind the string, the end of the bytes, or the byte that breaks it. */
function passString(state: State, from: number): number {
  const { bytes, view } = state
  let pos = from
  while (pos < bytes.length) {
    if (state.escape === 0) {
      pos = plainEnd(bytes, view, pos)
      if (pos === bytes.length) return pos
      if (bytes[pos] === QUOTE) {
        state.place = endString(state, pos + 1)
        return pos + 1
      }
    }
    state.escape = escapeAfter(state.escape, bytes[pos]!)
    if (state.escape === WRONG_ESCAPE) {
      forgetTarget(state)
      state.place = BROKEN
      return pos
    }
    pos++
  }
  return pos
}

/** What of an escape is due after `byte`, given what was due before it. A control character is no escape either. */
function escapeAfter(due: number, byte: number): number {
  if (due === 0) return byte === BACKSLASH ? LETTER_DUE : WRONG_ESCAPE
  if (due > 0) return isHexDigit(byte) ? due - 1 : WRONG_ESCAPE
  if (byte === LETTER_U) return 4
  return isEscapable(byte) ? 0 : WRONG_ESCAPE
}

// The functions below answer the place of the next byte.

function endString(state: State, end: number): number {
  if (state.string === TARGET) state.target.end = end
  if (state.string === TARGET || state.string === PLAIN) return placeAfterValue(state)
  state.node = state.string === POSSIBLE_KEY ? nodeOfCurrentKey(state, end) : null
  return COLON_DUE
}

/** One byte of structure; `pos` is where it stands. */
function step(state: State, byte: number, pos: number): number {
  switch (state.place) {
    case VALUE:
      return beginValue(state, byte, pos)
    case FIRST_ELEMENT:
      return byte === CLOSE_BRACKET ? leaveContainer(state) : beginValue(state, byte, pos)
    case FIRST_KEY:
      return byte === CLOSE_BRACE ? leaveContainer(state) : beginKey(state, byte, pos)
    case KEY:
      return beginKey(state, byte, pos)
    case COLON_DUE:
      return byte === COLON ? VALUE : BROKEN
    case AFTER_VALUE:
      return afterValue(state, byte)
    default:
      return BROKEN
  }
}

function beginKey(state: State, byte: number, pos: number): number {
  if (byte !== QUOTE) return BROKEN
  const parent = state.nodes.at(-1)!
  state.string = parent === null || parent.keys.length === 0 ? UNWANTED_KEY : POSSIBLE_KEY
  state.keyStart = pos
  return IN_STRING
}

function beginValue(state: State, byte: number, pos: number): number {
  if (byte === QUOTE) {
    const wanted = state.node !== null && state.node.name !== null
    state.string = wanted ? TARGET : PLAIN
    if (wanted) state.target.start = pos
    return IN_STRING
  }
  if (byte !== OPEN_BRACE && byte !== OPEN_BRACKET) return isScalarByte(byte) ? IN_SCALAR : BROKEN
  if (state.nodes.length === MAX_JSON_DEPTH) return BROKEN
  const isObject = byte === OPEN_BRACE
  state.nodes.push(state.node)
  state.objects.push(isObject)
  state.indexes.push(0)
  if (!isObject) state.node = nodeOfElement(state.node, 0)
  return isObject ? FIRST_KEY : FIRST_ELEMENT
}

function afterValue(state: State, byte: number): number {
  const top = state.nodes.length - 1
  const isObject = state.objects[top]!
  if (byte === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return leaveContainer(state)
  if (byte !== COMMA) return BROKEN
  if (isObject) return KEY
  state.node = nodeOfElement(state.nodes[top]!, ++state.indexes[top]!)
  return VALUE
}

function leaveContainer(state: State): number {
  state.nodes.pop()
  state.objects.pop()
  state.indexes.pop()
  return placeAfterValue(state)
}

function placeAfterValue(state: State): number {
  return state.nodes.length === 0 ? DONE : AFTER_VALUE
}

function nodeOfCurrentKey(state: State, end: number): PathNode | null {
  const { keys } = state.nodes.at(-1)!
  if (state.keyHead.length === 0) return nodeOfKey(keys, state.bytes, state.keyStart + 1)
  const key = Buffer.concat([state.keyHead, state.bytes.subarray(state.keyStart, end)])
  state.keyHead = NO_BYTES
  return nodeOfKey(keys, key, 1)
}

function keepKeyHead(state: State): void {
  state.keyHead = Buffer.concat([state.keyHead, state.bytes.subarray(state.keyStart)])
  state.keyStart = 0
  if (state.keyHead.length <= MAX_KEY_BYTES) return
  state.keyHead = NO_BYTES
  state.string = UNWANTED_KEY
}

function forgetTarget(state: State): void {
  state.target.start = state.target.end = -1
}

/** Digits, letters, `+`, `-`, `.`: all that numbers and literals are made of. */
function isScalarByte(byte: number): boolean {
  const letter = byte | 0x20
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (letter >= 0x61 && letter <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  )
}
