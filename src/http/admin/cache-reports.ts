/** `/admin/usage/cache-hits`, `/cache-affinity` and `/intervals`: what prompt caches save, and how long they should live (USE-15 … USE-17). */
import { Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { MINUTE_MS, PAUSE_BOUNDS_MINUTES, shownMinutes } from '../../core/cache-ttl.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { toUsd } from '../../core/money.ts'
import {
  AFFINITY_GROUPS,
  CACHE_GROUPS,
  CacheAffinityView,
  CacheHitsView,
  IntervalsView,
} from '../../schema/cache-report-views.ts'
import { oneOf } from '../../schema/field.ts'
import { type Call, call } from './call.ts'
import {
  countQuery,
  filterQuery,
  ownerQuery,
  percentOf,
  showSpan,
  spanQuery,
  toReportWish,
  zoneQuery,
} from './report-query.ts'

type Reports = Admin['usage']

export function cacheReportCalls(reports: Reports): Call[] {
  return [cacheHitsCall(reports), cacheAffinityCall(reports), intervalsCall(reports)]
}

function cacheHitsCall({ cacheHits }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/cache-hits',
    tag: 'Usage',
    summary: 'Cache hits and what they saved',
    description:
      'Rates by request and by token, costs, and the saving at the prices that each request really had: its model, tier and date (USE-16). The last 30 days unless told; those that read most come first.',
    query: Type.Object(
      {
        group_by: Type.Optional(oneOf(CACHE_GROUPS, { description: 'model unless told' })),
        limit: countQuery('Groups', { most: 1000, usual: 50 }),
        ...spanQuery,
        ...zoneQuery,
        ...ownerQuery,
        ...filterQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: CacheHitsView,
    problems: [],
    handle: async ({ query }) => {
      const { group_by: groupBy = 'model', limit = 50 } = query
      const found = await cacheHits({ ...toReportWish(query), groupBy, limit })
      if (isFault(found)) return found
      const { range, rows, total } = found
      const data = rows.map((row) => ({ of: row.of, name: row.name, ...showHits(row) }))
      return { group_by: groupBy, tz: range.timeZone, ...showSpan(range), total: showHits(total), data }
    },
  })
}

type CacheSums = Extract<Awaited<ReturnType<Reports['cacheHits']>>, { total: unknown }>['total']

function showHits(sums: CacheSums) {
  const [completed, hit] = [Number(sums.completedRequests), Number(sums.cacheHitRequests)]
  const [input, read] = [Number(sums.inputTokens), Number(sums.cacheReadTokens)]
  return {
    requests: Number(sums.requests),
    completed_requests: completed,
    cache_hit_requests: hit,
    request_hit_rate_percent: percentOf(hit, completed),
    token_hit_rate_percent: percentOf(read, input + read),
    input_tokens: input,
    cache_read_tokens: read,
    cache_write_5m_tokens: Number(sums.cacheWrite5mTokens),
    cache_write_1h_tokens: Number(sums.cacheWrite1hTokens),
    cost_usd: toUsd(sums.costNano),
    cache_read_cost_usd: toUsd(sums.cacheReadCostNano),
    cache_write_cost_usd: toUsd(sums.cacheWriteCostNano),
    saving_usd: toUsd(sums.cacheSavingNano),
    write_surcharge_usd: toUsd(sums.cacheSurchargeNano),
    net_saving_usd: toUsd(sums.cacheSavingNano - sums.cacheSurchargeNano),
  }
}

/** Reports on records, of which there are many: no more than a week of them. */
const MOST_HOURS = 168

const windowQuery = {
  hours: countQuery('Hours up to now', { most: MOST_HOURS, usual: 24 }),
  ...filterQuery,
}

function cacheAffinityCall({ cacheAffinity }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/cache-affinity',
    tag: 'Usage',
    summary: 'How long prompt caches should live',
    description:
      'The time between one user’s or key’s consecutive completed requests, and the cache time that suits it: p90 ≤ 5 → 5; p75 ≤ 15 → 15; p75 ≤ 30 → 30; else 60 minutes (USE-15). Who made fewer than two requests in the window is not in it, unless asked for by id.',
    query: Type.Object(
      {
        group_by: Type.Optional(oneOf(AFFINITY_GROUPS, { description: 'user unless told' })),
        user_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only this user; group_by user' })),
        key_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only this key; group_by key' })),
        limit: countQuery('Groups, the busiest first', { most: 1000, usual: 50 }),
        ...windowQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: CacheAffinityView,
    problems: [],
    handle: async ({ query }) => {
      const { group_by: groupBy = query.key_id === undefined ? 'user' : 'key', hours = 24, limit = 50 } = query
      const foreign = foreignOwner(groupBy, query)
      if (foreign) return foreign
      const { platform, model, user_id: userId, key_id: keyId } = query
      const wish = { groupBy, ownerId: userId ?? keyId, hours, limit, platform, model }
      const { span, groups, groupCount, recommendations } = await cacheAffinity(wish)
      return {
        group_by: groupBy,
        ...showSpan(span),
        groups: groupCount,
        recommendations: PAUSE_BOUNDS_MINUTES.map((ttl) => ({
          ttl_minutes: ttl,
          count: recommendations[ttl],
          percent: percentOf(recommendations[ttl], groupCount),
        })),
        data: groups.map(showGroup),
      }
    },
  })
}

function foreignOwner(groupBy: 'user' | 'key', given: { user_id?: string; key_id?: string }): Fault | null {
  if (groupBy === 'user' && given.key_id !== undefined) return invalid('key_id', 'key_id goes with group_by=key')
  if (groupBy === 'key' && given.user_id !== undefined) return invalid('user_id', 'user_id goes with group_by=user')
  return null
}

type AffinityGroup = Awaited<ReturnType<Reports['cacheAffinity']>>['groups'][number]

function showGroup({ ownerId, name, requests, counts, pauses, advice }: AffinityGroup) {
  const intervals = Math.max(requests - 1, 0)
  const inMinutes = (ms: number | undefined) => (ms === undefined ? null : shownMinutes(ms))
  return {
    id: ownerId,
    name,
    requests,
    intervals,
    distribution: counts.map((count, index) => ({
      over_minutes: PAUSE_BOUNDS_MINUTES[index - 1] ?? 0,
      up_to_minutes: PAUSE_BOUNDS_MINUTES[index] ?? null,
      count,
      percent: percentOf(count, intervals),
    })),
    p50_minutes: inMinutes(pauses?.p50Ms),
    p75_minutes: inMinutes(pauses?.p75Ms),
    p90_minutes: inMinutes(pauses?.p90Ms),
    mean_minutes: inMinutes(pauses?.meanMs),
    min_minutes: inMinutes(pauses?.minMs),
    max_minutes: inMinutes(pauses?.maxMs),
    recommended_ttl_minutes: advice.ttlMinutes,
    reason: advice.reason,
  }
}

function intervalsCall({ intervals }: Reports): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/intervals',
    tag: 'Usage',
    summary: 'Time between requests, as points',
    description:
      'For a scatter plot: each completed request of the window, and how long after the same user’s previous one it came, if within 120 minutes (USE-17). When there are more than `limit`, an even sample over the time, of each user its share.',
    query: Type.Object(
      {
        user_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only of this user' })),
        limit: countQuery('Points', { most: 10_000, usual: 2000 }),
        ...windowQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    answer: IntervalsView,
    problems: [],
    handle: async ({ query }) => {
      const { hours = 24, limit = 2000, user_id: userId, platform, model } = query
      const { span, points, models, users } = await intervals({ hours, limit, userId, platform, model })
      const total = models.reduce((sum, each) => sum + each.points, 0)
      return {
        ...showSpan(span),
        total_points: total,
        sampled: total > points.length,
        data: points.map((point) => ({
          at: new Date(point.atMs).toISOString(),
          minutes: Math.round(point.intervalMs / (MINUTE_MS / 1000)) / 1000,
          model: point.model,
          user_id: point.userId,
        })),
        models,
        users: users.map(({ id, name, points }) => ({ user_id: id, username: name, points })),
      }
    },
  })
}
