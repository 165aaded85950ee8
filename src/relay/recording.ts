/**
 * Keeps headers and the beginning of both bodies of a request while it is relayed, if the operator wants that (USE-1). Off, the usual case, an
 * exchange has none: no step of the relay does anything then. On, a stream's chunks are copied until there are enough.
 */
import { type HeaderFields, maskHeaders, type RecordedRequest, type RecordedSide } from '../core/recorded-request.ts'
import type { ByteFilter } from '../protocols/protocol.ts'
import type { Exchange } from './exchange.ts'

export interface RecordingSettings {
  recordHeaders: boolean
  recordBodies: boolean
  recordBodyBytes: number
  recordClientIp: boolean
}

export interface Recording {
  /** What goes to the client; `body` absent: a stream, see `watch`. */
  noteAnswer(headers: HeaderFields, body?: Uint8Array | string): void
  /** The same filter, looked at: what comes out of it is what the client gets. */
  watch(transform: ByteFilter | null): ByteFilter | null
  finish(exchange: Exchange): RecordedRequest
}

const NOTHING = new Uint8Array()

/** Null: nothing is to be recorded. */
export function startRecording(settings: RecordingSettings): Recording | null {
  return settings.recordHeaders || settings.recordBodies ? createRecording(settings) : null
}

function createRecording(settings: RecordingSettings): Recording {
  const { recordHeaders, recordBodies, recordBodyBytes } = settings
  const addresses = settings.recordClientIp
  const kept: Uint8Array[] = []
  let keptBytes = 0
  let answerBytes = 0
  let answerHeaders: HeaderFields | null = null

  function keep(chunk: Uint8Array): void {
    answerBytes += chunk.length
    const room = recordBodyBytes - keptBytes
    if (room <= 0 || chunk.length === 0) return
    // The runtime may use a chunk's memory again.
    kept.push(chunk.slice(0, room))
    keptBytes += Math.min(room, chunk.length)
  }

  function side(headers: HeaderFields | null, body: Uint8Array, bytes: number): RecordedSide {
    return {
      headers: recordHeaders && headers ? maskHeaders(headers, { addresses }) : null,
      body: recordBodies ? toText(body.subarray(0, recordBodyBytes)) : null,
      bytes: recordBodies ? bytes : null,
      cut: recordBodies && bytes > recordBodyBytes,
    }
  }

  return {
    noteAnswer(headers, body = NOTHING) {
      answerHeaders = headers
      if (recordBodies) keep(typeof body === 'string' ? new TextEncoder().encode(body) : body)
    },
    watch: (transform) => (recordBodies ? watched(transform, keep) : transform),
    finish: ({ id, createdAtMs, call, body }) => ({
      id,
      createdAtMs,
      request: side(call.request.headers, body, body.length),
      response: side(answerHeaders, Buffer.concat(kept), answerBytes),
    }),
  }
}

function watched(transform: ByteFilter | null, keep: (chunk: Uint8Array) => void): ByteFilter {
  const pass = (out: Uint8Array) => {
    keep(out)
    return out
  }
  return {
    push: (chunk) => pass(transform ? transform.push(chunk) : chunk),
    end: () => pass(transform ? transform.end() : NOTHING),
  }
}

/** A character that was cut in two is left out. */
function toText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true })
}
