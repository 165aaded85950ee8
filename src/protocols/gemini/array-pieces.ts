/**
 * The elements of a streamed JSON array, Gemini's framing without `alt=sse`: those at its end, of a long one also those at its beginning.
 * Errors of stream calls come in an array too, or as a bare object in its place.
 */
import type { Kept } from '../../lib/event-tail.ts'
import { asObject, parseJson } from '../../lib/json-values.ts'
import { joinEnds, readPrefix, readSuffix } from '../../lib/partial-json.ts'
import { jsonPiece, type Piece } from '../piece.ts'

/** Of an array that broke off, so much before a bracket is looked at to find whole elements. */
const LOOK_BACK = 8192
const decoder = new TextDecoder()

export function arrayPieces(kept: Kept): Piece[] {
  const text = decoder.decode(kept.tail).trim()
  if (!kept.aligned)
    return elementsOf(joinEnds(kept.head === null ? '' : decoder.decode(kept.head), text) ?? brokenEnd(text))
  return elementsOf(parseJson(text) ?? brokenArray(text))
}

/** The whole elements of an array whose beginning is there; the one that was cut is not one of them. */
function brokenArray(text: string): unknown {
  const prefix = readPrefix(text)
  const elements = prefix?.value
  return Array.isArray(elements) && prefix!.path.length > 0 ? elements.slice(0, -1) : elements
}

/** The last whole elements of a long array that broke off: ends it behind one of its last brackets, where that gives chunks. */
function brokenEnd(text: string): unknown {
  let end = text.length
  for (let tries = 0; tries < 16 && end > 0; tries++) {
    end = text.lastIndexOf('}', end - 1)
    if (end < 0) return undefined
    const elements = readSuffix(`${text.slice(Math.max(0, end - LOOK_BACK), end + 1)}]`)
    if (Array.isArray(elements) && elements.some(isChunk)) return elements
  }
  return undefined
}

function isChunk(element: unknown): boolean {
  const chunk = asObject(element)
  return chunk !== null && ('usageMetadata' in chunk || 'candidates' in chunk || 'error' in chunk)
}

function elementsOf(value: unknown): Piece[] {
  if (Array.isArray(value)) return value.map((element) => jsonPiece(element))
  return value === undefined ? [] : [jsonPiece(value)]
}
