/** Gives the jobs what they work on, and starts them. */
import type { Config } from '../config.ts'
import { JOBS, type JobDeps } from '../jobs/jobs.ts'
import { startJobs } from '../jobs/run-jobs.ts'
import { systemClock } from '../lib/clock.ts'
import { openProgramPages } from '../lib/program-pages.ts'
import { createFoundRecords } from './found-records.ts'
import type { Ground } from './ground.ts'
import type { OpenedInstance } from './open-instance.ts'
import type { OpenedRelay } from './open-relay.ts'

export interface JobsInput {
  relay: OpenedRelay
  instance: OpenedInstance
  currentConfig(): Promise<Config>
}

export async function openJobs(ground: Ground, { relay, instance, currentConfig }: JobsInput): Promise<void> {
  const { config, data, log, stack } = ground
  const { pool } = relay.accounts.directory
  const deps: JobDeps = {
    ...instance.jobs,
    sql: data.database.sql,
    db: data.database.db,
    log,
    nowMs: systemClock.nowMs,
    timeZone: config.timezone,
    refreshTokens: () => relay.credentials.refreshDue(Iterator.from(pool.entries()).map(({ account }) => account)),
    retentionDays: async () => (await currentConfig()).retentionDays,
    releaseProgramPages: openProgramPages().release,
    adoptJournals: relay.records.receipts.adopt,
    onRecordsFound: createFoundRecords(relay.telemetry, relay.records.statistics.loader),
  }
  await stack.use(
    'jobs',
    () => startJobs(deps, JOBS),
    (jobs) => jobs.stop(),
  )
}
