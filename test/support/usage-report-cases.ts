/** Each report on usage as it is asked for, and the same worked out of the records alone, by other SQL: for a bench over many of them (USE-19). */
import { createActivityCache } from '../../src/admin/activity-cache.ts'
import { createPauseReports } from '../../src/admin/pause-reports.ts'
import { createUsageReports } from '../../src/admin/usage-reports.ts'
import { isFault } from '../../src/core/fault.ts'
import type { Db, Sql } from '../../src/db/client.ts'
import { idOf } from './usage-generator.ts'

export interface CaseDeps {
  db: Db
  sql: Sql
  nowMs: number
  timeZone: string
}

export interface ReportCase {
  name: string
  run(deps: CaseDeps): Promise<unknown>
  /** The same value from records. */
  plain(deps: CaseDeps): Promise<unknown>
}

const reports = ({ db, nowMs, timeZone }: CaseDeps) => {
  const clock = { nowMs: () => nowMs }
  // A cache of its own each time: what is measured is the reading.
  return {
    ...createUsageReports({ db, clock, timeZone, activityCache: createActivityCache(clock) }),
    ...createPauseReports({ db, clock }),
  }
}

function granted<T>(result: T): Exclude<T, { fault: unknown }> {
  if (isFault(result)) throw new Error(result.message)
  return result as Exclude<T, { fault: unknown }>
}

const user = idOf('user', 3)
const account = idOf('account', 3)

type Row = Record<string, unknown>
const day = (zone: string) => `(created_at at time zone '${zone}')::date`

function summaryCase(period: 'day' | 'week' | 'month', zone: string, from: string): ReportCase {
  return {
    name: `summary by ${period} in ${zone} since ${from}, a page`,
    async run(deps) {
      const wish = { period, from, timeZone: zone, owner: {}, limit: 1000 }
      const { range, rows } = granted(await reports(deps).summary(wish))
      return rows.map((row) => [
        range.buckets[row.bucket]!.day,
        row.platform,
        row.model,
        row.requests,
        row.outputTokens,
        row.costNano,
        row.durationMs,
      ])
    },
    async plain({ sql }) {
      const rows = await sql.unsafe<Row[]>(`
        select date_trunc('${period}', created_at at time zone '${zone}')::date::text as day, platform, model, count(*) as requests,
          sum(output_tokens)::bigint as output, sum(cost_nano)::bigint as cost, sum(duration_ms) as duration
        from usage_records where created_at >= timestamp '${from}' at time zone '${zone}'
        group by 1, 2, 3 order by 1, 2, 3 limit 1000`)
      return rows.map((row) => [row.day, row.platform, row.model, row.requests, row.output, row.cost, row.duration])
    },
  }
}

function activityCase(zone: string, owner: 'all' | 'user' | 'account'): ReportCase {
  const id = owner === 'user' ? user : account
  return {
    name: `activity of ${owner === 'all' ? 'all' : `one ${owner}`} in ${zone}`,
    async run(deps) {
      const wish = { timeZone: zone, owner: owner === 'all' ? {} : { [owner]: id } }
      const { days } = granted(await reports(deps).activity(wish))
      return days
        .filter(({ requests }) => requests > 0)
        .map((each) => [each.day, each.requests, each.totalTokens, each.costNano])
    },
    async plain({ sql, nowMs }) {
      const whose = owner === 'all' ? 'true' : `${owner}_id = '${id}'`
      const rows = await sql.unsafe<Row[]>(`
        select ${day(zone)}::text as day, count(*) as requests, sum(total_tokens)::bigint as tokens, sum(cost_nano)::bigint as cost
        from usage_records where ${whose} and ${day(zone)} > (timestamptz '${new Date(nowMs).toISOString()}' at time zone '${zone}')::date - 365
        group by 1 order by 1`)
      return rows.map((row) => [row.day, Number(row.requests), Number(row.tokens), row.cost])
    },
  }
}

function topUsersCase(zone: string, from: string): ReportCase {
  return {
    name: `top users in ${zone} since ${from}`,
    async run(deps) {
      const { rows } = granted(await reports(deps).topUsers({ by: 'cost', limit: 20, from, timeZone: zone }))
      return rows.map((row) => [row.userId, row.requests, row.totalTokens, row.costNano])
    },
    async plain({ sql }) {
      const rows = await sql.unsafe<Row[]>(`
        select user_id, count(*) as requests, sum(total_tokens)::bigint as tokens, sum(cost_nano)::bigint as cost from usage_records
        where created_at >= timestamp '${from}' at time zone '${zone}' group by 1 order by cost desc, user_id limit 20`)
      return rows.map((row) => [row.user_id, row.requests, row.tokens, row.cost])
    },
  }
}

function cacheHitsCase(groupBy: 'model' | 'user' | 'key', zone: string, from: string): ReportCase {
  return {
    name: `cache hits by ${groupBy} in ${zone} since ${from}`,
    async run(deps) {
      const wish = { groupBy, limit: 1000, from, timeZone: zone, owner: {} }
      const { rows, total } = granted(await reports(deps).cacheHits(wish))
      const shown = rows.map((row) => [row.of, row.cacheHitRequests, row.cacheReadTokens, row.cacheSavingNano])
      return [...shown, ['', total.cacheHitRequests, total.cacheReadTokens, total.cacheSavingNano]]
    },
    async plain({ sql }) {
      const column = groupBy === 'model' ? 'model' : `${groupBy}_id::text`
      const rows = await sql.unsafe<Row[]>(`
        select coalesce(${column}, '') as of, grouping(${column}) as total, count(*) filter (where status = 'completed' and cache_read_tokens > 0) as hits,
          sum(cache_read_tokens)::bigint as read, sum(cache_read_tokens * (price_used->'rates'->>'input')::bigint - cache_read_cost_nano)::bigint as saving
        from usage_records where created_at >= timestamp '${from}' at time zone '${zone}'
        group by grouping sets ((${column}), ()) order by total, read desc, of`)
      const shown = rows.map((row) => [row.of, row.hits, row.read, row.saving])
      return [...shown.slice(0, -1).slice(0, 1000), ...shown.slice(-1)]
    },
  }
}

/** Pauses by way of a self-join instead of a window function. */
const earlier = (owner: string) => `
  select max(before.created_at) from usage_records as before
  where before.${owner} = request.${owner} and before.status = 'completed' and before.created_at >= $1 and before.created_at < $2
    and (before.created_at, before.id) < (request.created_at, request.id)`

function affinityCase(groupBy: 'user' | 'key'): ReportCase {
  const hours = 168
  return {
    name: `cache affinity by ${groupBy}, ${hours} h`,
    async run(deps) {
      const { groups } = await reports(deps).cacheAffinity({ groupBy, hours, limit: 10_000 })
      return groups.map(({ ownerId, requests, counts, pauses }) => [
        ownerId,
        requests,
        counts[0],
        counts[4],
        pauses?.maxMs,
      ])
    },
    async plain({ sql, nowMs }) {
      const owner = `${groupBy}_id`
      const span = [new Date(nowMs - hours * 3_600_000), new Date(nowMs)]
      const rows = await sql.unsafe<Row[]>(
        `select ${owner} as owner, count(*)::int as requests, count(*) filter (where pause <= interval '5 minutes')::int as short,
          count(*) filter (where pause > interval '60 minutes')::int as long, (max(extract(epoch from pause)) * 1000)::float8 as most
        from (select ${owner}, created_at - (${earlier(owner)}) as pause from usage_records as request
          where status = 'completed' and created_at >= $1 and created_at < $2) as paused
        group by ${owner} having count(*) > 1 order by requests desc, ${owner}`,
        span,
      )
      return rows.map((row) => [row.owner, row.requests, row.short, row.long, row.most])
    },
  }
}

function intervalsCase(limit: number): ReportCase {
  const hours = 168
  return {
    name: `intervals, ${hours} h, at most ${limit}`,
    async run(deps) {
      const { points, users, models } = await reports(deps).intervals({ hours, limit })
      const total = models.reduce((sum, each) => sum + each.points, 0)
      return [total, points.length, users.map(({ id, points }) => [id, points])]
    },
    async plain({ sql, nowMs }) {
      const span = [new Date(nowMs - (hours + 2) * 3_600_000), new Date(nowMs), new Date(nowMs - hours * 3_600_000)]
      const rows = await sql.unsafe<Row[]>(
        `select user_id, count(*)::int as points from (
          select user_id, created_at, created_at - (${earlier('user_id')}) as pause from usage_records as request
          where status = 'completed' and created_at >= $3 and created_at < $2) as paused
        where pause <= interval '120 minutes' group by user_id order by points desc, user_id`,
        span,
      )
      const total = rows.reduce((sum, each) => sum + Number(each.points), 0)
      return [total, Math.min(total, limit), rows.map((row) => [row.user_id, row.points])]
    },
  }
}

export const REPORTS: readonly ReportCase[] = [
  summaryCase('day', 'UTC', '2026-06-25'),
  summaryCase('day', 'UTC', '2025-07-01'),
  summaryCase('day', 'Europe/Berlin', '2026-06-25'),
  summaryCase('day', 'Europe/Berlin', '2025-07-01'),
  summaryCase('week', 'America/New_York', '2025-06-30'),
  summaryCase('month', 'Europe/Berlin', '2025-07-01'),
  activityCase('UTC', 'all'),
  activityCase('Europe/Berlin', 'all'),
  activityCase('UTC', 'user'),
  activityCase('Europe/Berlin', 'user'),
  activityCase('UTC', 'account'),
  activityCase('Europe/Berlin', 'account'),
  topUsersCase('UTC', '2026-06-25'),
  topUsersCase('UTC', '2025-07-01'),
  topUsersCase('Europe/Berlin', '2025-07-01'),
  cacheHitsCase('model', 'UTC', '2026-06-25'),
  cacheHitsCase('model', 'Europe/Berlin', '2025-07-01'),
  cacheHitsCase('user', 'UTC', '2025-07-01'),
  cacheHitsCase('key', 'UTC', '2025-07-01'),
  affinityCase('user'),
  affinityCase('key'),
  intervalsCase(2000),
  intervalsCase(10_000),
]
