import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type LeaderLease, startLeaderLease } from '../../src/db/leader-lease.ts'
import { type Job, type RunnerDeps, startJobs } from '../../src/jobs/run-jobs.ts'
import { createLog } from '../../src/lib/log.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const EVERY_MS = 5

interface Instance extends RunnerDeps {
  name: string
}

/** Who took which turns. */
const turns: string[] = []
const JOBS: readonly Job<Instance>[] = [
  {
    name: 'shared',
    everyMs: EVERY_MS,
    leaderOnly: true,
    async run({ name }) {
      turns.push(name)
      return null
    },
  },
  {
    name: 'own',
    everyMs: EVERY_MS,
    leaderOnly: false,
    async run({ name }) {
      turns.push(`own of ${name}`)
      return { did: name }
    },
  },
]

function instance(name: string, isLeader: () => boolean, jobs = JOBS) {
  const lines: string[] = []
  const log = createLog({ pretty: false, write: (line) => lines.push(line) })
  return { lines, jobs: startJobs<Instance>({ name, log, nowMs: () => 5, isLeader }, jobs) }
}
const lease = () => startLeaderLease({ target: database.target, everyMs: 50 })
const countOf = (name: string) => turns.filter((turn) => turn === name).length
const took = (name: string, more: number) => {
  const before = countOf(name)
  return until(() => countOf(name) >= before + more, { what: `${more} turns of ${name}` })
}

describe('jobs on two instances', () => {
  test('a job for the leader has its turn once; each has turns of its own in the others; when the leader goes, the other takes over (OPS-4)', async () => {
    const leases: LeaderLease[] = [lease()]
    await until(() => leases[0]?.isLeader(), { what: 'a leader' })
    leases.push(lease())
    const first = instance('first', () => leases[0]!.isLeader())
    const second = instance('second', () => leases[1]!.isLeader())
    await Promise.all([took('first', 5), took('own of first', 5), took('own of second', 5)])
    expect(countOf('second')).toBe(0)

    // Its session ends as it does when the process is killed: nobody gives the lock up.
    await first.jobs.stop()
    await leases[0]!.close()
    const ofFirst = countOf('first')
    await took('second', 5)
    expect(countOf('first')).toBe(ofFirst)
    await second.jobs.stop()
    await leases[1]!.close()
  })

  test('a job that is still at work when its next turn comes is left alone (OPS-4)', async () => {
    const done = Promise.withResolvers<null>()
    const seen = { running: 0, others: 0 }
    const slow: Job<Instance> = {
      name: 'slow',
      everyMs: EVERY_MS,
      leaderOnly: false,
      run: () => {
        seen.running++
        return done.promise
      },
    }
    const quick: Job<Instance> = {
      name: 'quick',
      everyMs: EVERY_MS,
      leaderOnly: false,
      run: async () => {
        seen.others++
        return null
      },
    }
    const { jobs } = instance('one', () => true, [slow, quick])
    await until(() => seen.others >= 5, { what: 'five turns of the other job' })
    expect(seen.running).toBe(1)
    done.resolve(null)
    await jobs.stop()
  })

  test('what a job did is logged and can be asked for; one that fails is told and goes on (KEY-11, OPS-4)', async () => {
    let calls = 0
    const job: Job<Instance> = {
      name: 'shaky',
      everyMs: EVERY_MS,
      leaderOnly: false,
      async run() {
        calls++
        if (calls === 1) throw new Error('first time')
        return calls === 2 ? { disabled: 3 } : null
      },
    }
    const { jobs, lines } = instance('one', () => true, [job])
    await until(() => calls >= 3, { what: 'three turns' })
    await jobs.stop()
    expect(jobs.report()).toEqual([
      { name: 'shaky', runs: calls, failures: 1, lastRunAtMs: 5, lastDone: { disabled: 3 } },
    ])
    expect(lines.filter((line) => line.includes('job failed'))).toHaveLength(1)
    const done = lines.filter((line) => line.includes('job done')).map((line) => JSON.parse(line))
    expect(done).toMatchObject([{ job: 'shaky', disabled: 3 }])
  })
})
