/** What the reports on usage show (USE-12, USE-13, USE-14), and the words that they take. */
import { Type } from '@sinclair/typebox'
import { PERIODS } from '../core/report-buckets.ts'
import { oneOf } from './field.ts'
import { counted, money, nameOf, nullableNumber, SpanView, zone } from './report-fields.ts'

export const TOP_BY = ['cost', 'tokens', 'requests'] as const
export type TopBy = (typeof TOP_BY)[number]

const SummaryEntry = Type.Object({
  day: Type.String({ description: 'First day of the period; weeks begin on Monday', example: '2026-07-20' }),
  ...SpanView,
  platform: Type.String({ example: 'anthropic' }),
  model: Type.String({ description: 'Model asked for', example: 'claude-sonnet-4-5' }),
  requests: counted('All that ended', 1520),
  completed_requests: counted('Of them, those that ended well', 1480),
  failed_requests: counted('And those that failed; the rest was left by its client', 25),
  cache_hit_requests: counted('Completed ones that read from a cache', 1200),
  unpriced_requests: counted('Those without a price (BIL-3)', 0),
  input_tokens: counted('Uncached input', 2_400_000),
  output_tokens: counted('Generated, reasoning included', 610_000),
  cache_read_tokens: counted('Input read from cache', 18_000_000),
  cache_write_5m_tokens: counted('Input written to cache for 5 minutes', 900_000),
  cache_write_1h_tokens: counted('Input written to cache for an hour', 0),
  reasoning_tokens: counted('Part of output', 120_000),
  total_tokens: counted('Sum of input, output, cache reads and writes', 21_910_000),
  cost_usd: money('At list price', 25.125),
  charged_usd: money('What payers paid (BIL-6)', 25.125),
  upstream_cost_usd: money('What the operator paid (BIL-6)', 25.125),
  average_duration_ms: counted('From arrival to the end', 6240),
  average_first_token_ms: nullableNumber('Of those that had a first token; null: none had', 870),
})

export const SummaryView = Type.Object(
  {
    period: oneOf(PERIODS, { example: 'week' }),
    tz: zone,
    ...SpanView,
    data: Type.Array(SummaryEntry),
    next_cursor: Type.Union([Type.String(), Type.Null()], {
      description: 'null: this is the last page',
      example: null,
    }),
  },
  { title: 'UsageSummary' },
)

export const ActivityView = Type.Object(
  {
    tz: zone,
    ...SpanView,
    max_requests: counted('Of the busiest day: for the scale', 4200),
    data: Type.Array(
      Type.Object({
        day: Type.String({ example: '2026-07-24' }),
        requests: counted('All that ended', 1520),
        total_tokens: counted('Sum of input, output, cache reads and writes', 21_910_000),
        cost_usd: money('At list price', 25.125),
        upstream_cost_usd: Type.Optional(money('What the operator paid, if asked for (BIL-6)', 25.125)),
      }),
    ),
  },
  { title: 'UsageActivity' },
)

export const TopUsersView = Type.Object(
  {
    by: oneOf(TOP_BY, { example: 'cost' }),
    tz: zone,
    ...SpanView,
    data: Type.Array(
      Type.Object({
        user_id: Type.String({ example: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e19' }),
        username: nameOf('user', 'ada'),
        email: nameOf('user’s mailbox', 'ada@example.com'),
        deleted: Type.Boolean({ description: 'Was the user deleted since?', example: false }),
        requests: counted('All that ended', 1520),
        failed_requests: counted('Of them, those that failed', 25),
        total_tokens: counted('Sum of input, output, cache reads and writes', 21_910_000),
        cost_usd: money('At list price', 25.125),
        charged_usd: money('What was paid (BIL-6)', 25.125),
        upstream_cost_usd: money('What the operator paid (BIL-6)', 25.125),
      }),
    ),
  },
  { title: 'TopUsers' },
)
