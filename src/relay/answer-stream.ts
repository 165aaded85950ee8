/**
 * Relays a stream: held until its first content, then byte for byte (REL-7, REL-11); ended loudly when it breaks (REL-13); followed to its
 * end when the client leaves (REL-14). Gives the Response to return, or a Failure while nothing has gone out.
 */
import { deny } from '../core/denial.ts'
import { type Failure, failureOfStreamError, judge, type UpstreamError } from '../core/failure.ts'
import { createModelRewriter } from '../protocols/model-rewriter.ts'
import type { ByteFilter, Framing, Gate, Meter, Reading } from '../protocols/protocol.ts'
import type { Health } from '../state/health.ts'
import { servedFamily } from './account-wish.ts'
import { nameInAnswers } from './envelope.ts'
import { type Exchange, elapsedMs, keepAttemptUsage, type Progress, type ProgressSource } from './exchange.ts'
import { streamHeaders } from './headers.ts'
import { letGoOfBody } from './read-body.ts'
import type { RelaySettings } from './settings.ts'
import { type SettleDeps, settle } from './settle.ts'
import { createTap, type Tap, type TapEnd, type TapInput } from './tap.ts'
import type { TimedCall } from './timed-call.ts'
import type { UpstreamAnswer, UpstreamBody } from './upstream.ts'

interface AnswerDeps extends SettleDeps {
  settings: RelaySettings
  health: Health
}

/** Begins to read; `tap.decided` of what it gives says when there is something to answer. */
export function receiveStream(
  deps: AnswerDeps,
  exchange: Exchange,
  call: TimedCall,
  answer: UpstreamAnswer,
  framing: Framing,
): RelayedStream {
  const relayed = new RelayedStream(deps, exchange, call, answer, framing)
  exchange.clientWatcher = relayed.tap
  if (exchange.clientGone) relayed.tap.clientLeft()
  return relayed
}

export function answerStream(
  relayed: RelayedStream,
  answer: UpstreamAnswer,
  decision: 'commit' | 'fault',
): Response | Failure {
  const { deps, exchange, call, framing, tap } = relayed
  if (decision === 'fault') {
    call.stop()
    call.abort('fault before the first content')
    keepAttemptUsage(exchange, relayed.meter.read())
    const { timedOut } = call
    return timedOut
      ? { cause: 'first_byte_timeout', status: null, error: null, told: null }
      : failureOfStreamError(tap.faultError)
  }
  letGoOfBody(deps, exchange)
  exchange.progress = relayed
  call.streaming()
  keepAlive(deps, exchange, call, tap)
  const type = framing === 'json-array' ? 'application/json' : 'text/event-stream'
  const headers = streamHeaders(answer.headers, exchange.id, deps.settings.maxRetryAfterMs, type)
  exchange.recording?.noteAnswer(Object.entries(headers))
  return new Response(tap.readable(), { status: answer.status, headers })
}

/** A request's stream: the tap, what it is given and whom it tells. One object, as there is one for each stream under way. */
export class RelayedStream implements TapInput, ProgressSource {
  readonly body: UpstreamBody
  readonly meter: Meter
  readonly gate: Gate
  readonly transform: ByteFilter | null
  readonly commitWaitMs: number
  readonly tap: Tap

  constructor(
    readonly deps: AnswerDeps,
    readonly exchange: Exchange,
    readonly call: TimedCall,
    answer: UpstreamAnswer,
    readonly framing: Framing,
  ) {
    const { protocol, operation } = exchange.call
    const transform = transformOf(exchange, framing)
    this.body = answer.body
    this.meter = protocol.meter(operation, framing)
    this.gate = protocol.gate(operation, framing)
    this.transform = exchange.recording ? exchange.recording.watch(transform) : transform
    this.commitWaitMs = deps.settings.commitWaitMs
    // Last: it begins to read.
    this.tap = createTap(this)
  }

  soFar(): Progress {
    return { reading: this.meter.read(), relayedBytes: this.tap.contentBytes }
  }

  touch(): void {
    this.call.watched.touch()
  }

  onFirstData(): void {
    this.exchange.firstTokenMs = elapsedMs(this.exchange)
  }

  passFault(error: UpstreamError | null): boolean {
    return error !== null && judge(failureOfStreamError(error)).next === 'pass'
  }

  onEnd(end: TapEnd): Uint8Array | null {
    return conclude(this, end)
  }

  recorded(): Promise<void> | null {
    return this.exchange.recorded
  }

  onClientGone(): void {
    hangUpOrDrain(this.call, this.meter)
  }
}

/**
 * A client that leaves once the terminal event and the usage were seen is done, not gone (REL-13): there is nothing to drain for. A chat
 * stream's usage comes behind its terminal event: who leaves in between is still to be measured (BIL-9).
 */
function hangUpOrDrain(call: TimedCall, meter: Meter): void {
  const reading = meter.read()
  if (isGoodEnd(reading) && reading.usageCertainty === 'final') call.abort('client left after the end')
  else call.clientLeft()
}

function isGoodEnd(reading: Reading): boolean {
  return reading.final === 'completed' || reading.final === 'incomplete' || reading.final === 'blocked'
}

/** Settles the request, and says what must still be written so that nobody takes a cut text for a success. */
function conclude(relayed: RelayedStream, end: TapEnd): Uint8Array | null {
  const { deps, exchange, call, framing, meter, tap } = relayed
  call.stop()
  const reading = meter.read()
  const good = isGoodEnd(reading)
  const told = reading.final === 'error' || reading.final === 'failed'
  const cut = !good && !told
  noteHealth(deps, exchange, good, cut && !end.clientGone)
  const denial = deny(
    'upstream_stream_broken',
    told && reading.error?.message ? reading.error.message : 'Upstream stream ended before it was complete',
  )
  settle(deps, exchange, {
    ending: good ? 'completed' : end.clientGone ? 'client-gone' : 'broken',
    httpStatus: 200,
    errorCode: good
      ? null
      : told
        ? (reading.error?.code ?? reading.error?.type ?? 'upstream_error')
        : cutCode(call, end),
    errorMessage: good ? null : denial.message,
    reading,
    // What only says that there is no answer is none.
    relayedBytes: reading.final === 'blocked' ? 0 : tap.contentBytes,
  })
  const { protocol } = exchange.call
  if (!cut && !(told && protocol.errorNeedsEvent(reading, framing))) return null
  const event = protocol.errorEvent(denial, exchange.id, { framing, responseId: reading.responseId })
  return new TextEncoder().encode(meter.lead() + event)
}

/** A stream that broke on its way counts against the account like one that never began. */
function noteHealth(deps: AnswerDeps, exchange: Exchange, good: boolean, broke: boolean): void {
  if (!exchange.account) return
  if (good) deps.health.noteSuccess(exchange.account.id, servedFamily(exchange, exchange.account))
  if (broke) deps.health.noteFailure(exchange.account.id, failureOfStreamError(null))
}

function cutCode(call: TimedCall, end: TapEnd): string {
  if (end.clientGone && call.timedOut !== 'idle') return 'client_closed_request'
  if (call.timedOut) return 'upstream_timeout'
  return end.how === 'end' ? 'upstream_stream_truncated' : 'upstream_stream_broken'
}

function transformOf(exchange: Exchange, framing: Framing): ByteFilter | null {
  const { inspected } = exchange
  if (!inspected) return null
  const steps: ByteFilter[] = []
  const { usageFilter } = exchange.call.protocol
  if (inspected.usageOption !== null && usageFilter) steps.push(usageFilter())
  const from = nameInAnswers(exchange)
  if (from !== null && from !== inspected.model) {
    const paths = exchange.call.protocol.modelPaths
    steps.push(createModelRewriter({ framing, paths, from, to: inspected.model }))
  }
  const [first, second] = steps
  return first && second ? chained(first, second) : (first ?? null)
}

function chained(first: ByteFilter, second: ByteFilter): ByteFilter {
  return {
    push: (chunk) => second.push(first.push(chunk)),
    end: () => Buffer.concat([second.push(first.end()), second.end()]),
  }
}

/** REL-15: comments for OpenAI shapes, pings for Anthropic, nothing for Gemini; the protocol knows which. */
function keepAlive(deps: AnswerDeps, exchange: Exchange, call: TimedCall, tap: Tap): void {
  const seconds = exchange.policy.key.sseKeepaliveSeconds
  const quietMs = seconds === null ? deps.settings.sseKeepaliveMs : seconds * 1000
  const text = exchange.call.protocol.keepAlive
  if (quietMs === 0 || text === null) return
  const bytes = new TextEncoder().encode(text)
  call.watched.every(quietMs, () => tap.keepAlive(bytes))
}
