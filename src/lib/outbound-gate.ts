/**
 * Asks the outbound guard once more when connecting (OPS-10): a name that was fine when it was saved may lead elsewhere now.
 *
 * Two transports, two ways:
 * - Over sockets of our own the address that was connected to is looked at before anything is sent (`refuseAddress`). No race is left.
 * - `fetch` finds addresses itself and does not tell: `check` looks the name up before. The verdict is kept for a short time, so that a
 *   request costs one look into a Map; a busy name is looked up again in the background. What remains is a race: a name that changes
 *   between our look-up and fetch's own (both are kept for seconds) is caught only by the next look-up.
 *
 * A look-up that fails refuses nothing: fetch will not find the name either (or has a proxy of its own that does), and a resolver that lies
 * to us alone could as well have told a good address. A verdict that is known goes on meanwhile: kept connections don't need the resolver.
 */
import { createLru } from './lru.ts'
import {
  type OutboundPolicy,
  type OutboundRefusal,
  refuseOutboundAddress,
  refuseOutboundHost,
} from './outbound-guard.ts'

export class OutboundRefused extends Error {
  readonly refusal: OutboundRefusal
  constructor(host: string, refusal: OutboundRefusal) {
    super(`${host} ${refusal.message}`)
    this.name = 'OutboundRefused'
    this.refusal = refusal
  }
}

export interface OutboundGate {
  /** For a URL whose name somebody else will resolve. Null: go ahead. */
  check(url: string): OutboundRefused | null | Promise<OutboundRefused | null>
  /** For a URL that a proxy will resolve: what can be told from its text. */
  checkText(url: string): OutboundRefused | null
  /** For an address that was just connected to; `host` is what was asked for. */
  refuseAddress(address: string, host: string): OutboundRefused | null
}

export interface OutboundGateOptions {
  /** Read at each question: an operator may change it. */
  policy: OutboundPolicy
  nowMs: () => number
  /** Addresses of a name; rejects when there is none. */
  lookup?: (host: string) => Promise<readonly { address: string }[]>
  /** Told once for each verdict, not for each request. */
  onRefused?: (refused: OutboundRefused) => void
}

interface Verdict {
  refused: OutboundRefused | null
  allowPrivate: boolean
  /** Until then it is not asked again; then, until `staleAtMs`, in the background. */
  freshUntilMs: number
  staleAtMs: number
}

const FRESH_MS = 5_000
const STALE_MS = 60_000
const MOST_VERDICTS = 1024

export function createOutboundGate(options: OutboundGateOptions): OutboundGate {
  const { policy, nowMs, lookup = lookupAsFetchDoes, onRefused = () => {} } = options
  const verdicts = createLru<string, Verdict>(MOST_VERDICTS)
  const running = new Map<string, Promise<OutboundRefused | null>>()

  function keep(origin: string, refused: OutboundRefused | null, lifeMs = { fresh: FRESH_MS, stale: STALE_MS }) {
    const now = nowMs()
    verdicts.set(origin, {
      refused,
      allowPrivate: policy.allowPrivate,
      freshUntilMs: now + lifeMs.fresh,
      // A refusal is asked about again before it is said again.
      staleAtMs: now + (refused ? lifeMs.fresh : lifeMs.stale),
    })
    if (refused) onRefused(refused)
    return refused
  }

  async function resolve(origin: string, host: string): Promise<OutboundRefused | null> {
    const found = await lookup(host).catch(() => null)
    if (found === null) return verdicts.get(origin)?.refused ?? null
    for (const { address } of found) {
      const refusal = refuseOutboundAddress(address, policy)
      if (refusal) return keep(origin, new OutboundRefused(host, refusal))
    }
    return keep(origin, null)
  }

  function resolveOnce(origin: string, host: string): Promise<OutboundRefused | null> {
    const known = running.get(origin)
    if (known) return known
    const started = resolve(origin, host).finally(() => running.delete(origin))
    running.set(origin, started)
    return started
  }

  function judge(origin: string): OutboundRefused | null | Promise<OutboundRefused | null> {
    const host = hostOf(origin)
    const refusal = refuseOutboundHost(host, policy)
    if (refusal) return keep(origin, new OutboundRefused(host, refusal))
    return isLiteral(host) ? keep(origin, null, FOR_EVER) : resolveOnce(origin, host)
  }

  return {
    check(url) {
      const origin = originOf(url)
      const known = verdicts.get(origin)
      if (known === undefined || known.allowPrivate !== policy.allowPrivate) return judge(origin)
      const now = nowMs()
      if (now < known.freshUntilMs) return known.refused
      if (now >= known.staleAtMs) return judge(origin)
      void resolveOnce(origin, hostOf(origin))
      return known.refused
    },
    checkText(url) {
      const host = hostOf(originOf(url))
      const refusal = refuseOutboundHost(host, policy)
      return refusal && new OutboundRefused(host, refusal)
    },
    refuseAddress(address, host) {
      const refusal = refuseOutboundAddress(address, policy)
      if (refusal === null) return null
      const refused = new OutboundRefused(host, refusal)
      onRefused(refused)
      return refused
    },
  }
}

const FOR_EVER = { fresh: Number.POSITIVE_INFINITY, stale: Number.POSITIVE_INFINITY }

/** The scheme and authority as they are written: enough to tell hosts apart, and ten times quicker than parsing. */
function originOf(url: string): string {
  const end = url.indexOf('/', url.indexOf('://') + 3)
  return end === -1 ? url : url.slice(0, end)
}

function hostOf(origin: string): string {
  return (URL.parse(origin)?.hostname ?? '').replace(/^\[|\]$/g, '').replace(/\.+$/, '')
}

function isLiteral(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host)
}

/** The runtime's default resolver is another one than its fetch's, and knows less of the system's settings. */
function lookupAsFetchDoes(host: string): Promise<readonly { address: string }[]> {
  return Bun.dns.lookup(host, { backend: 'libc' })
}
