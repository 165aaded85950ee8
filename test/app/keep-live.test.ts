import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openLiveKeeper } from '../../src/app/keep-live.ts'
import type { LiveRequest } from '../../src/core/live-request.ts'
import { createLog } from '../../src/lib/log.ts'
import { createStack } from '../../src/lib/stack.ts'
import type { LiveRequests } from '../../src/relay/live-requests.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeLive } from '../support/live.ts'
import { NOON } from '../support/receipts.ts'
import { until } from '../support/until.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** An instance whose relay works on `own`, of which those older than 5 s are for all. */
async function openInstance(own: LiveRequest[], silentMs = 60) {
  const stack = createStack()
  const lines: string[] = []
  const asked: (number | undefined)[] = []
  const live: LiveRequests = {
    list: async ({ startedBeforeMs }) => {
      asked.push(startedBeforeMs)
      return own.filter(({ createdAtMs }) => createdAtMs < (startedBeforeMs ?? Number.POSITIVE_INFINITY))
    },
    counts: () => ({ pending: 0, streaming: own.length }),
    endOverdue: () => 0,
  }
  const keeper = await openLiveKeeper({
    sql: database.sql,
    live,
    directory: { findUser: () => null, findKey: () => null, pool: { get: () => undefined } as never },
    ...{ shareAfterMs: 5000, silentMs, stack, nowMs: () => NOON },
    log: createLog({ pretty: false, write: (line) => lines.push(line) }),
  })
  return { keeper, stack, lines, asked }
}

describe('an instance among others', () => {
  test('shows its long-running requests to the others within moments, and none of them when it has ended (USE-2)', async () => {
    const [long, short] = [makeLive({ createdAtMs: NOON - 5001 }), makeLive({ createdAtMs: NOON - 4999 })]
    const first = await openInstance([long, short], 60_000)
    const second = await openInstance([], 60_000)
    await first.keeper.write()
    const seen = await second.keeper.source.listOthers()
    expect(seen.map(({ id }) => id)).toEqual([long.id])
    expect(await first.keeper.source.listOthers()).toEqual([])
    expect(await first.stack.stop()).toEqual([])
    const third = await openInstance([], 60_000)
    expect(await third.keeper.source.listOthers()).toEqual([])
    await Promise.all([second.stack.stop(), third.stack.stop()])
  })

  test('gives its sign of life by itself, again and again (USE-3)', async () => {
    const { stack, asked } = await openInstance([])
    await until(() => asked.length >= 4, { what: 'four signs of life' })
    await stack.stop()
    const count = asked.length
    const [row] = await database.sql<{ found: number }[]>`select count(*)::int as found from live_instances`
    expect([row?.found, asked.length]).toEqual([0, count])
  })

  test('many who look are one question to the database; a failure is not kept (USE-4)', async () => {
    const { keeper, stack } = await openInstance([], 60_000)
    const { listOthers } = keeper.source
    expect(listOthers()).toBe(listOthers())
    await database.sql`alter table live_requests rename to away`
    const second = await openInstance([], 60_000)
    await expect(second.keeper.source.listOthers()).rejects.toThrow('live_requests')
    await database.sql`alter table away rename to live_requests`
    expect(await second.keeper.source.listOthers()).toEqual([])
    await Promise.all([stack.stop(), second.stack.stop()])
  })

  test('that cannot be told says so once, and goes on trying (OPS-5)', async () => {
    await database.sql`alter table live_requests rename to away`
    const { stack, lines, asked } = await openInstance([])
    await until(() => asked.length >= 4, { what: 'four tries' })
    expect(lines.filter((line) => line.includes('could not be told'))).toHaveLength(1)
    await database.sql`alter table away rename to live_requests`
    await until(async () => (await database.sql`select from live_instances`).length === 1, {
      what: 'a sign of life after all',
    })
    await stack.stop()
  })
})
