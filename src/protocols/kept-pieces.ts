/**
 * From the bytes that an event tail kept to the pieces that a protocol reads, in the order in which they were sent.
 * All decoding and parsing of a response happens here, once, after its last byte.
 */
import type { Kept } from '../lib/event-tail.ts'
import { parseJson } from '../lib/json-values.ts'
import { joinEnds } from '../lib/partial-json.ts'
import { readBlock, splitBlocks } from '../lib/sse-block.ts'
import { jsonPiece, type Piece, readPiece } from './piece.ts'

/** Of a JSON body, first the beginning and end of this size are looked at; usage, model and status are nearly always in there. */
const GLANCE_BYTES = 2048

const decoder = new TextDecoder()

/** Events of the stream's beginning (if they are not in the tail anyway), then those of its end. */
export function ssePieces(kept: Kept): Piece[] {
  const pieces: Piece[] = []
  if (kept.head !== null)
    for (const block of splitBlocks(decoder.decode(kept.head)).blocks) pieces.push(readPiece(block))
  const { blocks, rest } = splitBlocks(decoder.decode(kept.tail))
  const front = kept.aligned ? '' : blocks.shift()
  if (front && kept.opening !== null) pieces.push(joinedPiece(decoder.decode(kept.opening), front))
  for (const block of blocks) pieces.push(readPiece(block))
  const openPiece = front === undefined ? null : lastPiece(rest)
  if (openPiece !== null) pieces.push(openPiece)
  return pieces
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
 * A JSON body, without parsing it where a glance at both ends suffices (REL-17). `enough` says whether it did.
 * Undefined: the body is no whole JSON.
 */
export function bodyValue(kept: Kept, enough: (value: unknown) => boolean): unknown {
  const { tail, aligned } = kept
  if (aligned && tail.length <= 2 * GLANCE_BYTES) return parseJson(decoder.decode(tail).trim())
  const start = decoder.decode((kept.head ?? tail).subarray(0, GLANCE_BYTES))
  const glance = joinEnds(start, decoder.decode(tail.subarray(-GLANCE_BYTES)))
  if (glance !== undefined && enough(glance)) return glance
  return aligned ? parseJson(decoder.decode(tail).trim()) : joinEnds(start, decoder.decode(tail))
}
