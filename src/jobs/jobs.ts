/**
 * What runs without a caller: the table of jobs, and what runs it. Each says how often; one that fails is logged and tried again at its next turn.
 * A job never overlaps itself. Each instance runs all of them: they are safe to run twice, only wasteful (a leader lease is OPS-4's).
 */
import { disableExpiredApiKeys } from '../db/api-keys.ts'
import type { Db, Sql } from '../db/client.ts'
import { ensurePartitions } from '../db/partitions.ts'
import type { Log } from '../lib/log.ts'

export interface JobDeps {
  sql: Sql
  db: Db
  log: Log
  nowMs(): number
  /** Of all accounts, cooling down or not (ACC-10). */
  refreshTokens(): Promise<{ refreshed: number; failed: number }>
  /** Usage journals of siblings that have died; how many records were in them (OPS-1). */
  adoptJournals(): Promise<number>
}

interface Job {
  name: string
  everyMs: number
  run(deps: JobDeps): Promise<Record<string, unknown> | null>
}

const MINUTE = 60_000

export const JOBS: readonly Job[] = [
  {
    // KEY-11: the request path refuses an expired key by itself; this makes it visible.
    name: 'disable expired keys',
    everyMs: MINUTE,
    async run({ db, nowMs }) {
      const ids = await disableExpiredApiKeys(db, new Date(nowMs()))
      return ids.length === 0 ? null : { disabled: ids.length }
    },
  },
  {
    // On every instance: the row lock sees to it that one of them asks the platform.
    name: 'refresh tokens',
    everyMs: MINUTE,
    async run({ refreshTokens }) {
      const { refreshed, failed } = await refreshTokens()
      return refreshed + failed === 0 ? null : { refreshed, failed }
    },
  },
  {
    // On every instance: a lock sees to it that each journal is adopted once, by a process that can reach its folder.
    name: 'adopt usage journals',
    everyMs: 10_000,
    async run({ adoptJournals }) {
      const records = await adoptJournals()
      return records === 0 ? null : { records }
    },
  },
  {
    name: 'make partitions',
    everyMs: 360 * MINUTE,
    async run({ sql, nowMs }) {
      const made = await ensurePartitions(sql, nowMs())
      return made.length === 0 ? null : { made }
    },
  },
]

export interface RunningJobs {
  stop(): Promise<void>
}

export function startJobs(deps: JobDeps, jobs: readonly Job[] = JOBS): RunningJobs {
  const running = new Set<Promise<void>>()
  const timers = jobs.map((job) => {
    let busy = false
    const timer = setInterval(() => {
      if (busy) return
      busy = true
      const turn = runJob(job, deps).finally(() => {
        busy = false
        running.delete(turn)
      })
      running.add(turn)
    }, job.everyMs)
    timer.unref()
    return timer
  })
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await Promise.all(running)
    },
  }
}

async function runJob(job: Job, deps: JobDeps): Promise<void> {
  try {
    const result = await job.run(deps)
    if (result) deps.log.info('job done', { job: job.name, ...result })
  } catch (error) {
    deps.log.error('job failed', { job: job.name, error })
  }
}
