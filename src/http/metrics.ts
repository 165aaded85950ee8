/**
 * `/metrics` for Prometheus (OPS-7). Names of models and sums of money, no secrets: open like the health endpoints, or with METRICS_TOKEN
 * for its bearer only. It stands beside the admin API: with ADMIN_PORT at that address alone.
 */
import { Elysia } from 'elysia'
import { PROMETHEUS_CONTENT_TYPE } from '../lib/prometheus-text.ts'
import type { CallerCheck } from './admin/serve-call.ts'
import { isProblem, problemAnswer, textAnswer } from './answer.ts'

export interface MetricsPart {
  render(): string
  /** Who may read it; null: anybody. */
  authenticate: CallerCheck | null
}

export function metricsRoutes({ render, authenticate }: MetricsPart) {
  return new Elysia({ name: 'metrics' }).get(
    '/metrics',
    async ({ request, server }) => {
      const caller = await authenticate?.(request, server)
      if (isProblem(caller)) return problemAnswer(caller)
      return textAnswer(render(), PROMETHEUS_CONTENT_TYPE)
    },
    { detail: { hide: true } },
  )
}
