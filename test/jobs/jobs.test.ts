import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findApiKeyById } from '../../src/db/api-keys.ts'
import { insertReceipts } from '../../src/db/receipts.ts'
import { JOBS, type JobDeps } from '../../src/jobs/jobs.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeLive } from '../support/live.ts'
import { makeReceipt, NOON } from '../support/receipts.ts'
import { seedKey } from '../support/seed.ts'

const DAY_MS = 86_400_000

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const jobNamed = (name: string) => JOBS.find((job) => job.name === name)!
const run = (name: string, deps: Partial<JobDeps> = {}) =>
  jobNamed(name).run({
    ...database,
    nowMs: () => NOON,
    timeZone: 'UTC',
    instance: { id: newId(), silentMs: 30_000 },
    ...deps,
  } as JobDeps)

describe('the table of jobs', () => {
  test('what changes the shared database is done by one instance; what is an instance’s own by each (OPS-4)', () => {
    const own = JOBS.filter(({ leaderOnly }) => !leaderOnly).map(({ name }) => name)
    expect(own).toEqual(['refresh tokens', 'adopt usage journals', 'end overdue requests', 'release program pages'])
    expect(new Set(JOBS.map(({ name }) => name)).size).toBe(JOBS.length)
  })

  test('code that ran at the start leaves memory within a quarter of a minute, and is not worth a line of the log', async () => {
    expect(jobNamed('release program pages').everyMs).toBe(15_000)
    let released = 0
    expect(await run('release program pages', { releaseProgramPages: () => released++ })).toBeNull()
    expect(released).toBe(1)
  })

  test('tokens are refreshed by a job of every minute, five tries before they expire; a quiet turn is not logged (ACC-10)', async () => {
    expect(jobNamed('refresh tokens').everyMs).toBe(60_000)
    const turn = (refreshed: number, failed: number) =>
      run('refresh tokens', { refreshTokens: async () => ({ refreshed, failed }) })
    expect(await turn(2, 1)).toEqual({ refreshed: 2, failed: 1 })
    expect(await turn(0, 0)).toBeNull()
  })

  test('expired active keys are disabled, not deleted, and counted; the rest is left alone (KEY-11)', async () => {
    const { db } = database
    const expired = await seedKey(db, { expiresAt: new Date(NOON) })
    const valid = await seedKey(db, { expiresAt: new Date(NOON + 1) })
    expect(jobNamed('disable expired keys').everyMs).toBe(60_000)
    expect(await run('disable expired keys')).toEqual({ disabled: 1 })
    expect(await run('disable expired keys')).toBeNull()
    expect(await findApiKeyById(db, expired.id)).toMatchObject({ active: false, deletedAt: null })
    expect(await findApiKeyById(db, valid.id)).toMatchObject({ active: true })
  })

  test('records older than the setting go, at 0 days none does (USE-18)', async () => {
    const old = makeReceipt({ createdAtMs: NOON - 3 * DAY_MS - 1 })
    const young = makeReceipt({ createdAtMs: NOON - 3 * DAY_MS })
    await insertReceipts(database.sql, [old, young], { timeZone: 'UTC' })
    expect(await run('delete old records', { retentionDays: async () => 0 })).toBeNull()
    expect(await run('delete old records', { retentionDays: async () => 3 })).toEqual({
      records: 1,
      months: 0,
      recordings: 0,
    })
    const left = await database.sql<{ id: string }[]>`select id from usage_records`
    expect(left.map(({ id }) => id)).toEqual([young.id])
  })

  test('what comes from a dead sibling’s journal, or was lost with it, is told to statistics; a quiet turn is not (USE-3, USE-8)', async () => {
    const told: unknown[] = []
    const onRecordsFound = (how: string, count: number) => void told.push([how, count])
    expect(await run('adopt usage journals', { adoptJournals: async () => 3, onRecordsFound })).toEqual({ records: 3 })
    expect(await run('adopt usage journals', { adoptJournals: async () => 0, onRecordsFound })).toBeNull()
    expect(await run('fail lost requests', { onRecordsFound })).toBeNull()
    expect(told).toEqual([['adopted', 3]])
    const [here, gone] = [newId(), newId()]
    await database.sql`insert into live_instances (id, seen_at, steady_since)
      values (${here}, now(), now() - interval '1 hour'), (${gone}, now() - interval '1 hour', now() - interval '2 hours')`
    const lost = makeLive()
    await database.sql`insert into live_requests (id, instance_id, request)
      values (${lost.id}, ${gone}, ${JSON.stringify({ ...lost, costNano: '0' })}::text::jsonb)`
    const instance = { id: here, silentMs: 30_000 }
    expect(await run('fail lost requests', { instance, onRecordsFound })).toEqual({ failed: 1 })
    expect(told).toEqual([
      ['adopted', 3],
      ['lost', 1],
    ])
  })

  test('lost and overdue requests are told when there are any (USE-3)', async () => {
    expect(await run('fail lost requests')).toBeNull()
    expect(await run('end overdue requests', { endOverdue: () => 2 })).toEqual({ ended: 2 })
    expect(await run('end overdue requests', { endOverdue: () => 0 })).toBeNull()
  })
})
