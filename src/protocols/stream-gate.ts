/**
 * The gate of every protocol (REL-11): reads the first whole frames of a stream, before anything goes to the client, until one decides.
 *
 *   content, end → commit     error, malformed → fault     neutral, ping → hold
 *
 * A protocol adds only what one piece means. Bounded: of a frame that does not end within 64 kB the beginning decides.
 */
import { readPrefix } from '../lib/partial-json.ts'
import { readBlock, splitBlocks } from '../lib/sse-block.ts'
import { jsonPiece, type Piece, pieceOf, readPiece } from './piece.ts'
import type { Framing, Gate, GateState, UpstreamError } from './protocol.ts'

/** `ping` differs from `neutral` in not being the first data (REL-9). */
export type Verdict = 'neutral' | 'ping' | 'content' | 'end' | 'malformed'

export interface GateDialect {
  /** The meaning of a piece that is JSON, or of `[DONE]`. `started`: some data has gone by before it. */
  judge(piece: Piece, started: boolean): Verdict
  /** What went wrong, if the piece says that something did. */
  errorIn(piece: Piece): UpstreamError | null
}

const LONGEST_FRAME = 65_536
/** Of a chunk, what is looked at first; then twice as much, and so on. */
const FIRST_BYTES = 1024

export function createGate(framing: Framing, dialect: GateDialect): Gate {
  return new StreamGate(framing, dialect)
}

class StreamGate implements Gate {
  decided: GateState = 'hold'
  error: UpstreamError | null = null
  firstData = false
  frames = 0
  openingLength = 0
  /** Text of the frame that is open, and its first character that is no blank ('' while there is none). */
  pending = ''
  first = ''
  /** The open frame was judged by its beginning: its rest is dropped. */
  skipping = false
  /** Elements of a JSON array that were judged already. */
  elements = 0
  private readonly decoder = new TextDecoder()

  constructor(
    private readonly framing: Framing,
    readonly dialect: GateDialect,
  ) {}

  push(chunk: Uint8Array): GateState {
    // A fast upstream's first chunk holds hundreds of frames, of which the first few decide: the rest is not even decoded
    // (measured with 300 frames in one chunk: 110 of 585 µs of the whole request).
    let start = 0
    for (let size = FIRST_BYTES; start < chunk.length && this.decided === 'hold'; size *= 2) {
      const text = this.decoder.decode(chunk.subarray(start, start + size), { stream: true })
      start += size
      this.pending += text
      if (this.framing === 'sse') readSse(this, text)
      else readArray(this, text)
    }
    return this.decided
  }

  end(): GateState {
    if (this.decided === 'hold' && this.framing === 'sse' && !this.skipping) judge(this, readPiece(this.pending))
    settle(this, 'fault')
    return this.decided
  }
}

function settle(state: StreamGate, decided: GateState): void {
  if (state.decided === 'hold') state.decided = decided
}

function judge(state: StreamGate, piece: Piece): void {
  if (piece.kind === 'silent') return
  const error = state.dialect.errorIn(piece)
  if (error !== null) {
    state.error = error
    settle(state, 'fault')
    return
  }
  // JSON that is no event is malformed, unless it is an error.
  const readable = piece.kind === 'json' || piece.kind === 'done'
  const verdict = readable ? state.dialect.judge(piece, state.firstData) : 'malformed'
  if (piece.kind === 'json' && verdict !== 'ping' && verdict !== 'malformed') state.firstData = true
  if (verdict === 'content' || verdict === 'end') settle(state, 'commit')
  if (verdict === 'malformed') settle(state, 'fault')
}

/** `text` is what is new. Only what can have changed is looked at, so that a stream in crumbs is not read again and again. */
function readSse(state: StreamGate, text: string): void {
  if (text.includes('\n')) readBlocks(state)
  if (state.decided !== 'hold') return
  if (state.skipping) skip(state)
  else readOpenFrame(state, text)
}

function readBlocks(state: StreamGate): void {
  const { blocks, rest } = splitBlocks(state.pending)
  state.pending = rest
  state.first = ''
  for (const block of blocks) {
    const skipped = state.skipping
    state.skipping = false
    if (block.trim() === '') continue
    state.frames++
    if (!skipped) judge(state, readPiece(block))
    if (state.decided !== 'hold') return
    state.openingLength += block.length
  }
}

/** What needs no end to be recognised: a page, a JSON object where events were promised, a frame too large to wait for. */
function readOpenFrame(state: StreamGate, text: string): void {
  const first = firstOf(state)
  if (first === '<') settle(state, 'fault')
  else if (first === '{' && text.trimEnd().endsWith('}')) {
    const piece = readPiece(state.pending)
    if (piece.kind === 'bare') judge(state, piece)
  }
  if (state.decided === 'hold' && state.pending.length > LONGEST_FRAME) judgeBeginning(state)
}

function firstOf(state: StreamGate): string {
  if (state.first === '') state.first = state.pending.trimStart().charAt(0)
  return state.first
}

/** Three characters can hold the beginning of any blank line. */
function skip(state: StreamGate): void {
  const kept = state.pending.slice(-3)
  state.openingLength += state.pending.length - kept.length
  state.pending = kept
}

function judgeBeginning(state: StreamGate): void {
  const block = readBlock(state.pending)
  const prefix = readPrefix(block.data ?? '')
  judge(state, prefix === undefined ? pieceOf(block) : jsonPiece(prefix.value, block.event))
  state.skipping = true
  if (state.decided === 'hold') skip(state)
  else state.pending = ''
  state.first = ''
}

function readArray(state: StreamGate, text: string): void {
  const first = firstOf(state)
  if (first !== '' && first !== '[' && first !== '{') settle(state, 'fault')
  const tooLong = state.pending.length > LONGEST_FRAME
  if (!text.includes('}') && !tooLong) return
  const elements = wholeElements(state.pending, tooLong)
  for (; state.elements < elements.length && state.decided === 'hold'; state.elements++) {
    state.frames++
    judge(state, jsonPiece(elements[state.elements]))
  }
  if (tooLong) settle(state, 'commit')
}

/** Elements so far; the last only when it is closed, or too long to wait for. A bare object is read like the only element. */
function wholeElements(text: string, open: boolean): unknown[] {
  const prefix = readPrefix(text)
  if (prefix === undefined) return []
  if (!Array.isArray(prefix.value)) return open || prefix.whole ? [prefix.value] : []
  return open || prefix.path.length === 0 ? prefix.value : prefix.value.slice(0, -1)
}
