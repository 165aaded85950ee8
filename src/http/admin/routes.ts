/** The calls of the admin API as Elysia routes. Elysia finds the call, `serveCall` does everything else. */
import { Elysia } from 'elysia'
import type { Call } from './call.ts'
import { type ServeDeps, serveCall } from './serve-call.ts'

export function adminRoutes(calls: readonly Call[], deps: ServeDeps) {
  const app = new Elysia({ name: 'admin' })
  for (const call of calls) {
    app.route(
      call.method,
      call.path,
      // Elysia reads this parameter list to learn what it must prepare; `parse: 'none'` leaves the body to serveCall.
      ({ request, params, server }) => serveCall(call, { request, server, id: idOf(params) }, deps),
      { parse: 'none' },
    )
  }
  return app
}

/** Every admin path has at most one parameter; Elysia gives no object where there is none, and null for one that is not valid percent-encoding. */
function idOf(params: Record<string, string | null> | undefined): string | null {
  const values = Object.values(params ?? {})
  return values.length === 0 ? '' : (values[0] ?? null)
}
