/**
 * Sends one tiny real request through an account, its proxy and its credentials included, and says what came of it (ACC-15). Nothing is counted
 * against the account and nothing is billed to anybody: an operator wants to know, not to act.
 *
 * If it fails: that is an answer too; it never rejects.
 */
import type { Account } from '../core/entities.ts'
import { causeOfStatus, type FailureCause } from '../core/failure.ts'
import { compileMapping } from '../core/model-mapping.ts'
import type { ProbeResult, SendProbe } from '../core/probe.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { PROTOCOLS } from '../protocols/table.ts'
import { type Probe, probeFor } from '../providers/probe.ts'
import { providerFor } from '../providers/table.ts'
import { upstreamHeaders, upstreamRequestIdOf } from './headers.ts'
import { scrubText } from './scrub.ts'
import type { Upstream, UpstreamAnswer } from './upstream.ts'

export interface ProbeDeps {
  upstream: Upstream
  credentials: Credentials
  /** Of a token of output, in whatever unit; null: not known. */
  priceOf(account: Account, model: string): number | null
  timeoutMs?: number
}

const TIMEOUT_MS = 60_000
const MOST_BYTES = 1_048_576

export function createProbe(deps: ProbeDeps): SendProbe {
  return async (account, wanted) => {
    const probe = probeFor(account)
    if (probe === null) return null
    const model = modelFor(deps, account, probe, wanted)
    const startedAt = performance.now()
    const found = await sendWithCredentials(deps, account, probe, model)
    return { ...NOTHING, model, ...found, ms: Math.round(performance.now() - startedAt) }
  }
}

const NOTHING = { ok: false, status: null, cause: null, message: null, upstreamRequestId: null }
type Found = Partial<Omit<ProbeResult, 'model' | 'ms'>>

/** What the operator named, else the cheapest that the account's mapping leads to (ACC-2). */
function modelFor(deps: ProbeDeps, account: Account, probe: Probe, wanted: string | null): string {
  const mapper = compileMapping(account.modelMapping)
  if (wanted !== null) return mapper.map(wanted) ?? wanted
  const named = Object.values(account.modelMapping).filter((target) => !target.endsWith('*'))
  const candidates = [mapper.map(probe.defaultModel), ...named].filter((name) => name !== null)
  // A model without a price comes last; of several, the first.
  const priceOf = (name: string) => deps.priceOf(account, name) ?? Number.MAX_VALUE
  const [cheapest] = candidates.toSorted((a, b) => priceOf(a) - priceOf(b))
  return cheapest ?? probe.defaultModel
}

async function sendWithCredentials(deps: ProbeDeps, account: Account, probe: Probe, model: string): Promise<Found> {
  const { credentials } = deps
  const secret = await credentials.secretOf(account)
  if (secret === null) {
    const message = credentials.troubleOf(account)?.message ?? 'the account has no usable credential'
    return { cause: 'credential_error', message }
  }
  const first = await send(deps, account, { probe, model, secret })
  if (first.status !== 401) return first
  const other = await credentials.refreshAfter401(account, secret)
  return other === null ? first : send(deps, account, { probe, model, secret: other })
}

async function send(
  deps: ProbeDeps,
  account: Account,
  { probe, model, secret }: { probe: Probe; model: string; secret: string },
): Promise<Found> {
  const { operation, stream } = probe
  const provider = providerFor(account.platform, account.type)!
  const call = deps.upstream.send({
    url: provider.endpoint({ account, operation, model, version: 'v1beta', search: '', stream }),
    method: 'POST',
    headers: upstreamHeaders({ client: new Headers(), provider, account, secret, stream }),
    body: new TextEncoder().encode(JSON.stringify(probe.body(model))),
    proxyUrl: account.proxy?.url ?? null,
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    call.abort('test timed out')
  }, deps.timeoutMs ?? TIMEOUT_MS)
  try {
    const answer = await call.answer
    const body = await answer.body.bytes(MOST_BYTES)
    return judged({ probe, account, secret }, answer, body)
  } catch (error) {
    const cause: FailureCause = timedOut ? 'first_byte_timeout' : 'connect_error'
    const message = timedOut
      ? 'there was no whole answer in time'
      : scrubText((error as Error).message, account, secret)
    return { cause, message }
  } finally {
    clearTimeout(timer)
  }
}

interface Probed {
  probe: Probe
  account: Account
  secret: string
}

/** A stream or body that says it failed under a status of 200 is a failure too (REL-11). */
function judged({ probe, account, secret }: Probed, answer: UpstreamAnswer, body: Uint8Array): Found {
  const { operation, stream } = probe
  const { status, headers } = answer
  const protocol = PROTOCOLS[operation.protocol]
  const about = { status, upstreamRequestId: upstreamRequestIdOf(headers) }
  if (status < 200 || status > 299) {
    const { message } = protocol.readError(status, body)
    return {
      ...about,
      cause: causeOfStatus(status),
      message: message === null ? null : scrubText(message, account, secret),
    }
  }
  const meter = protocol.meter(operation, stream ? 'sse' : 'json')
  meter.push(body)
  const { final, error } = meter.read()
  // One token is not enough to complete an answer: incomplete is as good as completed here.
  const ok = error === null && final !== 'error' && final !== 'failed' && final !== 'truncated'
  if (ok) return { ...about, ok }
  const message = error?.message ?? 'the answer is not what this protocol looks like'
  return { ...about, cause: 'stream_fault', message: scrubText(message, account, secret) }
}
