import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { failLostRequests } from '../../src/admin/lost-requests.ts'
import type { LiveRequest } from '../../src/core/live-request.ts'
import {
  countLostRequests,
  deleteLiveInstance,
  listLostRequests,
  listOthersLiveRequests,
  writeLiveRequests,
} from '../../src/db/live-requests.ts'
import { findUsageRecordById } from '../../src/db/usage.ts'
import { newId } from '../../src/lib/ids.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { makeLive } from '../support/live.ts'

const silentMs = 30_000
let database: FreshDatabase
let here: string
let there: string
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  here = newId()
  there = newId()
  await database.sql`truncate live_instances, live_requests`
})

const write = (instanceId: string, ...requests: LiveRequest[]) =>
  writeLiveRequests(database.sql, { instanceId, silentMs, requests })
const others = (instanceId: string) => listOthersLiveRequests(database.sql, { instanceId, silentMs, limit: 100 })
const lost = (instanceId: string) => listLostRequests(database.sql, { instanceId, silentMs, limit: 100 })
/** As if the instance had said nothing for so long; `steady`: and been there without a gap before. */
const age = (instanceId: string, secs: number) =>
  database.sql`update live_instances set seen_at = seen_at - make_interval(secs => ${secs}) where id = ${instanceId}`
const settle = (instanceId: string) =>
  database.sql`update live_instances set steady_since = now() - interval '1 hour' where id = ${instanceId}`
const fail = (instanceId: string) => failLostRequests({ sql: database.sql, instanceId, silentMs, timeZone: 'UTC' })

describe('requests of several instances', () => {
  test('an instance sees the others’ requests as they were told, not its own (USE-2)', async () => {
    const request = makeLive({ costNano: 2n ** 60n, endpoint: '/v1/a\0b', model: 'm\ud800' })
    await write(there, request)
    await write(here, makeLive())
    expect(await others(here)).toEqual([{ ...request, endpoint: '/v1/ab', model: 'm\ufffd' }])
  })

  test('each turn replaces the one before: progress is seen, what ended is gone (USE-2)', async () => {
    const [going, ending] = [makeLive({ status: 'pending' }), makeLive()]
    await write(there, going, ending)
    await write(there, { ...going, status: 'streaming', costNano: 5n })
    expect(await others(here)).toMatchObject([{ id: going.id, status: 'streaming', costNano: 5n }])
    await write(there)
    expect(await others(here)).toEqual([])
  })

  test('an instance that ends takes its requests with it; one that is silent is not shown (USE-2)', async () => {
    await write(there, makeLive())
    await age(there, 31)
    expect(await others(here)).toEqual([])
    expect(await countLostRequests(database.sql, silentMs)).toBe(1)
    await deleteLiveInstance(database.sql, there)
    expect(await countLostRequests(database.sql, silentMs)).toBe(0)
    const [{ rows } = { rows: 1 }] = await database.sql<{ rows: number }[]>`
      select (select count(*) from live_requests)::int + (select count(*) from live_instances)::int as rows`
    expect(rows).toBe(0)
  })

  test('requests of an instance that has been silent for long are marked failed with 504 and a reason, nothing charged, once (USE-3)', async () => {
    const request = makeLive({ keyId: newId(), status: 'streaming' })
    await write(there, request)
    await age(there, 31)
    await write(here, makeLive())
    await settle(here)
    expect(await fail(here)).toBe(1)
    expect(await findUsageRecordById(database.db, request.id)).toMatchObject({
      id: request.id,
      keyId: request.keyId,
      status: 'failed',
      httpStatus: 504,
      errorCode: 'instance_lost',
      errorMessage: 'The instance that served this request went away while it was streaming.',
      metering: 'unknown',
      priced: true,
      totalTokens: 0,
      chargedNano: 0n,
    })
    expect(await fail(here)).toBe(0)
    const left = await database.sql<{ id: string }[]>`select id from live_instances`
    expect(left.map(({ id }) => id)).toEqual([here])
  })

  test('nobody is judged while the judge itself was not seen for as long: after an outage of the database all were silent (USE-3)', async () => {
    await write(there, makeLive())
    await write(here)
    await settle(here)
    await age(there, 40)
    await age(here, 40)
    // The database is back, and this instance is the first to say so.
    await write(here)
    expect(await lost(here)).toEqual([])
    expect(await fail(here)).toBe(0)
    await write(there)
    expect(await countLostRequests(database.sql, silentMs)).toBe(0)
  })

  test('a request that a lost instance began and another goes on telling of is not lost (USE-3)', async () => {
    const request = makeLive()
    await write(there, request)
    await age(there, 31)
    await write(here)
    await settle(here)
    const [found] = await lost(here)
    expect(found?.request.id).toBe(request.id)
    await write(there, request)
    expect(await fail(here)).toBe(0)
    expect(await others(here)).toHaveLength(1)
  })
})
