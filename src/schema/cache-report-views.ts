/** What the reports on caches show (USE-15, USE-16, USE-17), and the words that they take. */
import { Type } from '@sinclair/typebox'
import { oneOf } from './field.ts'
import { counted, money, nameOf, nullableNumber, percentage, SpanView, zone } from './report-fields.ts'

export const CACHE_GROUPS = ['model', 'platform', 'user', 'key', 'account', 'group'] as const
export type CacheGroup = (typeof CACHE_GROUPS)[number]
export const AFFINITY_GROUPS = ['user', 'key'] as const

const hits = {
  requests: counted('All that ended', 1520),
  completed_requests: counted('Of them, those that ended well', 1480),
  cache_hit_requests: counted('Completed ones that read from a cache', 1200),
  request_hit_rate_percent: percentage('Hits among completed requests; null: there were none', 81.08),
  token_hit_rate_percent: percentage('cache_read ÷ (input + cache_read); null: there was no input', 88.24),
  input_tokens: counted('Uncached input', 2_400_000),
  cache_read_tokens: counted('Input read from cache', 18_000_000),
  cache_write_5m_tokens: counted('Input written to cache for 5 minutes', 900_000),
  cache_write_1h_tokens: counted('Input written to cache for an hour', 0),
  cost_usd: money('All of it, at list price', 25.125),
  cache_read_cost_usd: money('Of it, for reading from caches', 5.4),
  cache_write_cost_usd: money('And for writing to them', 3.375),
  saving_usd: money('What the input that was read from caches would have cost more as plain input', 48.6),
  write_surcharge_usd: money('What writing to caches cost more than plain input', 0.675),
  net_saving_usd: money('Saving less surcharge; negative: caching cost more than it saved', 47.925),
}

export const CacheHitsView = Type.Object(
  {
    group_by: oneOf(CACHE_GROUPS, { example: 'model' }),
    tz: zone,
    ...SpanView,
    total: Type.Object(hits, { description: 'Of everything, whatever the limit' }),
    data: Type.Array(
      Type.Object({
        of: Type.String({
          description: 'The model or platform; the id of a user, key …',
          example: 'claude-sonnet-4-5',
        }),
        name: nameOf('user, key, account or group', 'claude code'),
        ...hits,
      }),
    ),
  },
  { title: 'CacheHits' },
)

const AffinityGroup = Type.Object({
  id: Type.String({ description: 'Of the user or key', example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19' }),
  name: nameOf('user or key', 'claude code'),
  requests: counted('Completed ones in the window', 120),
  intervals: counted('Between them: one less', 119),
  distribution: Type.Array(
    Type.Object({
      over_minutes: counted('Longer than', 0),
      up_to_minutes: Type.Union([Type.Integer(), Type.Null()], { description: 'At most; null: any', example: 5 }),
      count: counted('Intervals', 101),
      percent: percentage('Share of all intervals', 84.87),
    }),
  ),
  p50_minutes: nullableNumber('Half of the intervals are at most so long', 0.4),
  p75_minutes: nullableNumber('Three quarters are', 1.2),
  p90_minutes: nullableNumber('Nine tenths are', 7.5),
  mean_minutes: nullableNumber('Mean', 6.1),
  min_minutes: nullableNumber('Shortest', 0.02),
  max_minutes: nullableNumber('Longest', 240.5),
  recommended_ttl_minutes: Type.Integer({ description: 'How long the cache should live', example: 15 }),
  reason: Type.String({
    description: 'In words',
    example: '3 of 4 pauses last at most 1.2 minutes: within 15 minutes.',
  }),
})

export const CacheAffinityView = Type.Object(
  {
    group_by: oneOf(AFFINITY_GROUPS, { example: 'user' }),
    ...SpanView,
    groups: counted('Users or keys with two requests or more, also those beyond the limit', 42),
    recommendations: Type.Array(
      Type.Object({
        ttl_minutes: Type.Integer({ example: 5 }),
        count: counted('Groups for which this is best', 30),
        percent: percentage('Share of all groups', 71.43),
      }),
      { description: 'How the recommendations are spread over all groups' },
    ),
    data: Type.Array(AffinityGroup),
  },
  { title: 'CacheAffinity' },
)

export const IntervalsView = Type.Object(
  {
    ...SpanView,
    total_points: counted('Intervals of at most 120 minutes in the window', 15_230),
    sampled: Type.Boolean({ description: 'true: there are more than are shown', example: true }),
    data: Type.Array(
      Type.Object({
        at: Type.String({ description: 'When the request was made', example: '2026-07-24T18:23:00.000Z' }),
        minutes: Type.Number({ minimum: 0, description: 'Since the same user’s previous request', example: 3.5 }),
        model: Type.String({ example: 'claude-sonnet-4-5' }),
        user_id: Type.String({ example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19' }),
      }),
    ),
    models: Type.Array(
      Type.Object({ model: Type.String({ example: 'claude-sonnet-4-5' }), points: counted('Of all points', 9120) }),
    ),
    users: Type.Array(
      Type.Object({
        user_id: Type.String({ example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19' }),
        username: nameOf('user', 'ada'),
        points: counted('Of all points', 412),
      }),
    ),
  },
  { title: 'RequestIntervals' },
)
