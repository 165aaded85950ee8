/** Access to platforms for a process without a relay: commands that test an account. */
import type { AccountAccess } from '../admin/account-access.ts'
import { builtInPrices } from '../core/built-in-prices.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { createOutboundGate } from '../lib/outbound-gate.ts'
import { createFetchUpstream } from '../relay/fetch-upstream.ts'
import { createProbe } from '../relay/probe.ts'
import { createProxyProbe } from '../relay/probe-proxy.ts'
import { createPrices, type Prices } from '../state/price-book.ts'
import { type CredentialsInput, openCredentials } from './open-credentials.ts'
import { outputPrice } from './output-price.ts'

export function openAccess(input: Pick<CredentialsInput, 'config' | 'database' | 'box'>): AccountAccess {
  const policy = { allowPrivate: input.config.allowPrivateUpstreams }
  const gate = createOutboundGate({ policy, nowMs: systemClock.nowMs })
  // Running instances hear it from the database.
  const opened = openCredentials({ ...input, log: silentLog, gate, onStored: () => {} })
  const { credentials } = opened
  let prices: Prices | null = null
  const upstream = createFetchUpstream(gate)
  const probe = createProbe({
    upstream,
    credentials,
    priceOf(account, model) {
      // Decoded only when somebody tests: other commands don't wait for it.
      prices ??= createPrices(builtInPrices())
      return outputPrice(prices.bookFor(account.id), account, model)
    },
  })
  return { ...opened, probe, probeProxy: createProxyProbe({ upstream }) }
}
