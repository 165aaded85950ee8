/**
 * The HTTP side put together: one Elysia app out of what it is given (relay, admin API, docs, health, the home page).
 *
 * Knows Elysia's traps (each was seen happening): error handling before any route; `standardHostname: false`, or a short Host
 * header routes to another path; `development: false`, or a fault shows its stack; no idle time-out, which cuts quiet streams.
 * A process that serves the admin API at its own address (OPS-9) makes two apps, each with its parts.
 */
import { type AnyElysia, Elysia } from 'elysia'
import { newId } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Call } from './admin/call.ts'
import { adminRoutes } from './admin/routes.ts'
import type { ServeDeps } from './admin/serve-call.ts'
import { problem, problemAnswer, textAnswer } from './answer.ts'
import { docsRoutes } from './docs.ts'
import { type HealthCheck, healthRoutes } from './health.ts'
import { HOME_PAGE, HOME_PAGE_POLICY } from './home-page.ts'
import { type MetricsPart, metricsRoutes } from './metrics.ts'
import { urlOf } from './request-url.ts'

export interface HttpParts {
  log: Log
  version: string
  checks: readonly HealthCheck[]
  /** The admin API with its docs; absent when it has another address. */
  admin?: { calls: readonly Call[]; deps: ServeDeps }
  /** Absent when it has another address. */
  metrics?: MetricsPart
  /** Registers the client endpoints (`./relay-routes.ts`); absent on the admin API's own address. */
  relayRoutes?: (app: AnyElysia) => AnyElysia
  /** The 404 of a client, in its dialect. The operator's paths keep the operator's shape. */
  unknownEndpoint?: (request: Request) => Response
}

export function createHttpApp(parts: HttpParts): AnyElysia {
  const { version, checks, admin, metrics, relayRoutes } = parts
  const app: AnyElysia = new Elysia({
    aot: true,
    strictPath: true,
    normalize: false,
    handler: { standardHostname: false },
  })
    .onRequest(({ request }) => refuseHost(request))
    .onError(({ code, error, request }) => answerError({ code, error, request }, parts))
  app.use(healthRoutes(checks)).get('/', homePage, { detail: { hide: true } })
  if (metrics) app.use(metricsRoutes(metrics))
  if (admin) app.use(adminRoutes(admin.calls, admin.deps)).use(docsRoutes(admin.calls, version))
  return relayRoutes ? relayRoutes(app) : app
}

/**
 * With a Host header that no URL can have ("a b", "x/y") the request's URL is a bare path, and Elysia, which finds the path by counting
 * characters, would look for another route than the one asked for.
 */
function refuseHost({ url }: Request): Response | undefined {
  return url.startsWith('/') ? problemAnswer(problem(400, 'invalid_host', 'the Host header is not a host')) : undefined
}

function homePage(): Response {
  const headers = { 'content-security-policy': HOME_PAGE_POLICY, 'referrer-policy': 'no-referrer' }
  return textAnswer(HOME_PAGE, 'text/html; charset=utf-8', { headers })
}

/** Elysia's own bodies echo what was sent (422) or the exception's message (500): ours say only what a stranger may know. */
function answerError({ code, error, request }: { code: unknown; error: unknown; request: Request }, parts: HttpParts) {
  if (code === 'NOT_FOUND') return answerNotFound(request, parts)
  if (code === 'PARSE') return problemAnswer(problem(400, 'invalid_json', 'the body is not valid JSON'))
  if (code === 'VALIDATION')
    return problemAnswer(problem(422, 'invalid_body', 'the request is not what this call takes'))
  const requestId = newId()
  parts.log.error('request failed', { requestId, method: request.method, path: pathOf(request), error })
  return problemAnswer(
    problem(500, 'internal_error', 'turnpike failed at this; the log has the details under the request id'),
    requestId,
  )
}

/** Without the query, which may carry a key. */
const pathOf = (request: Request) => urlOf(request).pathname

function answerNotFound(request: Request, { unknownEndpoint }: HttpParts): Response {
  const isOperators = /^\/(admin|swagger)(\/|$)/.test(pathOf(request))
  if (unknownEndpoint && !isOperators) return unknownEndpoint(request)
  return problemAnswer(problem(404, 'unknown_endpoint', 'there is nothing at this path with this method'))
}

export interface ListenOptions {
  host: string
  /** 0: a free one. */
  port: number
  /** Bun's own limit, answered by a bare 413 before any route: keep it above the relay's, which answers in the client's dialect. */
  maxRequestBytes: number
  /** Several processes on one port (OPS-4). Otherwise a port that is taken must be an error. */
  sharePort?: boolean
}

export interface Listening {
  port: number
  /** Stops accepting; resolves when the running requests are done, or at once when `force` is given. */
  stop(force?: boolean): Promise<void>
}

export function listen(app: AnyElysia, { host, port, maxRequestBytes, sharePort = false }: ListenOptions): Listening {
  app.listen({
    hostname: host,
    port,
    reusePort: sharePort,
    idleTimeout: 0,
    maxRequestBodySize: maxRequestBytes,
    development: false,
    // What no error handler of the app could take: Bun's own words would be a bare "Something went wrong!".
    error: () => problemAnswer(problem(500, 'internal_error', 'turnpike failed at this')),
  })
  const server = app.server
  if (!server?.port) throw new Error(`could not listen on ${host}:${port}`)
  return { port: server.port, stop: async (force = false) => void (await server.stop(force)) }
}
