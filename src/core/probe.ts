/** What a test of an account (ACC-15) or a proxy (REL-5) found: the relay finds it, the admin API and the command line show it. */
import type { Account } from './entities.ts'
import type { FailureCause } from './failure.ts'

export interface ProbeResult {
  ok: boolean
  /** Null: there was no answer. */
  status: number | null
  ms: number
  /** The upstream's name of the model that was asked for. */
  model: string
  cause: FailureCause | null
  message: string | null
  upstreamRequestId: string | null
}

/** `model` null: the cheapest that makes sense. Null: this kind of account can't be tested. */
export type SendProbe = (account: Account, model: string | null) => Promise<ProbeResult | null>

export interface ProxyProbeResult {
  /** Did the target answer through the proxy? With whatever status: without credentials it will hardly be a good one. */
  ok: boolean
  /** Null: there was no answer. */
  status: number | null
  ms: number
  /** What was asked. */
  url: string
  cause: FailureCause | null
  message: string | null
}

export type SendProxyProbe = (proxyUrl: string, url: string) => Promise<ProxyProbeResult>
