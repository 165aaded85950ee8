import { expect, test } from 'bun:test'
import { JOBS, type JobDeps } from '../../src/jobs/jobs.ts'
import { withDatabase } from '../support/database.ts'
import { seedKey } from '../support/seed.ts'

test('tokens are refreshed by a job of every minute, five tries before they expire; a quiet turn is not logged (ACC-10)', async () => {
  const job = JOBS.find(({ name }) => name === 'refresh tokens')!
  expect(job.everyMs).toBe(60_000)
  const turn = (refreshed: number, failed: number) =>
    job.run({ refreshTokens: async () => ({ refreshed, failed }) } as unknown as JobDeps)
  expect(await turn(2, 1)).toEqual({ refreshed: 2, failed: 1 })
  expect(await turn(0, 0)).toBeNull()
})

test('expired keys are disabled by a job of every minute, which reports how many (KEY-11)', async () => {
  const job = JOBS.find(({ name }) => name === 'disable expired keys')!
  expect(job.everyMs).toBe(60_000)
  await withDatabase(async ({ db }) => {
    for (const expiresAt of [new Date(1000), new Date(2000), new Date(2001), null]) await seedKey(db, { expiresAt })
    const turn = () => job.run({ db, nowMs: () => 2000 } as unknown as JobDeps)
    expect(await turn()).toEqual({ disabled: 2 })
    expect(await turn()).toBeNull()
  })
})
