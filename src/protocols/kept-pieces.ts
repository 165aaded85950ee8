/**
 * From the bytes that an event tail kept to the pieces that a protocol reads, in the order in which they were sent.
 * All decoding and parsing of a response happens here, once, after its last byte.
 */
import { lastEventEnd } from '../lib/event-end.ts'
import type { Kept } from '../lib/event-tail.ts'
import { parseJson } from '../lib/json-values.ts'
import { joinEnds, readPrefix } from '../lib/partial-json.ts'
import { readBlock, splitBlocks } from '../lib/sse-block.ts'
import { jsonPiece, type Piece, readPiece } from './piece.ts'

/** Of a JSON body, first the beginning and end of this size are looked at; usage, model and status are nearly always in there. */
const GLANCE_BYTES = 2048

const decoder = new TextDecoder()

/** Which of the kept events are worth parsing: a 4 kB window holds 15, nearly all of them text (15 × 2 µs). */
export interface Selection {
  /** Events that say nothing, recognised by their bytes. */
  skips(block: string): boolean
  /** Of the others, how many of the beginning and of the end. */
  first: number
  last: number
  /** Of those, which repeat what others say, so that they need no parsing; the first of all is parsed all the same. */
  repeats?(block: string): boolean
}

/** Comments lie between events; so many blocks more than are wanted are looked at before all of the tail is. */
const SPARE_BLOCKS = 2

/** Events of the stream's beginning (if they are not in the tail anyway), then those of its end. */
export function ssePieces(kept: Kept, selection: Selection): Piece[] {
  const says = (block: string): boolean => block !== '' && !selection.skips(block)
  const pieces = kept.head === null ? [] : headPieces(decoder.decode(kept.head), says, selection.first)
  const { front, blocks, rest } = lastBlocks(kept, says, selection.last) ?? allBlocks(kept, says)
  if (front && kept.opening !== null) pieces.push(joinedPiece(decoder.decode(kept.opening), front))
  for (const block of blocks.slice(-selection.last)) {
    if (pieces.length === 0 || !selection.repeats?.(block)) pieces.push(readPiece(block))
  }
  const open = front === undefined ? null : lastPiece(rest)
  if (open !== null) pieces.push(open)
  return pieces
}

interface Ending {
  /** What is left of an event that began before the tail; undefined: all of the tail is that. */
  front: string | undefined
  /** Those that say something. */
  blocks: string[]
  rest: string
}

function allBlocks({ tail, aligned }: Kept, says: (block: string) => boolean): Ending {
  const { blocks, rest } = splitBlocks(decoder.decode(tail))
  const front = aligned ? '' : blocks.shift()
  return { front, blocks: blocks.filter(says), rest }
}

/** The same without decoding more than the end of the tail; null when that is not enough. */
function lastBlocks({ tail, opening }: Kept, says: (block: string) => boolean, wanted: number): Ending | null {
  if (opening !== null || wanted > tail.length) return null
  let from = tail.length
  for (let count = 0; count <= wanted + SPARE_BLOCKS; count++) from = lastEventEnd(tail, from - 1, NOTHING_BEFORE)
  if (from < 0) return null
  const { blocks, rest } = splitBlocks(decoder.decode(tail.subarray(from)))
  const saying = blocks.filter(says)
  return saying.length < wanted ? null : { front: '', blocks: saying, rest }
}

const NOTHING_BEFORE = { last: 0, beforeLast: 0 }

/** A first event larger than the head (`response.created` with Codex's instructions) is read as far as it goes: its id comes first. */
function headPieces(head: string, says: (block: string) => boolean, most: number): Piece[] {
  const { blocks, rest } = splitBlocks(head)
  const pieces = blocks.filter(says).slice(0, most).map(readPiece)
  if (pieces.length > 0) return pieces
  const { event, data } = readBlock(rest)
  const prefix = data === null ? undefined : readPrefix(data)
  return prefix === undefined ? [] : [jsonPiece(prefix.value, event)]
}

export function isComment(block: string): boolean {
  return block.startsWith(':')
}

/** An event that no blank line ends counts if it is whole: some vendors leave the last blank line out. */
function lastPiece(rest: string): Piece | null {
  if (rest.trim() === '') return null
  const piece = readPiece(rest)
  return piece.kind === 'broken' ? null : piece
}

/** An event too large to keep: its first and its last bytes. */
function joinedPiece(opening: string, ending: string): Piece {
  const block = readBlock(opening)
  const json = joinEnds(block.data ?? '', ending)
  return json === undefined ? { kind: 'silent', event: block.event, json, text: null } : jsonPiece(json, block.event)
}

/**
 * A JSON body, without parsing it where a glance at both ends suffices (REL-17); `enough` says whether it did. A body no longer
 * than the two glances is parsed at once. Undefined: the body is no whole JSON.
 */
export function bodyValue(kept: Kept, enough: (value: unknown) => boolean): unknown {
  const { tail, aligned } = kept
  if (aligned && tail.length <= 2 * GLANCE_BYTES) return parseJson(decoder.decode(tail).trim())
  const start = decoder.decode((kept.head ?? tail).subarray(0, GLANCE_BYTES))
  const glance = joinEnds(start, decoder.decode(tail.subarray(-GLANCE_BYTES)))
  if (glance !== undefined && enough(glance)) return glance
  return aligned ? parseJson(decoder.decode(tail).trim()) : joinEnds(start, decoder.decode(tail))
}
