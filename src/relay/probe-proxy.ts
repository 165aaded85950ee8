/**
 * Tries whether a connection through a proxy works (REL-5): one GET through it, without credentials. Any answer of the target will do; what
 * the proxy itself has to say will not.
 *
 * If it fails: that is the answer; it never rejects.
 */
import type { FailureCause } from '../core/failure.ts'
import type { ProxyProbeResult, SendProxyProbe } from '../core/probe.ts'
import { redactText } from '../lib/redact.ts'
import { ConnectTimeout, type Upstream } from './upstream.ts'

export interface ProxyProbeDeps {
  upstream: Upstream
  timeoutMs?: number
}

const TIMEOUT_MS = 15_000
const MOST_BYTES = 1_048_576
const PROXY_AUTHENTICATION_REQUIRED = 407
/** Of a proxy that did not reach the target; a target behind TLS would say it itself. */
const GATEWAY_STATUSES = [502, 503, 504]

export function createProxyProbe({ upstream, timeoutMs = TIMEOUT_MS }: ProxyProbeDeps): SendProxyProbe {
  return async (proxyUrl, url) => {
    const startedAt = performance.now()
    const call = upstream.send({ url, method: 'GET', headers: { accept: '*/*' }, body: null, proxyUrl })
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      call.abort('test timed out')
    }, timeoutMs)
    const found = (result: Omit<ProxyProbeResult, 'ms' | 'url'>): ProxyProbeResult => ({
      ...result,
      url,
      ms: Math.round(performance.now() - startedAt),
    })
    try {
      const { status, body } = await call.answer
      // Read to its end, or the connection could not be used again; what it says does not matter.
      await body.bytes(MOST_BYTES).catch(() => call.abort('enough'))
      return found({ status, ...judged(status, url) })
    } catch (error) {
      const text = redactText((error as Error).message)
      return found({ ok: false, status: null, cause: causeOf(error, timedOut), message: withoutUrl(text, proxyUrl) })
    } finally {
      clearTimeout(timer)
    }
  }
}

function judged(status: number, url: string): Pick<ProxyProbeResult, 'ok' | 'cause' | 'message'> {
  if (status === PROXY_AUTHENTICATION_REQUIRED) {
    return { ok: false, cause: 'unauthorized', message: 'the proxy wants another user name and password' }
  }
  if (url.startsWith('http:') && GATEWAY_STATUSES.includes(status)) {
    return { ok: false, cause: 'server_error', message: 'the proxy, or the target, answered that it can not serve' }
  }
  return { ok: true, cause: null, message: null }
}

function causeOf(error: unknown, timedOut: boolean): FailureCause {
  if (timedOut) return 'first_byte_timeout'
  if (error instanceof ConnectTimeout) return 'connect_timeout'
  return /\b407\b/.test((error as Error).message) ? 'unauthorized' : 'connect_error'
}

/** The address of a proxy has its password in it. */
function withoutUrl(text: string, proxyUrl: string): string {
  const { host, password } = new URL(proxyUrl)
  const shown = text.replaceAll(proxyUrl, host)
  return password === ''
    ? shown
    : shown.replaceAll(password, '[secret]').replaceAll(decodeURIComponent(password), '[secret]')
}
