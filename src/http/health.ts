/**
 * `/healthz`: the process is alive. `/readyz`: it can serve (OPS-6). Both cheap, without auth, without secrets.
 *
 * Knows only named checks; what they look at is their owner's business. A check answers from what it already knows (a flag, a
 * counter): a probe every second from each load balancer must not become load.
 */
import { Elysia } from 'elysia'
import { jsonAnswer } from './answer.ts'

/** `degraded`: works with less (Redis away, OPS-5): still ready, but says so. */
export type CheckState = 'ok' | 'degraded' | 'down'

export interface HealthCheck {
  name: string
  check(): CheckState | Promise<CheckState>
}

/** A check that hangs must not hang the probe: load balancers give up after a few seconds and then guess. */
const CHECK_TIMEOUT_MS = 1000

export function healthRoutes(checks: readonly HealthCheck[]) {
  return new Elysia({ name: 'health' })
    .get('/healthz', () => jsonAnswer({ status: 'alive' }), { detail: { hide: true } })
    .get(
      '/readyz',
      async () => {
        const states = await Promise.all(checks.map(stateOf))
        const ready = !states.includes('down')
        const report = Object.fromEntries(checks.map(({ name }, index) => [name, states[index]]))
        const status = ready ? (states.includes('degraded') ? 'degraded' : 'ready') : 'not_ready'
        return jsonAnswer({ status, checks: report }, { status: ready ? 200 : 503 })
      },
      { detail: { hide: true } },
    )
}

async function stateOf({ check }: HealthCheck): Promise<CheckState> {
  let timer: Timer | undefined
  const late = new Promise<CheckState>((resolve) => {
    timer = setTimeout(resolve, CHECK_TIMEOUT_MS, 'down')
  })
  try {
    return await Promise.race([Promise.resolve(check()), late])
  } catch {
    return 'down'
  } finally {
    clearTimeout(timer)
  }
}
