/** This process as one of several (OPS-4): its sign of life and what it works on (USE-2), whether it leads the jobs, and what jobs need of it. */
import type { LiveSource } from '../admin/live.ts'
import { startLeaderLease } from '../db/leader-lease.ts'
import type { JobDeps } from '../jobs/jobs.ts'
import { systemClock } from '../lib/clock.ts'
import type { Ground } from './ground.ts'
import { openLiveKeeper } from './keep-live.ts'
import type { OpenedRelay } from './open-relay.ts'

export interface OpenedInstance {
  live: LiveSource
  jobs: Pick<JobDeps, 'isLeader' | 'instance' | 'endOverdue'>
}

/** Turns of the leader's lease within the time after which an instance counts as gone. */
const LEASE_TURNS = 6

export async function openInstance(ground: Ground, relay: OpenedRelay): Promise<OpenedInstance> {
  const { config, data, log, stack } = ground
  const silentMs = config.instanceTimeoutSeconds * 1000
  const keeper = await openLiveKeeper({
    sql: data.database.sql,
    live: relay.liveRequests,
    directory: relay.accounts.directory,
    shareAfterMs: config.liveShareAfterSeconds * 1000,
    silentMs,
    nowMs: systemClock.nowMs,
    log,
    stack,
  })
  const onChange = (leads: boolean) => log.info(leads ? 'leads the jobs' : 'leads the jobs no more')
  const lease = await stack.use(
    'leader lease',
    () => startLeaderLease({ target: data.target, everyMs: silentMs / LEASE_TURNS, onChange }),
    (started) => started.close(),
  )
  return {
    live: keeper.source,
    jobs: {
      isLeader: lease.isLeader,
      instance: { id: keeper.instanceId, silentMs },
      endOverdue: relay.liveRequests.endOverdue,
    },
  }
}
