/** Puts the HTTP side together: client endpoints, admin API with its docs, health, one port or two (OPS-9). */
import type { Admin } from '../admin/admin.ts'
import { RuntimeSettings, RuntimeSettingsPatch } from '../config/runtime-settings.ts'
import { isDatabaseAway } from '../db/away.ts'
import { createCallerCheck } from '../http/admin/authenticate.ts'
import { adminCalls } from '../http/admin/calls.ts'
import { type ClientAddress, createClientAddress } from '../http/client-address.ts'
import type { CheckState, HealthCheck } from '../http/health.ts'
import { relayRoutes, unknownEndpoint } from '../http/relay-routes.ts'
import { createHttpApp, type HttpParts, listen } from '../http/server.ts'
import type { Log } from '../lib/log.ts'
import { sameSecret } from '../lib/same-secret.ts'
import { VERSION } from '../version.ts'
import type { Ground } from './ground.ts'
import type { ReceiptsStatus } from './open-receipts.ts'
import type { OpenedRelay } from './open-relay.ts'
import { isShared } from './relay-gauges.ts'

export interface HttpInput {
  admin: Admin
  relay: OpenedRelay
  /** Other processes listen on the same ports (OPS-4). */
  sharesPort: boolean
}

export interface OpenedHttp {
  port: number
  /** `readyz` says from now on that nobody should come here any more. */
  closeDoor(): void
  stop(force: boolean): Promise<void>
}

/** Bun's own limit would answer with a bare 413. Every route that reads a body bounds it itself, and tells so in its dialect (REL-16). */
const NO_LIMIT_OF_BUN = Number.MAX_SAFE_INTEGER

/** Usage records that wait for the database: ten of the largest batches. */
const LONG_BACKLOG = 100_000

export async function openHttp(ground: Ground, { admin, relay, sharesPort }: HttpInput): Promise<OpenedHttp> {
  const { config, log, stack } = ground
  let open = true
  const clientAddress = createClientAddress(config.trustedProxies)
  const common = { log, version: VERSION, checks: healthChecks(relay, () => open) }
  const operators = operatorParts(ground, { admin, relay, clientAddress })
  const listenOn = (parts: HttpParts, host: string, port: number) =>
    listen(createHttpApp(parts), { host, port, maxRequestBytes: NO_LIMIT_OF_BUN, sharePort: sharesPort })
  const { adminPort } = config
  const clients = { relayRoutes: relayRoutes({ ...relay.endpoints, clientAddress }), unknownEndpoint }
  const main = listenOn({ ...common, ...clients, ...(adminPort === null ? operators : {}) }, config.host, config.port)
  if (adminPort !== null) {
    const host = config.adminHost ?? config.host
    const own = await stack.use(
      'admin port',
      () => listenOn({ ...common, ...operators }, host, adminPort),
      (listening) => listening.stop(true),
    )
    log.info('admin API has an address of its own', { port: own.port, host })
  }
  return {
    port: main.port,
    closeDoor() {
      open = false
    },
    stop: (force) => main.stop(force),
  }
}

function healthChecks({ limits, records, isDatabaseAway: isAway }: OpenedRelay, isOpen: () => boolean): HealthCheck[] {
  const { status } = records.receipts
  return [
    { name: 'accepting', check: () => (isOpen() ? 'ok' : 'down') },
    { name: 'counters', check: () => (isShared(limits.counters.mode) ? 'ok' : 'degraded') },
    { name: 'database', check: () => (isAway() ? 'degraded' : 'ok') },
    { name: 'journal', check: () => journalState(status()) },
    { name: 'usage_records', check: () => (status().backlog > LONG_BACKLOG ? 'degraded' : 'ok') },
  ]
}

type OperatorInput = Pick<HttpInput, 'admin' | 'relay'> & { clientAddress: ClientAddress }

function operatorParts(
  { config, log }: Ground,
  { admin, relay, clientAddress }: OperatorInput,
): Pick<HttpParts, 'admin' | 'metrics'> {
  const { telemetry } = relay
  const onRefused = telemetry.noteRefusedAdmin
  const authenticate = createCallerCheck({ verifyToken: admin.tokens.verify, clientAddress, log, onRefused })
  return {
    admin: {
      calls: adminCalls(admin, { view: RuntimeSettings, patch: RuntimeSettingsPatch }),
      deps: { authenticate, log, isDatabaseAway },
    },
    metrics: { render: telemetry.render, authenticate: metricsCheck(config.metricsToken, clientAddress, log) },
  }
}

/** METRICS_TOKEN guards `/metrics` as admin tokens guard the admin API: compared in constant time, wrong ones slowed. */
function metricsCheck(token: string | null, clientAddress: ClientAddress, log: Log) {
  if (token === null) return null
  const reader = { name: 'metrics', role: 'viewer' } as const
  const verifyToken = async (given: string) => (sameSecret(given, token) ? reader : null)
  return createCallerCheck({ verifyToken, clientAddress, log })
}

/** Refusing new requests, it can't serve (`JOURNAL_FULL=refuse`); going on without a journal, it can, for a while. */
function journalState({ refusing, journalFault, unjournaled }: ReceiptsStatus): CheckState {
  if (refusing) return 'down'
  return journalFault !== null || unjournaled > 0 ? 'degraded' : 'ok'
}
