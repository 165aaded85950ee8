/**
 * One thing that a response said, whatever its framing: an SSE event, an element of a JSON array, a JSON body.
 * What a meter and a gate judge; each protocol gives it its meaning.
 */
import { parseJson } from '../lib/json-values.ts'
import { readBlock, type SseBlock } from '../lib/sse-block.ts'

/**
 * `json`: data that is JSON · `done`: `[DONE]` · `silent`: comments, empty data, an id · `broken`: data that is no JSON
 * `error-field`: GPUStack's SSE field `error:` · `bare`: JSON without `data:` (Gemini's errors in mid-stream) · `foreign`: no SSE
 */
export type PieceKind = 'json' | 'done' | 'silent' | 'broken' | 'error-field' | 'bare' | 'foreign'

export interface Piece {
  kind: PieceKind
  /** The SSE event name, or null. */
  event: string | null
  /** With `json`, `bare` and, if it is JSON, `error-field`. */
  json: unknown
  /** The text itself when it is no JSON. */
  text: string | null
}

export function jsonPiece(json: unknown, event: string | null = null): Piece {
  return { kind: 'json', event, json, text: null }
}

export function readPiece(blockText: string): Piece {
  return pieceOf(readBlock(blockText))
}

export function pieceOf(block: SseBlock): Piece {
  const { event } = block
  if (block.error !== null)
    return parsed('error-field', event, block.error) ?? unread('error-field', event, block.error)
  if (block.data !== null) {
    const data = block.data.trim()
    if (data === '') return unread('silent', event, null)
    if (data === '[DONE]') return unread('done', event, null)
    return parsed('json', event, data) ?? unread('broken', event, data)
  }
  if (block.foreign === null) return unread('silent', event, null)
  return parsed('bare', event, block.foreign) ?? unread('foreign', event, block.foreign)
}

function parsed(kind: PieceKind, event: string | null, text: string): Piece | null {
  const json = parseJson(text)
  return json === undefined ? null : { kind, event, json, text: null }
}

function unread(kind: PieceKind, event: string | null, text: string | null): Piece {
  return { kind, event, json: undefined, text }
}
