/**
 * The meter of every protocol: an event tail that collects in constant time per chunk, and one reading of it at the end.
 * A protocol adds only its meaning: which large events matter, and what the pieces say.
 */
import { createEventTail, type Kept } from '../lib/event-tail.ts'
import type { Framing, Meter, Operation, Reading } from './protocol.ts'
import { streamLead } from './stream-lead.ts'

export interface MeterDialect {
  framing: Framing
  /** Bytes of a stream's beginning that the dialect needs: 0 when every event says all. */
  headBytes: number
  /** See `EventTailOptions`; asked for SSE events longer than 4 kB. */
  worthKeeping(opening: string): boolean
  read(kept: Kept): Reading
}

/** JSON bodies are read at both ends, so their beginning is always kept. */
const BODY_HEAD_BYTES = 2048

export function createMeter(operation: Operation, dialect: MeterDialect): Meter {
  const { framing } = dialect
  const sse = framing === 'sse'
  const tail = createEventTail({
    framing: sse ? 'sse' : 'whole',
    headBytes: sse ? dialect.headBytes : BODY_HEAD_BYTES,
    worthKeeping: sse ? dialect.worthKeeping : always,
  })
  return {
    push: tail.push,
    read() {
      const reading = dialect.read(tail.kept())
      return operation.metered ? reading : { ...reading, usage: null, usageCertainty: 'none', iterations: null }
    },
    lead: () => streamLead(tail.kept().tail, framing),
    get bytes() {
      return tail.bytes
    },
  }
}

export function always(): boolean {
  return true
}

export const NOTHING_READ: Readonly<Reading> = Object.freeze({
  final: 'truncated',
  usage: null,
  usageCertainty: 'none',
  iterations: null,
  model: null,
  serviceTier: null,
  uplifts: [],
  responseId: null,
  finishReason: null,
  error: null,
})
