/** What `./request-metrics.ts` counted → Prometheus families: their names, their labels, what they mean (OPS-7). */
import { toUsdText } from '../core/money.ts'
import type { Family, Sample } from '../lib/prometheus-text.ts'
import type { ModelCounts, PlatformCounts } from './request-metrics.ts'

type Platforms = ReadonlyMap<string, PlatformCounts>
/** Labels beyond platform and model, and the value under them. */
type Value = [labels: Record<string, string>, value: number | string]

export function modelFamilies(platforms: Platforms): Family[] {
  const counter = (name: string, help: string, values: (counts: ModelCounts) => Value[]): Family => ({
    name,
    help,
    type: 'counter',
    samples: [...platforms].flatMap(([platform, { models }]) =>
      [...models].flatMap(([model, counts]) =>
        values(counts).map(([labels, value]): Sample => ({ labels: { platform, model, ...labels }, value })),
      ),
    ),
  })
  return [
    counter(
      'turnpike_requests_total',
      'Requests that got past authentication, by how they ended.',
      ({ completed, failed, cancelled }) => [
        [{ status: 'completed' }, completed],
        [{ status: 'failed' }, failed],
        [{ status: 'cancelled' }, cancelled],
      ],
    ),
    counter('turnpike_tokens_total', 'Tokens by kind; kinds do not overlap, their sum is the total.', (counts) => [
      [{ kind: 'input' }, counts.input],
      [{ kind: 'output' }, counts.output],
      [{ kind: 'cache_read' }, counts.cacheRead],
      [{ kind: 'cache_write_5m' }, counts.cacheWrite5m],
      [{ kind: 'cache_write_1h' }, counts.cacheWrite1h],
    ]),
    counter('turnpike_reasoning_tokens_total', 'The part of the output tokens that was reasoning.', ({ reasoning }) => [
      [{}, reasoning],
    ]),
    counter('turnpike_cost_usd_total', 'Cost at list price, as charged to users, as paid to providers.', (counts) => [
      [{ kind: 'list' }, toUsdText(counts.listNano)],
      [{ kind: 'charged' }, toUsdText(counts.chargedNano)],
      [{ kind: 'upstream' }, toUsdText(counts.upstreamNano)],
    ]),
    counter(
      'turnpike_unpriced_requests_total',
      'Requests whose tokens had no price; POST /admin/usage/reprice prices them afterwards (BIL-3).',
      ({ unpriced }) => [[{}, unpriced]],
    ),
  ]
}

export function platformFamilies(platforms: Platforms): Family[] {
  const family = (
    type: Family['type'],
    [name, help]: [name: string, help: string],
    samples: (platform: string, counts: PlatformCounts) => Sample[],
  ): Family => ({
    name,
    help,
    type,
    samples: [...platforms].flatMap(([platform, counts]) => samples(platform, counts)),
  })
  return [
    family(
      'counter',
      ['turnpike_responses_total', 'Answers by HTTP status; 499: the client had left.'],
      (platform, { responses }) =>
        [...responses].map(([code, value]) => ({ labels: { platform, code: String(code) }, value })),
    ),
    family(
      'histogram',
      ['turnpike_request_duration_seconds', 'From the request to the end of its answer.'],
      (platform, { completed, failed, cancelled }) =>
        Object.entries({ completed, failed, cancelled }).flatMap(([status, one]) => one.samples({ platform, status })),
    ),
    family(
      'histogram',
      ['turnpike_first_token_seconds', 'From the request to the first content of its answer.'],
      (platform, { firstToken }) => firstToken.samples({ platform }),
    ),
    family(
      'counter',
      ['turnpike_failovers_total', 'Tries at an account beyond the first one of a request.'],
      (platform, { failovers }) => [{ labels: { platform }, value: failovers }],
    ),
    family(
      'counter',
      ['turnpike_upstream_failures_total', 'Tries at an account that failed, by reason.'],
      (platform, { failures }) => [...failures].map(([reason, value]) => ({ labels: { platform, reason }, value })),
    ),
  ]
}
