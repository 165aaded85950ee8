/**
 * Relays an answer that is not a stream: status, allowed headers and body bytes (REL-17). It is taken in whole, so that a broken or
 * false success can still be mended by another account, and so that the record is written before the client has the answer.
 */
import { type Failure, failureOfStreamError, judge, type UpstreamError } from '../core/failure.ts'
import { createModelRewriter } from '../protocols/model-rewriter.ts'
import type { Reading } from '../protocols/protocol.ts'
import type { Health } from '../state/health.ts'
import { servedFamily } from './account-wish.ts'
import { nameInAnswers } from './envelope.ts'
import { type Exchange, keepAttemptUsage } from './exchange.ts'
import { clientHeaders } from './headers.ts'
import type { RelaySettings } from './settings.ts'
import { type SettleDeps, settle } from './settle.ts'
import type { TimedCall } from './timed-call.ts'
import type { UpstreamAnswer } from './upstream.ts'

interface AnswerDeps extends SettleDeps {
  settings: RelaySettings
  health: Health
}

/** Null: it broke, or is larger than an answer may be. */
export function receiveWhole(deps: AnswerDeps, call: TimedCall, answer: UpstreamAnswer): Promise<Uint8Array | null> {
  call.streaming()
  return answer.body.bytes(deps.settings.maxAnswerBytes).catch(nothing)
}

const nothing = () => null

/** `body`: as received. */
export function answerWhole(
  deps: AnswerDeps,
  exchange: Exchange,
  call: TimedCall,
  answer: UpstreamAnswer,
  body: Uint8Array | null,
): Response | Failure {
  call.stop()
  if (body === null || !looksLikeJson(body)) {
    call.abort('answer is not usable')
    return { cause: call.hungUp ? 'client_left' : 'stream_fault', status: answer.status, error: null, told: null }
  }
  const { protocol, operation } = exchange.call
  const meter = protocol.meter(operation, 'json')
  meter.push(body)
  const reading = meter.read()
  if (reading.final === 'error') {
    const failure = failureOfStreamError(reading.error)
    if (judge(failure).next !== 'pass') {
      keepAttemptUsage(exchange, reading)
      return failure
    }
  }
  exchange.firstTokenMs = Math.round(performance.now() - exchange.startedAt)
  const response = toResponse(deps, exchange, answer, renamed(exchange, body))
  conclude(deps, exchange, answer.status, reading, body.length)
  return response
}

/** The client's own fault, as the upstream said it: status and body pass (REL-12). */
export function passError(
  deps: AnswerDeps,
  exchange: Exchange,
  answer: UpstreamAnswer,
  body: Uint8Array,
  error: UpstreamError,
): Response {
  const response = toResponse(deps, exchange, answer, body)
  settle(deps, exchange, {
    ending: 'refused',
    httpStatus: answer.status,
    errorCode: error.code ?? error.type ?? 'upstream_client_error',
    errorMessage: error.message,
    reading: null,
    relayedBytes: 0,
  })
  return response
}

function toResponse(deps: AnswerDeps, exchange: Exchange, answer: UpstreamAnswer, body: Uint8Array): Response {
  const headers = clientHeaders(answer.headers, exchange.id, deps.settings.maxRetryAfterMs)
  headers['content-type'] = answer.headers.get('content-type') ?? 'application/json'
  exchange.recording?.noteAnswer(Object.entries(headers), body)
  return new Response(body as Uint8Array<ArrayBuffer>, { status: answer.status, headers })
}

function conclude(deps: AnswerDeps, exchange: Exchange, status: number, reading: Reading, bytes: number): void {
  const bad = reading.final === 'error' || reading.final === 'failed'
  const { account } = exchange
  if (account) deps.health.noteSuccess(account.id, servedFamily(exchange, account))
  settle(deps, exchange, {
    ending: bad ? 'upstream-error' : exchange.clientGone ? 'client-gone' : 'completed',
    httpStatus: status,
    errorCode: bad ? (reading.error?.code ?? reading.error?.type ?? 'upstream_error') : null,
    errorMessage: reading.error?.message ?? null,
    reading,
    relayedBytes: bad || reading.final === 'blocked' ? 0 : bytes,
  })
}

/** The client sees the name it asked for (REL-10). */
function renamed(exchange: Exchange, body: Uint8Array): Uint8Array {
  const from = nameInAnswers(exchange)
  const to = exchange.inspected?.model
  if (from === null || to === undefined || from === to) return body
  const rewriter = createModelRewriter({ framing: 'json', paths: exchange.call.protocol.modelPaths, from, to })
  const parts = [rewriter.push(body), rewriter.end()]
  return parts[1]?.length === 0 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}

/** A page of HTML or nothing at all under a 200 is no answer: first and last byte tell without parsing. */
function looksLikeJson(body: Uint8Array): boolean {
  let start = 0
  let end = body.length - 1
  while (start < end && isSpace(body[start])) start++
  while (end > start && isSpace(body[end])) end--
  const pair = String.fromCharCode(body[start] ?? 0, body[end] ?? 0)
  return pair === '{}' || pair === '[]'
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
