import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openRecordingKeeper } from '../../src/app/keep-recordings.ts'
import { newId } from '../../src/lib/ids.ts'
import { createLog } from '../../src/lib/log.ts'
import { createStack } from '../../src/lib/stack.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { NOON } from '../support/receipts.ts'
import { until } from '../support/until.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

test('recordings wait for the database in a bounded room; what finds none is dropped and told (USE-1, OPS-5)', async () => {
  const { sql } = database
  const lines: string[] = []
  const stack = createStack()
  const log = createLog({ pretty: false, write: (line) => lines.push(line) })
  await sql`alter table request_recordings rename to away`
  const keeper = await openRecordingKeeper({ sql, log, stack, everyMs: 20, mostCharacters: 20_000 })
  const side = { headers: null, body: 'x'.repeat(1000), bytes: 1000, cut: false }
  for (let count = 0; count < 15; count++) {
    keeper.add({ id: newId(NOON), createdAtMs: NOON, request: side, response: { ...side, body: null, bytes: null } })
  }
  await until(() => lines.some((line) => line.includes('could not be written')), { what: 'a failed write' })
  await sql`alter table away rename to request_recordings`
  await until(() => lines.some((line) => line.includes('dropped')), { what: 'what was dropped' })
  await stack.stop()
  const [row] = await sql<{ found: number }[]>`select count(*)::int as found from request_recordings`
  expect(row?.found).toBe(10)
  const told = lines.map((line) => JSON.parse(line)).find(({ dropped }) => dropped !== undefined)
  expect(told.dropped).toBe(5)
})
