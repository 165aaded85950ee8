/**
 * One try at one account: body for this account, headers, the call, and what came of it (REL-3, REL-11, REL-17).
 * Returns a Response once the client is committed to this upstream, or a Failure while nothing has gone out.
 */
import type { Choice } from '../core/account-pool.ts'
import type { Account } from '../core/entities.ts'
import { causeOfStatus, type Failure, judge } from '../core/failure.ts'
import type { Attempt as AttemptRecord } from '../core/receipt.ts'
import type { Credentials, Trouble } from '../credentials/credentials.ts'
import { andThenWith, type Later } from '../lib/later.ts'
import type { Watchdog } from '../lib/watchdog.ts'
import { requestEdits, splice } from '../protocols/splice.ts'
import type { Envelope, Provider } from '../providers/provider.ts'
import { providerFor } from '../providers/table.ts'
import type { Health } from '../state/health.ts'
import { answerStream, receiveStream } from './answer-stream.ts'
import { answerWhole, passError, receiveWhole } from './answer-whole.ts'
import { unwrap } from './envelope.ts'
import type { Exchange } from './exchange.ts'
import { upstreamHeaders, upstreamRequestIdOf } from './headers.ts'
import { scrubBytes, scrubFailure } from './scrub.ts'
import type { RelaySettings } from './settings.ts'
import type { SettleDeps } from './settle.ts'
import { startTimedCall, type TimedCall } from './timed-call.ts'
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export interface AttemptDeps extends SettleDeps {
  settings: RelaySettings
  upstream: Upstream
  credentials: Credentials
  watchdog: Watchdog
  health: Health
}

export type Attempted = Answered | Failed

/** `served`: the upstream did its work; otherwise the client's own fault was passed on. */
interface Answered {
  kind: 'response'
  response: Response
  served: boolean
}

interface Failed {
  kind: 'failure'
  failure: Failure
  /** What it was tried with: never to be shown. */
  secret: string | null
}

/** The part of an error body that is read; the rest is not worth waiting for. */
const MOST_ERROR_BYTES = 1_048_576

export function attempt(deps: AttemptDeps, exchange: Exchange, choice: Choice): Later<Attempted> {
  // The usual case is a secret at hand: no turn of the event loop for it.
  return andThenWith(deps.credentials.secretOf(choice.entry.account), { deps, exchange, choice }, tryWith)
}

interface Chosen {
  deps: AttemptDeps
  exchange: Exchange
  choice: Choice
}

function tryWith({ deps, exchange, choice }: Chosen, secret: string | null): Promise<Attempted> {
  return tryAccount(deps, exchange, beginTry(exchange, choice, secret))
}

export function isTurnedDown(exchange: Exchange, result: Attempted): result is Failed {
  return result.kind === 'failure' && result.failure.status === 401 && !exchange.clientGone
}

/** ACC-6: a token that was turned down is refreshed once, and the same account is asked again; an API key has no other. */
export async function attemptAfter401(
  deps: AttemptDeps,
  exchange: Exchange,
  choice: Choice,
  turnedDown: Failed,
): Promise<Attempted> {
  if (turnedDown.secret === null) return turnedDown
  const other = await deps.credentials.refreshAfter401(choice.entry.account, turnedDown.secret)
  return other === null ? turnedDown : tryWith({ deps, exchange, choice }, other)
}

interface Try {
  choice: Choice
  secret: string | null
  startedAt: number
  /** Written before the call and filled in as it goes: a receipt may be written the moment that the answer is there. */
  record: AttemptRecord
}

function beginTry(exchange: Exchange, choice: Choice, secret: string | null): Try {
  const startedAt = performance.now()
  const accountId = choice.entry.account.id
  const record = { accountId, status: null, durationMs: 0, reason: null, upstreamRequestId: null, usage: null }
  exchange.attempts.push(record)
  exchange.attemptStartedAt.push(startedAt)
  exchange.upstreamRequestId = null
  return { choice, secret, startedAt, record }
}

function noteAnswer(exchange: Exchange, { record, startedAt }: Try, { status, headers }: UpstreamAnswer): void {
  exchange.upstreamRequestId = upstreamRequestIdOf(headers)
  record.status = status
  record.upstreamRequestId = exchange.upstreamRequestId
  record.durationMs = Math.round(performance.now() - startedAt)
}

function failed({ choice, secret, startedAt, record }: Try, failure: Failure): Attempted {
  record.reason = failure.cause
  record.status ??= failure.status
  record.durationMs = Math.round(performance.now() - startedAt)
  return { kind: 'failure', failure: scrubFailure(failure, choice.entry.account, secret), secret }
}

async function tryAccount(deps: AttemptDeps, exchange: Exchange, current: Try): Promise<Attempted> {
  const { choice, secret } = current
  const { account } = choice.entry
  const provider = providerFor(account.platform, account.type)
  if (!provider || secret === null) return failed(current, credentialFailure(deps.credentials.troubleOf(account)))
  const request = toUpstreamRequest(exchange, choice, provider, secret)
  if (provider.envelope?.signing && !(await sign(deps, account, provider.envelope.signing, request))) {
    return failed(current, credentialFailure(null))
  }
  const call = startTimedCall(deps, exchange, account, request)
  let answer: UpstreamAnswer
  try {
    answer = await call.answer
  } catch (error) {
    return failed(current, call.endedBy(error))
  }
  call.answered()
  noteAnswer(exchange, current, answer)
  noteWindows(deps, account, provider, answer)
  if (answer.status < 200 || answer.status > 299) return judgeStatus(deps, exchange, call, answer, provider, current)
  const framing = framingOf(exchange, answer)
  const about = { operation: exchange.call.operation, modelId: choice.upstreamModel }
  const plain = provider.envelope ? unwrap(provider.envelope, about, { call, answer }) : answer
  let result: Response | Failure
  if (framing === 'json') {
    const body = await receiveWhole(deps, call, plain)
    result = answerWhole(deps, exchange, call, plain, body)
  } else {
    const stream = receiveStream(deps, exchange, call, plain, framing)
    const decision = await stream.tap.decided
    result = answerStream(stream, plain, decision)
  }
  if (result instanceof Response) return { kind: 'response', response: result, served: true }
  return failed(current, withLimit(deps, result, answer, { provider, model: choice.upstreamModel }))
}

/** A limit that was told inside a 200: of when and for what it ends only the headers can tell. */
function withLimit(
  deps: AttemptDeps,
  failure: Failure,
  answer: UpstreamAnswer,
  { provider, model }: { provider: Provider; model: string },
): Failure {
  if (failure.cause !== 'rate_limited') return failure
  const said = { status: answer.status, header: headerOf(answer), body: null, model, nowMs: deps.nowMs() }
  return { ...failure, told: provider.readLimit(said) }
}

/** A refresh that is tried again later keeps the account out until then; what only a person can mend is an error (ACC-10). */
function credentialFailure(trouble: Trouble | null): Failure {
  const error = trouble === null ? null : { type: null, code: null, status: null, message: trouble.message }
  const untilMs = trouble?.untilMs ?? null
  const told = untilMs === null ? null : { untilMs, source: 'token refresh', family: null }
  return { cause: 'credential_error', status: null, error, told }
}

function toUpstreamRequest(exchange: Exchange, choice: Choice, provider: Provider, secret: string): UpstreamRequest {
  const { call, inspected } = exchange
  const { account } = choice.entry
  const model = inspected?.model ?? ''
  const stream = inspected?.stream ?? false
  return {
    url: provider.endpoint({
      account,
      operation: call.operation,
      model: choice.upstreamModel || model,
      version: call.version,
      search: call.target.search,
      stream,
    }),
    method: 'POST',
    headers: upstreamHeaders({ client: call.request.headers, provider, account, secret, stream }),
    body: toUpstreamBody(exchange, choice, provider),
    proxyUrl: account.proxy?.url ?? null,
  }
}

function toUpstreamBody(exchange: Exchange, choice: Choice, provider: Provider): Uint8Array {
  const { call, inspected, body } = exchange
  if (!inspected) return body
  if (provider.envelope) {
    return provider.envelope.request({ operation: call.operation, body, header: headerOf(call.request) })
  }
  const edits = requestEdits(body, inspected, {
    upstreamModel: choice.upstreamModel,
    forceStoreFalse: provider.forceStoreFalse && call.operation.id.startsWith('responses'),
    askUsage: true,
  })
  return splice(body, edits)
}

/** Adds the signature to a request that is complete but for it. False: the account has nothing to sign with. */
async function sign(
  deps: AttemptDeps,
  account: Account,
  { service, region }: NonNullable<Envelope['signing']>,
  request: UpstreamRequest,
): Promise<boolean> {
  const { url, method, body } = request
  const by = { url, method, body, service, region: region(account), nowMs: deps.nowMs() }
  const signature = await deps.credentials.sign(account, by)
  Object.assign(request.headers, signature)
  return signature !== null
}

/** How the body is framed is the upstream's word, not our hope: a JSON object where a stream was asked for is relayed whole. */
function framingOf(exchange: Exchange, answer: UpstreamAnswer): 'sse' | 'json' | 'json-array' {
  const asked = exchange.inspected?.framing ?? 'json'
  if (!exchange.inspected?.stream) return 'json'
  const type = answer.headers.get('content-type') ?? ''
  if (type.includes('application/json')) return asked === 'json-array' ? 'json-array' : 'json'
  return asked === 'json-array' && !type.includes('text/event-stream') ? 'json-array' : 'sse'
}

/** Every answer may tell how full the account's windows are (ACC-11). */
function noteWindows(deps: AttemptDeps, account: Account, provider: Provider, answer: UpstreamAnswer): void {
  if (!provider.readSnapshot) return
  const snapshot = provider.readSnapshot({ header: headerOf(answer), nowMs: deps.nowMs() })
  if (snapshot) deps.health.noteSnapshot(account.id, snapshot)
}

function headerOf({ headers }: { headers: { get(name: string): string | null } }): (name: string) => string | null {
  return (name) => headers.get(name)
}

/** Not a success: read what it says, and either pass the client's own fault on or report a failure (REL-12). */
async function judgeStatus(
  deps: AttemptDeps,
  exchange: Exchange,
  call: TimedCall,
  answer: UpstreamAnswer,
  provider: Provider,
  current: Try,
): Promise<Attempted> {
  const { choice, secret } = current
  const header = headerOf(answer)
  const said = scrubBytes(await readErrorBytes(answer), choice.entry.account, secret)
  const sent = { status: answer.status, header, body: said }
  call.stop()
  const { status, body } = provider.envelope?.error(sent) ?? sent
  const error = exchange.call.protocol.readError(status, body)
  const listed = exchange.account?.customErrorCodes
  const cause = listed && !listed.includes(status) ? 'masked_status' : causeOfStatus(status)
  const limited = cause === 'rate_limited' || cause === 'overloaded' || status === 503
  const told = limited
    ? provider.readLimit({ status, header, body: parsed(body), model: choice.upstreamModel, nowMs: deps.nowMs() })
    : null
  const failure: Failure = { cause, status, error, told }
  if (judge(failure).next !== 'pass') return failed(current, failure)
  const response = passError(deps, exchange, { ...answer, status }, body, error)
  return { kind: 'response', response, served: false }
}

function readErrorBytes(answer: UpstreamAnswer): Promise<Uint8Array> {
  return answer.body.bytes(MOST_ERROR_BYTES).catch(() => new Uint8Array())
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return null
  }
}
