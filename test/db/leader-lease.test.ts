import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { connect } from '../../src/db/client.ts'
import { type LeaderLease, startLeaderLease } from '../../src/db/leader-lease.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { testServer } from '../support/postgres-server.ts'
import { atEnd } from '../support/teardown.ts'
import { until } from '../support/until.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const everyMs = 50
const lease = (onChange?: (leads: boolean) => void) =>
  startLeaderLease({ target: database.target, everyMs, ...(onChange ? { onChange } : {}) })
const leads = (which: LeaderLease) => until(() => which.isLeader(), { what: 'the lead' })

/** Another process that leads. */
async function startHolder() {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../fixtures/lease-holder.ts'), JSON.stringify(database.target)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  atEnd(async () => child.kill('SIGKILL'))
  const { value } = await child.stdout.getReader().read()
  expect(new TextDecoder().decode(value)).toBe('leads\n')
  return child
}

describe('the lead', () => {
  test('is one instance’s at a time, and the next one’s when it is given up (OPS-4)', async () => {
    const told: boolean[] = []
    const first = lease((now) => told.push(now))
    await leads(first)
    const others = [lease(), lease()]
    // Each of them has tried, and so has the first.
    await until(async () => (await sessions()) === 3, { what: 'three sessions' })
    expect(others.map((other) => other.isLeader())).toEqual([false, false])
    await first.close()
    expect(first.isLeader()).toBe(false)
    const next = await until(() => others.find((other) => other.isLeader()), { what: 'another leader' })
    expect(others.filter((other) => other.isLeader())).toEqual([next])
    expect(told).toEqual([true])
    await Promise.all(others.map((other) => other.close()))
  })

  test('passes on when its process is killed (OPS-4)', async () => {
    const holder = await startHolder()
    const other = lease()
    await until(async () => (await sessions()) === 2, { what: 'two sessions' })
    expect(other.isLeader()).toBe(false)
    holder.kill('SIGKILL')
    await leads(other)
    await other.close()
  })

  test('passes on when its process is frozen: the server ends a session that says nothing (OPS-4)', async () => {
    const holder = await startHolder()
    const other = lease()
    await until(async () => (await sessions()) === 2, { what: 'two sessions' })
    expect(other.isLeader()).toBe(false)
    holder.kill('SIGSTOP')
    await leads(other)
    holder.kill('SIGKILL')
    await other.close()
  })

  test('is lost with the session, and won again by whoever tries next; nobody believes in it meanwhile (OPS-4)', async () => {
    const told: boolean[] = []
    const only = lease((now) => told.push(now))
    await leads(only)
    await database.sql`
      select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (
        select oid from pg_database where datname = current_database())`
    await until(() => told.length === 3, { what: 'lost and won again' })
    expect(told).toEqual([true, false, true])
    await only.close()
  })

  test('is nobody’s while the database cannot be reached; it is won when it can be (OPS-5)', async () => {
    const { sql } = database
    const told: boolean[] = []
    const [{ name } = { name: '' }] = await sql<{ name: string }[]>`select current_database()::text as name`
    const only = lease((now) => told.push(now))
    await leads(only)
    const outside = connect(await testServer(), { max: 1, statementTimeoutMs: 5000 })
    await outside.unsafe(`alter database ${name} with allow_connections false`)
    await outside`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
    await until(() => told.length === 2, { what: 'the lead is lost' })
    expect(only.isLeader()).toBe(false)
    await outside.unsafe(`alter database ${name} with allow_connections true`)
    await leads(only)
    expect(told).toEqual([true, false, true])
    await Promise.all([only.close(), outside.end()])
  })
})

async function sessions(): Promise<number> {
  const watcher = connect(database.target, { max: 1, statementTimeoutMs: 5000 })
  try {
    const [row] = await watcher<{ found: number }[]>`
      select count(*)::int as found from pg_stat_activity
      where datname = current_database() and query ilike '%pg_try_advisory_lock%' and pid <> pg_backend_pid()
        and state = 'idle'`
    return row?.found ?? 0
  } finally {
    await watcher.end()
  }
}
