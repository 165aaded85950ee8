/**
 * What a protocol is: what is *said* between clients and upstreams (bytes ↔ facts), whoever the vendor is.
 *
 * Pure: no I/O, no clock, no randomness. A protocol never sees a URL's host, an account or a key.
 * Adding one is one folder with inspect, meter, gate, error and a line in `./table.ts` (REL-18).
 */
import type { Denial } from '../core/denial.ts'
import type { UpstreamError } from '../core/failure.ts'
import type { Platform, ProtocolId } from '../core/platform.ts'
import type { IterationUsage, Usage } from '../core/usage.ts'

export type { UpstreamError } from '../core/failure.ts'

/** Half-open byte range in a request body. */
export interface Span {
  start: number
  end: number
}

/** How a response body is framed, as read off its content type. `json-array`: Gemini streams without `alt=sse`. */
export type Framing = 'sse' | 'json' | 'json-array'

/** One endpoint of a protocol. */
export interface Operation {
  id: string
  protocol: ProtocolId
  /** Does a success cost tokens? count_tokens and model lists do not. */
  metered: boolean
  /** `body`: the body's `stream` decides; `path`: the path does; `never`. */
  streaming: 'body' | 'path' | 'never'
  /** Does it generate tokens? Embeddings and counts do not. */
  generates: boolean
  /** Upstream path below the API's version root ("/chat/completions"); Gemini's is built from the model, see `upstreamPath`. */
  path: string
}

/** What was read off a request without parsing it (REL-1). */
export interface Inspected {
  /** The model as asked for; "models/" and the like already taken off. */
  model: string
  /** Where the model's name (JSON string with its quotes) stands in the body: all occurrences that an upstream may read. Empty: only in the path. */
  modelSpans: Span[]
  stream: boolean
  framing: Framing
  /** The client's cap on generated tokens, or null. */
  maxOutputTokens: number | null
  /** Session hint from the body, most specific first found (ACC-4), or null. Not hashed yet. */
  sessionHint: string | null
  /**
   * Byte ranges whose hash is the fallback session key: tools, system prompt, texts of the first user message (ACC-4).
   * Empty when `sessionHint` is set, and when there is nothing to go by.
   */
  prefixSpans: Span[]
  /** `store` of a Responses request: the value's span, null when absent (REL-3). */
  storeSpan: Span | null
  /** Chat only. `absent`: no stream_options; `object`: present without include_usage true. Null: usage was asked for, or not a stream (REL-8). */
  usageOption: { kind: 'absent' } | { kind: 'object'; span: Span; includeUsageSpan: Span | null } | null
  /** Position just after the top-level `{`: where a member can be spliced in. */
  insertAt: number
  /** Is the top-level object without members (no comma is needed when splicing one in)? */
  empty: boolean
}

export type FinalStatus = 'completed' | 'incomplete' | 'failed' | 'queued' | 'blocked' | 'error' | 'truncated'

/** What a response said, read at its end or wherever it was cut. */
export interface Reading {
  final: FinalStatus
  /** Normalised; the provider's last report (for Anthropic merged over its events). Null: none seen. */
  usage: Usage | null
  /** `final`: the provider's closing report; `provisional`: only a first guess was seen (message_start of a cut stream, a non-final chunk). */
  usageCertainty: 'final' | 'provisional' | 'none'
  iterations: IterationUsage[] | null
  model: string | null
  serviceTier: string | null
  responseId: string | null
  finishReason: string | null
  error: UpstreamError | null
}

/**
 * Follows one response body (REL-8). `push` costs O(1) besides one small copy and never throws; the parsing is done once, in `read`.
 * The same Reading comes out however the bytes were split.
 */
export interface Meter {
  push(chunk: Uint8Array): void
  read(): Reading
  /**
   * Bytes to send before `errorEvent` when the body stops here (REL-13): they end an event that is open at the cut, so that clients
   * parse the error as an event of its own. Empty when none is open. See `./stream-lead.ts` for a cut within a line.
   */
  lead(): string
  /** Body bytes seen so far. */
  readonly bytes: number
}

/**
 * Looks at the first frames of a stream before anything goes to the client (REL-11).
 * `hold`: nothing decisive yet; `commit`: real content (or a good end) was seen; `fault`: an error event, or bytes that are not this protocol.
 */
export type GateState = 'hold' | 'commit' | 'fault'
export interface Gate {
  push(chunk: Uint8Array): GateState
  /** The body ended: an empty stream, or one that ended while held, is a fault (unless what it said was a good end). */
  end(): GateState
  /** Has the first data event gone by that is neither empty nor `[DONE]` nor a ping (REL-9)? */
  readonly firstData: boolean
  /** Whole frames seen so far (REL-11 holds at most 64). */
  readonly frames: number
  /** Characters of the frames before the first content: they repeat the request, and are no part of an answer (BIL-9). */
  readonly openingLength: number
  /** Set when `fault`: what the stream said, or null when it was malformed or empty. */
  readonly error: UpstreamError | null
}

/** Path and query of a request as it came; a URL is one. Taking a URL apart for an endpoint whose path is known costs 2 µs for nothing. */
export interface RequestTarget {
  pathname: string
  /** With its question mark; '' when there is none. */
  search: string
}

export interface Protocol {
  id: ProtocolId
  /** Its own platform: whose default group serves keys without one, whose name its lists and prices go by. */
  platform: Platform
  /** Platforms whose accounts can serve it, its own first. */
  platforms: readonly Platform[]
  inspect(operation: Operation, body: Uint8Array, target: RequestTarget): Inspected | Denial
  meter(operation: Operation, framing: Framing): Meter
  gate(operation: Operation, framing: Framing): Gate
  /** Reads the body of a non-2xx answer. Never throws; HTML or nothing gives nulls. */
  readError(status: number, body: Uint8Array): UpstreamError
  /** HTTP status and JSON body of a denial in this dialect (contract.md). */
  errorBody(denial: Denial, requestId: string): { status: number; body: string }
  /** Text that ends a broken stream loudly (REL-13), to be sent after `Meter.lead`. Empty where nothing can be mended (a JSON body). */
  errorEvent(denial: Denial, requestId: string, cut: StreamCut): string
  /**
   * The stream ended with an error of its own: must an `errorEvent` follow for clients to see it (REL-13)? Codex ignores a bare `error`
   * event and only heeds `response.failed`; Gemini CLI takes an error inside an event for an empty chunk.
   */
  errorNeedsEvent(reading: Reading, framing: Framing): boolean
  /** What may be written between events to keep a quiet connection open (REL-15); null: nothing is safe there. */
  keepAlive: string | null
  /** Keeps from the client the usage chunk that only we asked for (REL-8); null where there is no such thing. */
  usageFilter: (() => ByteFilter) | null
  /** Where a response names its model (REL-10), as key paths from the root of an event or body. */
  modelPaths: readonly (readonly string[])[]
  /** Model ids under which `GET` lists answer in this dialect. */
  modelList(models: readonly ListedModel[]): unknown
  modelObject(model: ListedModel): unknown
}

/** Something between upstream and client that changes bytes, at any split of them. Both may answer no bytes. */
export interface ByteFilter {
  push(chunk: Uint8Array): Uint8Array
  end(): Uint8Array
}

/** What of a protocol reads and writes responses: all but the inspection of requests. */
export type ResponseSide = Omit<Protocol, 'inspect'>

/** A stream that broke off: how it was framed, and what it called itself (openai's SDK refuses a `response.failed` with another id). */
export interface StreamCut {
  framing: Framing
  /** `Reading.responseId`. */
  responseId: string | null
}

/** A model as the lists of all dialects need it. */
export interface ListedModel {
  id: string
  createdAtMs: number
  ownedBy: string
}
