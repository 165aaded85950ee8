/** Which headers cross the gateway, in both directions (REL-4, REL-6): allow-lists, so that a header nobody thought of stays here. */
import type { Account } from '../core/entities.ts'
import type { HeaderReader } from '../lib/header-list.ts'
import type { Provider } from '../providers/provider.ts'

/** Request headers for the upstream: the client's that may pass, the provider's defaults, the account's credential. */
export function upstreamHeaders(input: {
  client: Headers
  provider: Provider
  account: Account
  secret: string
  stream: boolean
}): Record<string, string> {
  const { provider, account } = input
  const out: Record<string, string> = { ...provider.defaultHeaders }
  input.client.forEach((value, name) => {
    if (provider.forwardHeaders.has(name)) out[name] = value
    else for (const prefix of provider.forwardPrefixes) if (name.startsWith(prefix)) out[name] = value
  })
  if (account.credentials.userAgent) out['user-agent'] = account.credentials.userAgent
  // Left out, the runtime would put its own name and version there.
  out['user-agent'] ??= 'turnpike'
  out.accept = provider.accept === 'any' ? '*/*' : input.stream ? 'text/event-stream' : 'application/json'
  // Compressed streams arrive in blocks: asking for identity keeps events coming as they are made.
  out['accept-encoding'] = 'identity'
  Object.assign(out, provider.authorize(account, input.secret))
  return out
}

const RETURNED = new Set(['x-request-id', 'request-id'])
const RETURNED_PREFIXES = ['x-ratelimit-', 'anthropic-ratelimit-', 'openai-']

function isReturned(name: string): boolean {
  if (RETURNED.has(name)) return true
  for (const prefix of RETURNED_PREFIXES) if (name.startsWith(prefix)) return true
  return false
}

/** Response headers for the client. `retry-after` passes capped (REL-19): some clients obey an hour. */
export function clientHeaders(
  upstream: HeaderReader,
  requestId: string,
  maxRetryAfterMs: number,
): Record<string, string> {
  const out: Record<string, string> = {}
  upstream.forEach((value, name) => {
    if (isReturned(name)) out[name] = value
  })
  const retryAfter = upstream.get('retry-after')
  if (retryAfter !== null) {
    const seconds = Number(retryAfter)
    const most = Math.ceil(maxRetryAfterMs / 1000)
    out['retry-after'] = String(Number.isFinite(seconds) && seconds >= 0 ? Math.min(Math.ceil(seconds), most) : most)
  }
  out['x-turnpike-request-id'] = requestId
  return out
}

/** Headers of a relayed stream: never buffered by anything in between (REL-6). */
export function streamHeaders(
  upstream: HeaderReader,
  requestId: string,
  maxRetryAfterMs: number,
  contentType: string,
): Record<string, string> {
  const out = clientHeaders(upstream, requestId, maxRetryAfterMs)
  out['content-type'] = contentType
  out['cache-control'] = 'no-cache'
  out['x-accel-buffering'] = 'no'
  return out
}

/** The provider's own id of the request, for the record. */
export function upstreamRequestIdOf(headers: HeaderReader): string | null {
  return headers.get('x-request-id') ?? headers.get('request-id') ?? headers.get('x-amzn-requestid')
}
