/** How operators reach platforms through this process: signing in, refreshing, one tiny request through an account or a proxy (ACC-10, ACC-15). */
import type { AccountAccess } from '../admin/account-access.ts'
import { builtInPrices } from '../core/built-in-prices.ts'
import { type PriceBook, resolvePrice } from '../core/price-index.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { createOutboundGate } from '../lib/outbound-gate.ts'
import { createFetchUpstream } from '../relay/fetch-upstream.ts'
import { createProbe } from '../relay/probe.ts'
import { createProxyProbe } from '../relay/probe-proxy.ts'
import type { Upstream } from '../relay/upstream.ts'
import { createPrices, type Prices } from '../state/price-book.ts'
import { type CredentialsInput, type OpenedCredentials, openCredentials } from './open-credentials.ts'

/** `bookFor`: an account's prices, to find the cheapest model for a test of it. */
export function toAccess(
  opened: OpenedCredentials,
  upstream: Upstream,
  bookFor: (accountId: string) => PriceBook,
): AccountAccess {
  const probe = createProbe({
    upstream,
    credentials: opened.credentials,
    priceOf({ id, platform }, model) {
      const atMs = systemClock.nowMs()
      return resolvePrice(bookFor(id), { platform, model, atMs })?.row.rates.output ?? null
    },
  })
  return { ...opened, probe, probeProxy: createProxyProbe({ upstream }) }
}

/** For a process without a relay: commands that test an account. */
export function openAccess(input: Pick<CredentialsInput, 'config' | 'database' | 'box'>): AccountAccess {
  const policy = { allowPrivate: input.config.allowPrivateUpstreams }
  const gate = createOutboundGate({ policy, nowMs: systemClock.nowMs })
  // Running instances hear it from the database.
  const opened = openCredentials({ ...input, log: silentLog, gate, onStored: () => {} })
  let prices: Prices | null = null
  return toAccess(opened, createFetchUpstream(gate), (accountId) => {
    // Decoded only when somebody tests: other commands don't wait for it.
    prices ??= createPrices(builtInPrices())
    return prices.bookFor(accountId)
  })
}
