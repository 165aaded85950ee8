import { expect, test } from 'bun:test'
import { hearChanges } from '../../src/app/hear-changes.ts'
import { type Change, notifyChange } from '../../src/db/changes.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createStack } from '../../src/lib/stack.ts'
import { withDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const KEY = '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e15'

test('what changes before anybody listens is heard when they do; after a gap everything is read again (KEY-3)', async () => {
  await withDatabase(async ({ db, sql }) => {
    const stack = createStack()
    const hearing = await hearChanges(sql, { log: silentLog, stack })
    await notifyChange(db, 'key', KEY)
    const heard: Change[] = []
    let gaps = 0
    const ears = {
      hear: async (change: Change) => void heard.push(change),
      readAll: async () => void gaps++,
    }
    hearing.attach(ears)
    await until(() => heard.length === 1, { what: 'the early change' })
    expect(heard).toEqual([{ kind: 'key', id: KEY }])
    expect(gaps).toBe(0)

    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%' and pid <> pg_backend_pid()`
    await until(() => gaps > 0, { what: 'the gap' })
    await notifyChange(db, 'key', KEY)
    await until(() => heard.length === 2, { what: 'the change after the gap' })
    await stack.stop()
  })
})

test('a gap before anybody listens is told too (KEY-3)', async () => {
  await withDatabase(async ({ sql }) => {
    const stack = createStack()
    const hearing = await hearChanges(sql, { log: silentLog, stack })
    const listener = async () =>
      (
        await sql<{ pid: number }[]>`select pid from pg_stat_activity
          where datname = current_database() and query ilike 'listen%' and pid <> pg_backend_pid()`
      )[0]?.pid ?? null
    const before = await until(listener, { what: 'a listener' })
    await sql`select pg_terminate_backend(${before})`
    await until(async () => ![null, before].includes(await listener()), { what: 'another listener' })
    const gap = Promise.withResolvers<void>()
    hearing.attach({ hear: async () => undefined, readAll: async () => gap.resolve() })
    await gap.promise
    await stack.stop()
  })
})
