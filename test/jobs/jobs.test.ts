import { expect, test } from 'bun:test'
import { JOBS, type JobDeps } from '../../src/jobs/jobs.ts'

test('tokens are refreshed by a job of every minute, five tries before they expire; a quiet turn is not logged (ACC-10)', async () => {
  const job = JOBS.find(({ name }) => name === 'refresh tokens')!
  expect(job.everyMs).toBe(60_000)
  const turn = (refreshed: number, failed: number) =>
    job.run({ refreshTokens: async () => ({ refreshed, failed }) } as unknown as JobDeps)
  expect(await turn(2, 1)).toEqual({ refreshed: 2, failed: 1 })
  expect(await turn(0, 0)).toBeNull()
})
