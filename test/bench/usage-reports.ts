/**
 * Each report on usage over many records (USE-19): time with nothing in memory, time warm, and whether it says the same as the records do.
 * By hand: `bun test/bench/usage-reports.ts [ROWS] [FOLDER]`; 10 million take 15 GB, which are deleted at the end. With the embedded database's
 * own settings. Cold: the server is started anew and its files are put out of the page cache before each report.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type Database } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { generateUsage } from '../support/usage-generator.ts'
import { REPORTS } from '../support/usage-report-cases.ts'

const [rows = '200000', folder = tmpdir()] = process.argv.slice(2)
const NOW = Date.UTC(2026, 6, 24, 18)
const TIME_ZONE = 'UTC'
const WARM_RUNS = 7
const log = { info: () => {}, warn: console.warn }

const dataDir = mkdtempSync(join(folder, 'turnpike-bench-'))
const settings = { fsync: 'off', synchronous_commit: 'off', max_wal_size: '4GB' }
const open = () => startEmbedded({ dataDir, log, settings, watchEveryMs: 0 })

async function withDatabase<T>(use: (database: Database) => Promise<T>): Promise<T> {
  const server = await open()
  const database = await createDatabase({ target: server.target, adminTimeoutMs: 0 })
  try {
    return await use(database)
  } finally {
    await database.close()
    await server.stop()
  }
}

/** The kernel forgets each file of the cluster. */
function evict(): void {
  Bun.spawnSync(['sync', '-f', dataDir])
  const base = join(dataDir, 'postgres/cluster/base')
  for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' })) {
    if (/\/\d+(_\w+)?(\.\d+)?$/.test(name)) {
      Bun.spawnSync(['dd', `if=${join(base, name)}`, 'iflag=nocache', 'count=0', 'status=none'])
    }
  }
}

const elapsed = async (run: () => Promise<unknown>) => {
  const began = performance.now()
  await run()
  return performance.now() - began
}
const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1] ?? 0
const shown = (ms: number) => ms.toFixed(0).padStart(7)

try {
  const server = await open()
  await migrate(server.target)
  await server.stop()
  const took = await elapsed(() =>
    withDatabase(async ({ sql }) => {
      const sizes = { days: 400, users: 500, keys: 2000, models: 40, accounts: 50 }
      await generateUsage(sql, { ...sizes, rows: Number(rows), nowMs: NOW, timeZone: TIME_ZONE, onDay })
      await sql`vacuum analyze`
      const [size] = await sql<{ bytes: bigint; hourly: bigint; daily: bigint }[]>`
        select pg_database_size(current_database()) as bytes, (select count(*) from usage_hourly) as hourly, (select count(*) from usage_daily) as daily`
      console.log(
        `database ${(Number(size!.bytes) / 1e9).toFixed(1)} GB, ${size!.hourly} hourly and ${size!.daily} daily rows`,
      )
    }),
  )
  console.log(`${rows} records made in ${(took / 1000).toFixed(0)} s`)
  console.log(`${'report'.padEnd(46)} cold ms  warm ms  from records ms  equal`)
  for (const { name, run, plain } of REPORTS) {
    evict()
    await withDatabase(async (database) => {
      const deps = { db: database.db, sql: database.sql, nowMs: NOW, timeZone: TIME_ZONE }
      const cold = await elapsed(() => run(deps))
      const warm: number[] = []
      for (let time = 0; time < WARM_RUNS; time++) warm.push(await elapsed(() => run(deps)))
      const began = performance.now()
      const equal = plain ? Bun.deepEquals(await run(deps), await plain(deps)) : null
      const slow = plain ? shown(performance.now() - began) : '       '
      console.log(`${name.padEnd(46)}${shown(cold)}  ${shown(median(warm))}          ${slow}  ${equal ?? '-'}`)
      if (equal === false) process.exitCode = 1
    })
  }
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

function onDay(day: number): void {
  if (day % 50 === 0) console.log(`… day ${day}`)
}
