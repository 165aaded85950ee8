/**
 * The meter of every protocol: an event tail that collects in constant time per chunk, and one reading of it at the end.
 * A protocol adds only its meaning: which large events matter, and what the pieces say.
 */
import { createEventTail, type EventTail, type EventTailOptions, type Kept, keptOfWhole } from '../lib/event-tail.ts'
import type { Framing, Meter, Operation, Reading } from './protocol.ts'
import { streamLead } from './stream-lead.ts'

/** One for each framing of a protocol, the same for all of its streams. */
export interface MeterDialect extends EventTailOptions {
  read(kept: Kept): Reading
}

/** What a protocol says of its answers: how they are kept, and how each of their framings is read. */
interface MeterDialects extends Pick<MeterDialect, 'headBytes' | 'worthKeeping'> {
  /** Of an event stream. */
  stream(kept: Kept): Reading
  /** Of a stream that is a JSON array; for who has such. */
  array?(kept: Kept): Reading
  /** Of a JSON body. */
  body(kept: Kept): Reading
}

export function createDialects({ headBytes, worthKeeping, stream, array, body }: MeterDialects) {
  const about = { headBytes, worthKeeping }
  const dialects: Readonly<Record<Framing, MeterDialect>> = {
    sse: { ...about, framing: 'sse', read: stream },
    json: { ...about, framing: 'whole', read: body },
    'json-array': { ...about, framing: 'whole', read: array ?? body },
  }
  return (framing: Framing): MeterDialect => dialects[framing]
}

const NOTHING = new Uint8Array()
/** JSON bodies are read at both ends, so their beginning is always kept. */
const BODY_HEAD_BYTES = 2048

export function createMeter(operation: Operation, framing: Framing, dialect: MeterDialect): Meter {
  return new StreamMeter(operation, framing, dialect)
}

class StreamMeter implements Meter {
  private readonly tail: EventTail

  constructor(
    private readonly operation: Operation,
    private readonly framing: Framing,
    private readonly dialect: MeterDialect,
  ) {
    this.tail = framing === 'sse' ? createEventTail(dialect) : new BodyTail()
  }

  push(chunk: Uint8Array): void {
    this.tail.push(chunk)
  }

  read(): Reading {
    const reading = this.dialect.read(this.tail.kept())
    return this.operation.metered ? reading : { ...reading, usage: null, usageCertainty: 'none', iterations: null }
  }

  lead(): string {
    return streamLead(this.tail.kept().tail, this.framing)
  }

  get bytes(): number {
    return this.tail.bytes
  }
}

const WHOLE_BODY: EventTailOptions = { framing: 'whole', headBytes: BODY_HEAD_BYTES, worthKeeping: always }

/** Of a body that is no event stream. In one piece, which is how answers are taken in that are not relayed as they come, it is not copied. */
class BodyTail implements EventTail {
  private whole: Uint8Array | null = null
  private tail: EventTail | null = null

  push(chunk: Uint8Array): void {
    if (this.whole === null && this.tail === null) {
      this.whole = chunk
      return
    }
    this.tail ??= createEventTail(WHOLE_BODY)
    if (this.whole !== null) this.tail.push(this.whole)
    this.whole = null
    this.tail.push(chunk)
  }

  kept(): Kept {
    return this.tail?.kept() ?? keptOfWhole(this.whole ?? NOTHING, BODY_HEAD_BYTES)
  }

  get bytes(): number {
    return this.tail?.bytes ?? this.whole?.length ?? 0
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
