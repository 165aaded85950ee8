/** Puts the HTTP side together: client endpoints, admin API with its docs, health, one port or two (OPS-9). */
import type { Admin } from '../admin/admin.ts'
import { type Config, RuntimeSettings, RuntimeSettingsPatch } from '../config.ts'
import { isDatabaseAway } from '../db/away.ts'
import { createCallerCheck } from '../http/admin/authenticate.ts'
import { adminCalls } from '../http/admin/calls.ts'
import { type ClientAddress, createClientAddress } from '../http/client-address.ts'
import type { CheckState, HealthCheck } from '../http/health.ts'
import { relayRoutes, unknownEndpoint } from '../http/relay-routes.ts'
import { createHttpApp, listen } from '../http/server.ts'
import type { Log } from '../lib/log.ts'
import { sameSecret } from '../lib/same-secret.ts'
import type { Stack } from '../lib/stack.ts'
import { VERSION } from '../version.ts'
import type { ReceiptsStatus } from './open-receipts.ts'
import type { OpenedRelay } from './open-relay.ts'
import { isShared } from './relay-gauges.ts'

export interface HttpInput {
  config: Config
  admin: Admin
  relay: OpenedRelay
  /** Does the database answer? Relaying goes on without it, so the instance stays ready (OPS-5). */
  isAway(): boolean
  log: Log
  stack: Stack
  /** Other processes listen on the same ports (OPS-4). */
  sharesPort: boolean
}

/** Bun's own limit would answer with a bare 413. Every route that reads a body bounds it itself, and tells so in its dialect (REL-16). */
const NO_LIMIT_OF_BUN = Number.MAX_SAFE_INTEGER

/** Usage records that wait for the database: ten of the largest batches. */
const LONG_BACKLOG = 100_000

export async function openHttp({ config, admin, relay, isAway, log, stack, sharesPort }: HttpInput) {
  let open = true
  const clientAddress = createClientAddress(config.trustedProxies)
  const checks: HealthCheck[] = [
    { name: 'accepting', check: () => (open ? 'ok' : 'down') },
    { name: 'counters', check: () => (isShared(relay.countersMode()) ? 'ok' : 'degraded') },
    { name: 'database', check: () => (isAway() ? 'degraded' : 'ok') },
    { name: 'journal', check: () => journalState(relay.receipts.status()) },
    { name: 'usage_records', check: () => (relay.receipts.status().backlog > LONG_BACKLOG ? 'degraded' : 'ok') },
  ]
  const { telemetry } = relay
  const onRefused = telemetry.noteRefusedAdmin
  const operators = {
    admin: {
      calls: adminCalls(admin, { view: RuntimeSettings, patch: RuntimeSettingsPatch }),
      deps: {
        authenticate: createCallerCheck({ verifyToken: admin.tokens.verify, clientAddress, log, onRefused }),
        log,
        isDatabaseAway,
      },
    },
    metrics: { render: telemetry.render, authenticate: metricsCheck(config.metricsToken, clientAddress, log) },
  }
  const routes = relayRoutes({ relay: relay.relay, models: relay.models, keyInfo: relay.keyInfo, clientAddress })
  const common = { log, version: VERSION, checks, unknownEndpoint }
  const ownPort = config.adminPort !== null
  const app = createHttpApp({
    ...common,
    relayRoutes: routes,
    unknownEndpoint,
    ...(ownPort ? {} : operators),
  })
  const maxRequestBytes = NO_LIMIT_OF_BUN
  const main = listen(app, { host: config.host, port: config.port, maxRequestBytes, sharePort: sharesPort })
  if (config.adminPort !== null) {
    const adminApp = createHttpApp({ log, version: VERSION, checks, ...operators })
    const host = config.adminHost ?? config.host
    const address = { host, port: config.adminPort, maxRequestBytes, sharePort: sharesPort }
    const own = await stack.use(
      'admin port',
      () => listen(adminApp, address),
      (listening) => listening.stop(true),
    )
    log.info('admin API has an address of its own', { port: own.port, host: address.host })
  }
  return {
    port: main.port,
    closeDoor() {
      open = false
    },
    stop: (force: boolean) => main.stop(force),
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
