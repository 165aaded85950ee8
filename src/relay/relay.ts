/**
 * The story of one relayed request (REL): authenticate → read and inspect the body → check the model → admit (limits, money) → serve it from
 * an account → settle.
 * Each verb is one import; whatever happens after authentication ends in exactly one `settle`.
 *
 * If it fails: an exception is a bug or a torn connection; it is settled as failed and told in the client's protocol, without its details.
 */
import { type Denial, deny, isDenial } from '../core/denial.ts'
import { checkModel } from '../core/key.ts'
import { newId } from '../lib/ids.ts'
import type { Later } from '../lib/later.ts'
import { type AdmitDeps, admit } from './admit.ts'
import { type AttemptsDeps, serve } from './attempts.ts'
import { authenticate, type Caller, type FindKeyDeps } from './authenticate.ts'
import { type Call, type Exchange, NO_BODY } from './exchange.ts'
import { giveBytesBack, type ReadBodyDeps, readBody } from './read-body.ts'
import { startRecording } from './recording.ts'
import { denialResponse, refusal } from './respond.ts'
import { settle } from './settle.ts'

export type RelayDeps = AttemptsDeps &
  AdmitDeps &
  FindKeyDeps &
  ReadBodyDeps & {
    /** Requests past authentication and not settled yet: shutdown waits for them. */
    live: Set<Exchange>
    /** Refuses new requests while shutting down; null: open. */
    closed(): Denial | null
    /** Somebody was turned away before it was known who it is. */
    onUnauthenticated(code: string): void
    /** A key whose days are counted from its first use is used for the first time (KEY-5). */
    onFirstUse(keyId: string, nowMs: number): void
  }

/** At once when it is turned away for who it is. */
export type Relay = (call: Call) => Later<Response>

export function createRelay(deps: RelayDeps): Relay {
  return (call) => {
    const nowMs = deps.nowMs()
    const id = newId(nowMs)
    const closed = deps.closed()
    if (closed) return denialResponse(call.protocol, closed, id)
    const simple = deps.settings.runMode === 'simple'
    const { directory, keyAttempts } = deps
    const caller = authenticate(
      { directory, keyAttempts, simple, recordClientIp: deps.settings.recordClientIp },
      call,
      nowMs,
    )
    if (isDenial(caller)) {
      deps.onUnauthenticated(caller.code)
      return denialResponse(call.protocol, caller, id)
    }
    const exchange = begin(call, caller, { id, nowMs, recording: startRecording(deps.settings) })
    deps.live.add(exchange)
    const { key } = caller.policy
    if (key.expiresAfterDays !== null && key.expiresAtMs === null) deps.onFirstUse(key.id, nowMs)
    watchClient(exchange)
    return relayKnown(deps, exchange)
  }
}

/** Of a caller who is known. One function that awaits, not two: 0.2 kB less a request. */
async function relayKnown(deps: RelayDeps, exchange: Exchange): Promise<Response> {
  const { call, policy } = exchange
  try {
    const body = await readBody(deps, exchange)
    if (exchange.settled) return tooLate(exchange)
    if (isDenial(body)) return refuse(deps, exchange, body)
    exchange.body = body
    exchange.bodyBytes = body.length
    const inspected = call.protocol.inspect(call.operation, body, call.target)
    if (isDenial(inspected)) return refuse(deps, exchange, inspected)
    exchange.inspected = inspected
    const admitted = checkModel(policy, inspected.model) ?? admit(deps, exchange)
    const denial = admitted instanceof Promise ? await admitted : admitted
    if (exchange.settled) return tooLate(exchange)
    return denial ? refuse(deps, exchange, denial) : await serve(deps, exchange)
  } catch (error) {
    return crash(deps, exchange, error)
  } finally {
    if (exchange.settled) giveBytesBack(deps, exchange)
    if (exchange.recorded) await exchange.recorded
  }
}

/** It was ended for its age while a step waited (USE-3): its record is written, and what was taken since goes back. */
function tooLate(exchange: Exchange): Response {
  void exchange.admission?.cancel()
  const denial = deny('upstream_timeout', 'The request took too long.')
  return denialResponse(exchange.call.protocol, denial, exchange.id)
}

type Beginning = Pick<Exchange, 'id' | 'recording'> & { nowMs: number }

function begin(call: Call, caller: Caller, { id, nowMs, recording }: Beginning): Exchange {
  return {
    id,
    call,
    createdAtMs: nowMs,
    startedAt: performance.now(),
    policy: caller.policy,
    user: caller.user,
    group: caller.group,
    userAgent: caller.userAgent,
    address: caller.address,
    body: NO_BODY,
    bodyBytes: 0,
    heldBytes: 0,
    inspected: null,
    payer: null,
    admission: null,
    attempts: [],
    attemptStartedAt: [],
    choice: null,
    session: null,
    binding: null,
    account: null,
    slot: null,
    upstreamModel: null,
    upstreamRequestId: null,
    firstTokenMs: null,
    progress: null,
    recording,
    clientGone: false,
    clientWatcher: null,
    settled: false,
    recorded: null,
  }
}

/** The runtime aborts the request's signal when the client's connection closes, also after the Response was returned. */
function watchClient(exchange: Exchange): void {
  exchange.call.request.signal.addEventListener('abort', () => {
    exchange.clientGone = true
    exchange.clientWatcher?.clientLeft()
  })
}

/** Turned down by turnpike itself: nothing was sent, nothing is charged. */
function refuse(deps: RelayDeps, exchange: Exchange, denial: Denial): Response {
  const response = refusal(exchange, denial)
  settle(deps, exchange, {
    ending: 'refused',
    httpStatus: response.status,
    errorCode: denial.code,
    errorMessage: denial.message,
    reading: null,
    relayedBytes: 0,
  })
  return response
}

function crash(deps: RelayDeps, exchange: Exchange, error: unknown): Response {
  if (!exchange.clientGone) deps.onCrash(error, exchange.id)
  const denial = deny('internal_error', 'The gateway failed to handle this request.')
  const response = refusal(exchange, denial)
  settle(deps, exchange, {
    ending: exchange.clientGone ? 'client-gone' : 'refused',
    httpStatus: exchange.clientGone ? 499 : 500,
    errorCode: exchange.clientGone ? 'client_closed_request' : denial.code,
    errorMessage: denial.message,
    reading: null,
    relayedBytes: 0,
  })
  return response
}
