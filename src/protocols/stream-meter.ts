/**
 * The meter of every protocol: an event tail that collects in constant time per chunk, and one reading of it at the end.
 * A protocol adds only its meaning: which large events matter, and what the pieces say.
 */
import { createEventTail, type EventTail, type Kept, keptOfWhole } from '../lib/event-tail.ts'
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

const NOTHING = new Uint8Array()
/** JSON bodies are read at both ends, so their beginning is always kept. */
const BODY_HEAD_BYTES = 2048

export function createMeter(operation: Operation, dialect: MeterDialect): Meter {
  const { framing } = dialect
  const tail = framing === 'sse' ? createEventTail({ ...dialect, framing }) : createBodyTail()
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

/** Of a body that is no event stream. In one piece, which is how answers are taken in that are not relayed as they come, it is not copied. */
function createBodyTail(): EventTail {
  let whole: Uint8Array | null = null
  let tail: EventTail | null = null
  return {
    push(chunk) {
      if (whole === null && tail === null) {
        whole = chunk
        return
      }
      tail ??= createEventTail({ framing: 'whole', headBytes: BODY_HEAD_BYTES, worthKeeping: always })
      if (whole !== null) tail.push(whole)
      whole = null
      tail.push(chunk)
    },
    kept: () => tail?.kept() ?? keptOfWhole(whole ?? NOTHING, BODY_HEAD_BYTES),
    get bytes() {
      return tail?.bytes ?? whole?.length ?? 0
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
  responseId: null,
  finishReason: null,
  error: null,
})
