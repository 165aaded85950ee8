/**
 * Each report on usage over many records (USE-19): time with nothing in memory, time and CPU when warm, and then whether it says the same as the
 * records do. By hand: `bun test/bench/usage-reports.ts [ROWS] [FOLDER] [TEXT]`; 200,000 rows unless told, 10 million take 12 GB. A folder that is
 * named is kept, and used again when it is full; TEXT: only the reports in whose name it stands. With the embedded database's own settings, but
 * no fsync.
 *
 * Cold: the server is started anew and its files are put out of the page cache before each report. CPU: the server's process and ours together,
 * as times on a shared machine say little.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type Database } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { generateUsage } from '../support/usage-generator.ts'
import { REPORTS } from '../support/usage-report-cases.ts'

const [rows = '200000', folder, text = ''] = process.argv.slice(2)
const ASKED = REPORTS.filter(({ name }) => name.includes(text))
const NOW = Date.UTC(2026, 6, 24, 18)
const SIZES = { days: 400, users: 500, keys: 2000, models: 40, accounts: 50 }
const TIME_ZONE = 'UTC'
const WARM_RUNS = 7
const FILLING = { fsync: 'off', synchronous_commit: 'off', max_wal_size: '8GB', autovacuum: 'off' }
const READING = { fsync: 'off', autovacuum: 'off' }
const TICK_MS = 10

const dataDir = folder ?? mkdtempSync(join(tmpdir(), 'turnpike-bench-'))
const log = { info: () => {}, warn: console.warn }

async function withDatabase<T>(settings: Record<string, string>, use: (database: Database) => Promise<T>): Promise<T> {
  const server = await startEmbedded({ dataDir, log, settings, watchEveryMs: 0 })
  await migrate(server.target)
  const database = await createDatabase({
    target: server.target,
    rawConnections: 1,
    adminConnections: 1,
    adminTimeoutMs: 0,
  })
  try {
    // Indexes over millions of rows take longer than any flush.
    await database.sql`set statement_timeout = 0`
    return await use(database)
  } finally {
    await database.close()
    await server.stop()
  }
}

async function fill({ sql }: Database): Promise<void> {
  const began = performance.now()
  const onDay = (day: number) => void (day % 50 === 0 && console.log(`… day ${day}`))
  await generateUsage(sql, { ...SIZES, rows: Number(rows), nowMs: NOW, timeZone: TIME_ZONE, onDay })
  await sql`vacuum analyze`
  console.log(`${rows} records made in ${((performance.now() - began) / 1000).toFixed(0)} s`)
}

async function tellSizes({ sql }: Database): Promise<void> {
  const [size] = await sql<Record<string, bigint>[]>`
    select pg_database_size(current_database()) as bytes, (select count(*) from usage_records) as records,
      (select count(*) from usage_hourly) as hourly, (select count(*) from usage_daily) as daily`
  console.log(
    `${(Number(size?.bytes) / 1e9).toFixed(1)} GB: ${size?.records} records, ${size?.hourly} hourly and ${size?.daily} daily sums`,
  )
}

/** The kernel forgets each file of the cluster. */
function evict(): void {
  Bun.spawnSync(['sync', '-f', dataDir])
  const base = join(dataDir, 'postgres/cluster/base')
  for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' })) {
    if (!/\/\d+(_\w+)?(\.\d+)?$/.test(name)) continue
    Bun.spawnSync(['dd', `if=${join(base, name)}`, 'iflag=nocache', 'count=0', 'status=none'])
  }
}

async function elapsed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1] ?? 0
const shown = (ms: number) => ms.toFixed(0).padStart(8)
const depsOf = ({ db, sql }: Database) => ({ db, sql, nowMs: NOW, timeZone: TIME_ZONE })

/** Of the server's process, and ours. */
async function cpuClock({ db }: Database): Promise<() => number> {
  const [row] = await db.execute('select pg_backend_pid() as pid')
  return () => {
    const fields = readFileSync(`/proc/${row?.pid}/stat`, 'utf8').split(' ')
    const { user, system } = process.cpuUsage()
    return (Number(fields[13]) + Number(fields[14])) * TICK_MS + (user + system) / 1000
  }
}

async function measure(report: (typeof REPORTS)[number]): Promise<void> {
  evict()
  await withDatabase(READING, async (database) => {
    const cpuMs = await cpuClock(database)
    const deps = depsOf(database)
    const cold = await elapsed(() => report.run(deps))
    const [warm, before]: [number[], number] = [[], cpuMs()]
    for (let time = 0; time < WARM_RUNS; time++) warm.push(await elapsed(() => report.run(deps)))
    const cpu = (cpuMs() - before) / WARM_RUNS
    console.log(`${report.name.padEnd(60)}${shown(cold)}${shown(Math.min(...warm))}${shown(median(warm))}${shown(cpu)}`)
  })
}

async function compare(report: (typeof REPORTS)[number], database: Database): Promise<void> {
  const deps = depsOf(database)
  const began = performance.now()
  const plain = await report.plain(deps)
  const tookMs = performance.now() - began
  const equal = Bun.deepEquals(await report.run(deps), plain)
  console.log(`${report.name.padEnd(60)}${shown(tookMs)}  ${equal ? 'equal' : 'NOT EQUAL'}`)
  if (!equal) process.exitCode = 1
}

try {
  mkdirSync(dataDir, { recursive: true })
  if (!existsSync(join(dataDir, 'postgres'))) await withDatabase(FILLING, fill)
  await withDatabase(READING, tellSizes)
  console.log(`\n${'milliseconds'.padEnd(60)}    cold    best  median     CPU`)
  for (const report of ASKED) await measure(report)
  console.log(`\n${'the same from records'.padEnd(60)}      ms`)
  await withDatabase(READING, async (database) => {
    for (const report of ASKED) await compare(report, database)
  })
} finally {
  if (folder === undefined) rmSync(dataDir, { recursive: true, force: true })
}
