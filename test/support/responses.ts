/** Feeds response bodies to meters and gates whole, byte by byte and at random splits; writes SSE bodies from objects. */
import { expect } from 'bun:test'
import type { Framing, GateState, Operation, Reading, UpstreamError } from '../../src/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/protocols/table.ts'

export type SseEvent = string | { event?: string; data: unknown }

const encoder = new TextEncoder()

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Strings are sent as they are, with a blank line after them; objects as `event:` and `data:` lines. */
export function sse(...events: SseEvent[]): string {
  return events
    .map((entry) => (typeof entry === 'string' ? `${entry}\n\n` : `${eventLine(entry)}${dataLine(entry)}\n\n`))
    .join('')
}

/** As Anthropic and Responses send it: the event line repeats the type. */
export function named(data: { type: string } & Record<string, unknown>): SseEvent {
  return { event: data.type, data }
}

export function split(bytes: Uint8Array, way: 'whole' | 'bytes' | number): Uint8Array[] {
  if (way === 'whole') return [bytes]
  if (way === 'bytes') return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
  const chunks: Uint8Array[] = []
  const random = generator(way)
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + Math.floor(random() ** 3 * 6000)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

/** The one Reading that comes out however the body is split. */
export function readEveryWay(operation: Operation, body: string | Uint8Array, framing: Framing = 'sse'): Reading {
  const bytes = typeof body === 'string' ? bytesOf(body) : body
  const whole = readOneWay(operation, framing, [bytes])
  for (const way of ['bytes', 1, 2, 3] as const) {
    expect(readOneWay(operation, framing, split(bytes, way))).toEqual(whole)
  }
  return whole
}

function readOneWay(operation: Operation, framing: Framing, chunks: Uint8Array[]): Reading {
  const meter = PROTOCOLS[operation.protocol].meter(operation, framing)
  for (const chunk of chunks) meter.push(chunk)
  return meter.read()
}

export interface GateResult {
  state: GateState
  error: UpstreamError | null
  firstData: boolean
  frames: number
  openingLength: number
}

/** What the gate has decided after these bytes; with `ended`, after the end of the body. The same at every split. */
export function gateEveryWay(operation: Operation, body: string, framing: Framing = 'sse', ended = false): GateResult {
  const bytes = bytesOf(body)
  const whole = gateOneWay(operation, framing, { chunks: [bytes], ended })
  for (const way of ['bytes', 1, 2] as const) {
    expect(gateOneWay(operation, framing, { chunks: split(bytes, way), ended })).toEqual(whole)
  }
  return whole
}

function gateOneWay(
  operation: Operation,
  framing: Framing,
  feed: { chunks: Uint8Array[]; ended: boolean },
): GateResult {
  const gate = PROTOCOLS[operation.protocol].gate(operation, framing)
  let state: GateState = 'hold'
  for (const chunk of feed.chunks) state = gate.push(chunk)
  if (feed.ended) state = gate.end()
  const { error, firstData, frames, openingLength } = gate
  return { state, error, firstData, frames, openingLength }
}

function eventLine(entry: { event?: string }): string {
  return entry.event === undefined ? '' : `event: ${entry.event}\n`
}

function dataLine(entry: { data: unknown }): string {
  return `data: ${typeof entry.data === 'string' ? entry.data : JSON.stringify(entry.data)}`
}

/** A small repeatable random number generator (mulberry32). */
function generator(seed: number): () => number {
  let state = seed * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
