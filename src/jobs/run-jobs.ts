/**
 * Runs the table of jobs: each at its own pace, never overlapping itself; those for the leader alone only where `isLeader` says so (OPS-4).
 * If it fails: a job that throws is logged and tried again at its next turn; the others don't notice.
 */
import type { Log } from '../lib/log.ts'

export interface Job<Deps> {
  name: string
  everyMs: number
  /** Of all instances one does it: what changes the database that they share. */
  leaderOnly: boolean
  /** What it did, for the log; null: nothing worth a line. */
  run(deps: Deps): Promise<Record<string, unknown> | null>
}

export interface JobReport {
  name: string
  /** Turns that this instance took, and how many of them failed. */
  runs: number
  failures: number
  /** When the last one ended; null: none has. */
  lastRunAtMs: number | null
  /** What the last one that did something did. */
  lastDone: Record<string, unknown> | null
}

export interface RunningJobs {
  /** What each job did since the start, for monitoring. */
  report(): readonly Readonly<JobReport>[]
  /** No more turns; waits for those under way. */
  stop(): Promise<void>
}

export interface RunnerDeps {
  log: Log
  nowMs(): number
  isLeader(): boolean
}

export function startJobs<Deps extends RunnerDeps>(deps: Deps, jobs: readonly Job<Deps>[]): RunningJobs {
  const running = new Set<Promise<void>>()
  const entries = jobs.map((job) => ({ job, report: newReport(job.name) }))
  const timers = entries.map(({ job, report }) => {
    let busy = false
    const timer = setInterval(() => {
      if (busy || (job.leaderOnly && !deps.isLeader())) return
      busy = true
      const turn = runJob(job, deps, report).finally(() => {
        busy = false
        running.delete(turn)
      })
      running.add(turn)
    }, job.everyMs)
    timer.unref()
    return timer
  })
  return {
    report: () => entries.map(({ report }) => report),
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await Promise.all(running)
    },
  }
}

function newReport(name: string): JobReport {
  return { name, runs: 0, failures: 0, lastRunAtMs: null, lastDone: null }
}

async function runJob<Deps extends RunnerDeps>(job: Job<Deps>, deps: Deps, report: JobReport): Promise<void> {
  report.runs++
  try {
    const done = await job.run(deps)
    if (!done) return
    report.lastDone = done
    deps.log.info('job done', { job: job.name, ...done })
  } catch (error) {
    report.failures++
    deps.log.error('job failed', { job: job.name, error })
  } finally {
    report.lastRunAtMs = deps.nowMs()
  }
}
