/** How calls leave for upstreams: within their time limits, past the guard that keeps them out of forbidden networks, over one of two transports. */
import type { Config } from '../config.ts'
import { systemClock } from '../lib/clock.ts'
import { createOutboundGate, type OutboundGate } from '../lib/outbound-gate.ts'
import type { OutboundPolicy } from '../lib/outbound-guard.ts'
import type { Stack } from '../lib/stack.ts'
import { createWatchdog, type Watchdog } from '../lib/watchdog.ts'
import { createFetchUpstream } from '../relay/fetch-upstream.ts'
import { createSocketUpstream } from '../relay/socket-upstream.ts'
import type { Upstream } from '../relay/upstream.ts'
import type { Ground } from './ground.ts'

export interface OpenedUpstream {
  upstream: Upstream
  watchdog: Watchdog
  /** Where accounts may lead (OPS-10). Read at each call: a changed setting is written into it. */
  outbound: OutboundPolicy
  /** Holds every address against that policy, also those of OAuth token endpoints. */
  gate: OutboundGate
}

export async function openUpstream({ config, log, stack }: Ground): Promise<OpenedUpstream> {
  const { nowMs } = systemClock
  const watchdog = await stack.use(
    'time limits',
    () => createWatchdog({ nowMs }),
    (opened) => opened.stop(),
  )
  const outbound = { allowPrivate: config.allowPrivateUpstreams }
  const gate = createOutboundGate({
    policy: outbound,
    nowMs,
    onRefused: (error) => log.warn('an upstream address is refused', { error: error.message }),
  })
  return { upstream: await openTransport(config, stack, gate), watchdog, outbound, gate }
}

/** Which transport carries the calls (`UPSTREAM_TRANSPORT`); both pass one conformance suite. */
async function openTransport(config: Config, stack: Stack, gate: OutboundGate): Promise<Upstream> {
  if (config.upstreamTransport === 'fetch') return createFetchUpstream(gate)
  const connectTimeoutMs = config.connectTimeoutSeconds * 1000
  return stack.use(
    'upstream connections',
    () => createSocketUpstream({ connectTimeoutMs }, gate),
    (opened) => opened.close(),
  )
}
