/** `/admin/usage/summary`, `/activity` and `/top-users`: reports that are made of stored sums (USE-12, USE-13, USE-14). */
import { Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { isFault } from '../../core/fault.ts'
import { toUsd } from '../../core/money.ts'
import { PERIODS } from '../../core/report-buckets.ts'
import { oneOf } from '../../schema/field.ts'
import { ActivityView, SummaryView, TOP_BY, TopUsersView } from '../../schema/usage-report-views.ts'
import { type Call, call } from './call.ts'
import { countQuery, filterQuery, ownerQuery, showSpan, spanQuery, toReportWish, zoneQuery } from './report-query.ts'

type Reports = Admin['usage']

export function usageReportCalls(reports: Reports): Call[] {
  return [summaryCall(reports), activityCall(reports), topUsersCall(reports)]
}

function summaryCall({ summary }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/summary',
    tag: 'Usage',
    summary: 'Usage per day, week or month',
    description:
      'By period × platform × model; what is still under way is not in it (USE-12). Whole periods: a span that begins or ends within one is widened, `from` and `to` of the answer say to what. Unless told: the last 30 days, 12 weeks or 12 months; at most 400 periods. A zone whose days do not begin on a full hour of UTC must be the configured one (TIMEZONE).',
    query: Type.Object(
      {
        period: Type.Optional(oneOf(PERIODS, { description: 'day unless told' })),
        limit: countQuery('Rows on a page', { most: 1000, usual: 1000 }),
        cursor: Type.Optional(Type.String({ maxLength: 600, description: 'next_cursor of the page before' })),
        ...spanQuery,
        ...zoneQuery,
        ...ownerQuery,
        ...filterQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: SummaryView,
    problems: [],
    handle: async ({ query }) => {
      const { period = 'day', limit = 1000, cursor = null } = query
      const found = await summary({ ...toReportWish(query), period, limit, cursor })
      if (isFault(found)) return found
      const { range, rows, nextCursor } = found
      const periods = range.buckets.map((bucket) => ({ day: bucket.day, ...showSpan(bucket) }))
      const data = rows.map((row) => ({ ...periods[row.bucket]!, ...showSummary(row) }))
      return { period, tz: range.timeZone, ...showSpan(range), data, next_cursor: nextCursor }
    },
  })
}

type SummaryRow = Extract<Awaited<ReturnType<Reports['summary']>>, { rows: unknown }>['rows'][number]

function showSummary(row: SummaryRow) {
  const requests = Number(row.requests)
  const tokens = {
    input_tokens: Number(row.inputTokens),
    output_tokens: Number(row.outputTokens),
    cache_read_tokens: Number(row.cacheReadTokens),
    cache_write_5m_tokens: Number(row.cacheWrite5mTokens),
    cache_write_1h_tokens: Number(row.cacheWrite1hTokens),
  }
  const firsts = Number(row.firstTokenRequests)
  return {
    platform: row.platform,
    model: row.model,
    requests,
    completed_requests: Number(row.completedRequests),
    failed_requests: Number(row.failedRequests),
    cache_hit_requests: Number(row.cacheHitRequests),
    unpriced_requests: Number(row.unpricedRequests),
    ...tokens,
    reasoning_tokens: Number(row.reasoningTokens),
    total_tokens: Object.values(tokens).reduce((total, each) => total + each, 0),
    cost_usd: toUsd(row.costNano),
    charged_usd: toUsd(row.chargedNano),
    upstream_cost_usd: toUsd(row.upstreamCostNano),
    average_duration_ms: Math.round(Number(row.durationMs) / requests),
    average_first_token_ms: firsts === 0 ? null : Math.round(Number(row.firstTokenMs) / firsts),
  }
}

function activityCall({ activity }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/activity',
    tag: 'Usage',
    summary: 'Usage on each of 365 days',
    description:
      'For a heat map: 365 days that end today, those without use with zeros (USE-13). Past days may be five minutes old, today is read each time; both lag by the flush, a second.',
    query: Type.Object(
      {
        upstream_cost: Type.Optional(Type.Boolean({ description: 'true: also what the operator paid' })),
        ...zoneQuery,
        ...ownerQuery,
        ...filterQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: ActivityView,
    problems: [],
    handle: async ({ query }) => {
      const found = await activity(toReportWish(query))
      if (isFault(found)) return found
      const data = found.days.map(({ day, requests, totalTokens, costNano, upstreamCostNano }) => ({
        day,
        requests,
        total_tokens: totalTokens,
        cost_usd: toUsd(costNano),
        ...(query.upstream_cost ? { upstream_cost_usd: toUsd(upstreamCostNano) } : {}),
      }))
      return { tz: found.range.timeZone, ...showSpan(found.range), max_requests: found.maxRequests, data }
    },
  })
}

function topUsersCall({ topUsers }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/top-users',
    tag: 'Usage',
    summary: 'Users who used most',
    description:
      'By cost at list price, tokens or requests (USE-14); the last 30 days unless told. Deleted users keep their names (KEY-12). What a standalone key paid itself is not its user’s use (BIL-10).',
    query: Type.Object(
      {
        by: Type.Optional(oneOf(TOP_BY, { description: 'cost unless told' })),
        limit: countQuery('Users', { most: 1000, usual: 10 }),
        ...spanQuery,
        ...zoneQuery,
        ...filterQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: TopUsersView,
    problems: [],
    handle: async ({ query }) => {
      const { by = 'cost', limit = 10 } = query
      const found = await topUsers({ ...toReportWish(query), by, limit })
      if (isFault(found)) return found
      const data = found.rows.map((row) => ({
        user_id: row.userId,
        username: row.username,
        email: row.email,
        deleted: row.deleted,
        requests: Number(row.requests),
        failed_requests: Number(row.failedRequests),
        total_tokens: Number(row.totalTokens),
        cost_usd: toUsd(row.costNano),
        charged_usd: toUsd(row.chargedNano),
        upstream_cost_usd: toUsd(row.upstreamCostNano),
      }))
      return { by, tz: found.range.timeZone, ...showSpan(found.range), data }
    },
  })
}
