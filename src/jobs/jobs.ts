/** What runs without a caller: the table of jobs. `./run-jobs.ts` runs it. */
import { failLostRequests } from '../admin/lost-requests.ts'
import { deleteOlderThan } from '../admin/retention.ts'
import { disableExpiredApiKeys } from '../db/api-keys.ts'
import type { Db, Sql } from '../db/client.ts'
import { ensurePartitions } from '../db/partitions.ts'
import type { Job, RunnerDeps } from './run-jobs.ts'

export interface JobDeps extends RunnerDeps {
  sql: Sql
  db: Db
  /** Of all accounts, cooling down or not (ACC-10). */
  refreshTokens(): Promise<{ refreshed: number; failed: number }>
  /** In which days of reports begin. */
  timeZone: string
  /** As it is set now; 0: for ever (USE-18). */
  retentionDays(): Promise<number>
  /** This instance among the others (USE-3). */
  instance: { id: string; silentMs: number }
  /** Ends requests of this instance that are far beyond their time limit; how many (USE-3). */
  endOverdue(): number
  /** Code that ran at the start and not since leaves memory (`lib/program-pages.ts`). */
  releaseProgramPages(): void
  /** Usage journals of siblings that have died; how many records were in them (OPS-1). */
  adoptJournals(): Promise<number>
  /** Records came into the database of which nothing else in this process has heard. */
  onRecordsFound(how: 'adopted' | 'lost', count: number): void
}

const MINUTE = 60_000

export const JOBS: readonly Job<JobDeps>[] = [
  {
    // KEY-11: the request path refuses an expired key by itself; this makes it visible.
    name: 'disable expired keys',
    everyMs: MINUTE,
    leaderOnly: true,
    async run({ db, nowMs }) {
      const ids = await disableExpiredApiKeys(db, new Date(nowMs()))
      return ids.length === 0 ? null : { disabled: ids.length }
    },
  },
  {
    // On every instance: the row lock sees to it that one of them asks the platform.
    name: 'refresh tokens',
    everyMs: MINUTE,
    leaderOnly: false,
    async run({ refreshTokens }) {
      const { refreshed, failed } = await refreshTokens()
      return refreshed + failed === 0 ? null : { refreshed, failed }
    },
  },
  {
    // On every instance: a lock sees to it that each journal is adopted once, by a process that can reach its folder.
    name: 'adopt usage journals',
    everyMs: 10_000,
    leaderOnly: false,
    async run({ adoptJournals, onRecordsFound }) {
      const records = await adoptJournals()
      if (records === 0) return null
      onRecordsFound('adopted', records)
      return { records }
    },
  },
  {
    name: 'make partitions',
    everyMs: 360 * MINUTE,
    leaderOnly: true,
    async run({ sql, nowMs }) {
      const made = await ensurePartitions(sql, nowMs())
      return made.length === 0 ? null : { made }
    },
  },
  {
    name: 'delete old records',
    everyMs: 60 * MINUTE,
    leaderOnly: true,
    async run({ sql, nowMs, retentionDays }) {
      const deleted = await deleteOlderThan(sql, await retentionDays(), nowMs())
      return deleted.records + deleted.recordings === 0 ? null : { ...deleted }
    },
  },
  {
    // USE-3: of instances that are gone.
    name: 'fail lost requests',
    everyMs: MINUTE / 12,
    leaderOnly: true,
    async run({ sql, instance, timeZone, onRecordsFound }) {
      const { id: instanceId, silentMs } = instance
      const failed = await failLostRequests({ sql, instanceId, silentMs, timeZone })
      if (failed === 0) return null
      onRecordsFound('lost', failed)
      return { failed }
    },
  },
  {
    // USE-3: of this one. Each looks after its own, which nobody else can end.
    name: 'end overdue requests',
    everyMs: MINUTE / 4,
    leaderOnly: false,
    async run({ endOverdue }) {
      const ended = endOverdue()
      return ended === 0 ? null : { ended }
    },
  },
  {
    // A start leaves most of it behind, and so do the JIT's compilers, whenever they have run.
    name: 'release program pages',
    everyMs: MINUTE / 4,
    leaderOnly: false,
    async run({ releaseProgramPages }) {
      releaseProgramPages()
      return null
    },
  },
]
