import { afterAll, beforeAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPostmasterFile } from '../../src/db/embedded-cluster.ts'
import { canReach } from '../../src/db/embedded-identity.ts'
import { tryLockFile } from '../../src/lib/file-lock.ts'
import { clusterOf, type EmbeddedPlace, embeddedPlace, isAlive, query, serverPid } from '../support/embedded-place.ts'

const isRoot = process.geteuid?.() === 0
const NOBODY = { uid: 65534, gid: 65534 }
let place: EmbeddedPlace
beforeAll(async () => {
  place = await embeddedPlace()
})
afterAll(() => place.clear())

/** A started database with one committed row in it. */
async function startWithRow(dataDir: string) {
  const database = await place.start(dataDir)
  await query(database, (sql) => sql`create table kept as select 'committed' as row`)
  return database
}

const rows = (database: Awaited<ReturnType<typeof startWithRow>>) =>
  query(database, async (sql) => (await sql`select row from kept`).map(({ row }) => row))

test('the first start makes a UTF-8 database with checksums, durable commits and time zones (OPS-3)', async () => {
  const database = await place.start(place.dataDir())
  expect(database.started).toBe(true)
  const [found] = await query(
    database,
    (sql) => sql`select
      current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes') as durable,
      current_setting('data_checksums') as checksums, current_setting('server_encoding') as encoding,
      (select datlocale from pg_database where datname = current_database()) as locale,
      to_char(timestamptz '2026-07-01 12:00Z' at time zone 'Europe/Berlin', 'HH24:MI') as berlin`,
  )
  expect(found).toEqual({ durable: 'ononon', checksums: 'on', encoding: 'UTF8', locale: 'C.UTF-8', berlin: '14:00' })
})

test('the server listens on no port, and its socket is in a directory that only its owner enters (OPS-3)', async () => {
  const dataDir = place.dataDir()
  const database = await place.start(dataDir)
  const [found] = await query(
    database,
    (sql) => sql`select current_setting('listen_addresses') as listen, inet_server_addr() as address`,
  )
  expect(found).toEqual({ listen: '', address: null })
  expect(statSync(clusterOf(dataDir)).mode & 0o777).toBe(0o700)
  expect(statSync(join(clusterOf(dataDir), '.s.PGSQL.5432')).mode & 0o077).toBe(0)
})

test('the next start finds what was stored (OPS-3)', async () => {
  const dataDir = place.dataDir()
  await (await startWithRow(dataDir)).stop()
  const again = await place.start(dataDir)
  expect(again.started).toBe(true)
  expect(await rows(again)).toEqual(['committed'])
})

test('stop waits until no process of the server is left, even with queries running (OPS-2)', async () => {
  const dataDir = place.dataDir()
  const database = await place.start(dataDir)
  const pid = serverPid(dataDir)
  const sleeping = query(database, (sql) => sql`select pg_sleep(60)`).catch((error: Error) => error)
  await query(database, async (sql) => {
    while (
      (await sql`select 1 from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()`)
        .length === 0
    );
  })
  await database.stop()
  expect(await sleeping).toBeInstanceOf(Error)
  expect(isAlive(pid)).toBe(false)
  expect(() => serverPid(dataDir)).toThrow('ENOENT')
})

test('the last user of a server stops it, not the first to leave, and leaving twice counts once (OPS-2)', async () => {
  const dataDir = place.dataDir()
  const first = await startWithRow(dataDir)
  const second = await place.start(dataDir)
  expect([first.started, second.started]).toEqual([true, false])
  await first.stop()
  await first.stop()
  expect(await rows(second)).toEqual(['committed'])
  const pid = serverPid(dataDir)
  await second.stop()
  expect(isAlive(pid)).toBe(false)
})

test('after kill -9 of the server no committed row is lost, and the gateway starts it again (OPS-3)', async () => {
  const dataDir = place.dataDir()
  const database = await startWithRow(dataDir)
  process.kill(serverPid(dataDir), 'SIGKILL')
  while (!(await database.revive()));
  expect(await rows(database)).toEqual(['committed'])
  expect(await database.revive()).toBe(false)
})

test('the watch brings a killed server back by itself (OPS-3)', async () => {
  const dataDir = place.dataDir()
  const database = await place.start(dataDir, { watchEveryMs: 1 })
  const killed = serverPid(dataDir)
  process.kill(killed, 'SIGKILL')
  const pidNow = () => readPostmasterFile(clusterOf(dataDir))?.pid
  while (pidNow() === undefined || pidNow() === killed) await Bun.sleep(1)
  await database.stop()
  expect(pidNow()).toBeUndefined()
})

test('data deleted under a running gateway is not replaced by an empty database (OPS-3)', async () => {
  const dataDir = place.dataDir()
  const database = await place.start(dataDir)
  const pid = serverPid(dataDir)
  rmSync(join(dataDir, 'postgres'), { recursive: true })
  process.kill(pid, 'SIGKILL')
  await expect(database.revive()).rejects.toThrow('cluster is gone')
  expect(existsSync(clusterOf(dataDir))).toBe(false)
})

test('the watch keeps the log of a running server small (OPS-3)', async () => {
  const dataDir = place.dataDir()
  await place.start(dataDir, { watchEveryMs: 1 })
  const serverLog = join(dataDir, 'postgres/server.log')
  writeFileSync(serverLog, 'x'.repeat(5_000_000))
  while (statSync(serverLog).size > 0) await Bun.sleep(1)
  expect(statSync(`${serverLog}.1`).size).toBe(5_000_000)
})

test('the server holds its lock as long as any of its processes lives, so no second one can start (OPS-3)', async () => {
  const dataDir = place.dataDir()
  const database = await place.start(dataDir)
  const serverLock = join(dataDir, 'postgres/server.lock')
  expect(tryLockFile(serverLock, 'exclusive')).toBeNull()
  await database.stop()
  const lock = tryLockFile(serverLock, 'exclusive')
  expect(lock).not.toBeNull()
  lock?.release()
})

test('left-overs of a dead server do not stop the next start, even if their pid lives as something else (OPS-3)', async () => {
  const dataDir = place.dataDir()
  await (await startWithRow(dataDir)).stop()
  const cluster = clusterOf(dataDir)
  // What remains after the power failed; its number now belongs to a process that Postgres would take for a server.
  const other = Bun.spawn(['sleep', '60'], { ...(isRoot ? NOBODY : {}) })
  for (const name of ['postmaster.pid', '.s.PGSQL.5432.lock']) {
    writeFileSync(
      join(cluster, name),
      `${other.pid}\n${cluster}\n1795304437\n5432\n.\n\n 10035289        12\nready   \n`,
    )
  }
  writeFileSync(join(cluster, '.s.PGSQL.5432'), '')
  const database = await place.start(dataDir)
  expect(database.started).toBe(true)
  expect(await rows(database)).toEqual(['committed'])
  other.kill('SIGKILL')
  await other.exited
})

test('a path too long for a socket still gives a connection (OPS-3)', async () => {
  const dataDir = join(place.dataDir(), 'long'.repeat(30), 'longer'.repeat(20))
  const database = await startWithRow(dataDir)
  expect(Buffer.byteLength(join(clusterOf(dataDir), '.s.PGSQL.5432'))).toBeGreaterThan(107)
  expect(await rows(database)).toEqual(['committed'])
  await database.stop()
})

test.skipIf(!isRoot)('root serves a data directory below a home that its server may not enter (OPS-3)', async () => {
  const home = place.dataDir()
  mkdirSync(home, { mode: 0o700 })
  const dataDir = join(home, 'data')
  const database = await startWithRow(dataDir)
  expect(canReach(clusterOf(dataDir), NOBODY)).toBe(false)
  expect(statSync(clusterOf(dataDir)).uid).toBe(NOBODY.uid)
  expect(readFileSync(`/proc/${serverPid(dataDir)}/status`, 'utf8')).toContain(`Uid:\t${NOBODY.uid}\t${NOBODY.uid}`)
  await database.stop()
  expect(await rows(await place.start(dataDir))).toEqual(['committed'])
})

test('a server that refuses to start says why in one line, with what to do (OPS-3)', async () => {
  const starting = place.start(place.dataDir(), { settings: { max_wal_size: 'plenty' } })
  await expect(starting).rejects.toThrow(/^The embedded Postgres did not start: .*max_wal_size.*DATABASE_URL$/)
})

test('data of another major version is refused, untouched, with what to do (OPS-3)', async () => {
  const dataDir = place.dataDir()
  await (await startWithRow(dataDir)).stop()
  const version = join(clusterOf(dataDir), 'PG_VERSION')
  writeFileSync(version, '17\n')
  await expect(place.start(dataDir)).rejects.toThrow(
    /was written by Postgres 17, this turnpike brings 18.*DATABASE_URL/,
  )
  writeFileSync(version, '18\n')
  expect(await rows(await place.start(dataDir))).toEqual(['committed'])
})

test('a DATA_DIR that can not be one is refused in one line (OPS-3)', async () => {
  const dataDir = place.dataDir()
  writeFileSync(dataDir, 'a file')
  await expect(place.start(dataDir)).rejects.toThrow(/^DATA_DIR can't be used: .*DATABASE_URL$/)
  chmodSync(dataDir, 0o600)
})
