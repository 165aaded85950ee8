/**
 * What it costs to bring finished requests into the database: bun test/bench/flush.ts [rows] [batch]
 *
 * An embedded Postgres with the settings it is shipped with (fsync on), batches one after another with records, totals, rollups, ledger and
 * balances. Told: rows a second, CPU a row of this process and of Postgres's (from /proc), how long the event loop was held up, and what a
 * line and its place in the journal cost the request.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { receiptLine } from '../../src/db/receipt-rows.ts'
import { findFault, insertReceiptLines } from '../../src/db/receipts.ts'
import { createJournal } from '../../src/lib/journal.ts'
import { embeddedPlace } from '../support/embedded-place.ts'
import { makeTraffic, type Traffic } from '../support/traffic.ts'

const ROWS = Number(process.argv[2] ?? 40_000)
const BATCH = Number(process.argv[3] ?? 500)
const TICKS_A_SECOND = 100

const place = await embeddedPlace()
const dataDir = place.dataDir()
const embedded = await place.start(dataDir)
await migrate(embedded.target)
const database = await createDatabase({ target: embedded.target })
const { sql } = database
await ensurePartitions(sql, Date.now())
const postmaster = Number(readFileSync(`${dataDir}/postgres/cluster/postmaster.pid`, 'utf8').split('\n')[0])

for (const users of [20, 200]) {
  const traffic = await makeTraffic(database.db, { users })
  if (users === 20) measureLines(traffic)
  await flush(linesOf(traffic, 5 * BATCH))
  for (let round = 0; round < 2; round++) await measureFlush(users, traffic)
  const delaysMs = await withTicker(() => flush(linesOf(traffic, ROWS)))
  const p99 = delaysMs[Math.floor(delaysMs.length * 0.99)] ?? 0
  console.log(
    `${users} users: event loop held up p99 ${p99.toFixed(1)} ms, most ${(delaysMs.at(-1) ?? 0).toFixed(1)} ms`,
  )
}
await database.close()
await place.clear()

function linesOf(traffic: Traffic, count: number): string[] {
  return traffic.receipts(count).map(receiptLine)
}

async function flush(lines: readonly string[]): Promise<void> {
  for (let from = 0; from < lines.length; from += BATCH) {
    const { rejected } = await insertReceiptLines(sql, lines.slice(from, from + BATCH), { timeZone: 'UTC' })
    if (rejected.length > 0) throw new Error(rejected[0]?.reason)
  }
}

async function measureFlush(users: number, traffic: Traffic): Promise<void> {
  const lines = linesOf(traffic, ROWS)
  const [startedAt, cpu, ticks] = [performance.now(), process.cpuUsage(), ticksOf(postmaster)]
  await flush(lines)
  const postgresMicros = ((ticksOf(postmaster) - ticks) * (1e6 / TICKS_A_SECOND)) / ROWS
  const rowsPerSecond = Math.round((ROWS * 1000) / (performance.now() - startedAt))
  console.log(
    `${users} users, batches of ${BATCH}: ${rowsPerSecond} rows/s; CPU a row: flush ${microsSince(cpu, ROWS)} µs, ` +
      `Postgres ${postgresMicros.toFixed(1)} µs`,
  )
}

function measureLines(traffic: Traffic): void {
  const directory = mkdtempSync(join(tmpdir(), 'turnpike-journal-'))
  const journal = createJournal({ directory, segmentBytes: 4 * 1024 * 1024, syncMs: 200 })
  const receipts = traffic.receipts(10_000)
  const measure = (title: string, work: () => void) => {
    work()
    const cpu = process.cpuUsage()
    for (let round = 0; round < 5; round++) work()
    console.log(`${title}: ${microsSince(cpu, 5 * receipts.length)} µs CPU a request`)
  }
  measure('checking a receipt', () => receipts.forEach(findFault))
  measure('its line', () => receipts.forEach(receiptLine))
  const lines = receipts.map(receiptLine)
  measure('its place in the journal', () => {
    for (const line of lines) journal.append(line)
  })
  rmSync(directory, { recursive: true })
}

async function withTicker(work: () => Promise<void>): Promise<number[]> {
  const delaysMs: number[] = []
  let last = performance.now()
  const ticker = setInterval(() => {
    const now = performance.now()
    delaysMs.push(Math.max(0, now - last - 2))
    last = now
  }, 2)
  await work()
  clearInterval(ticker)
  return delaysMs.sort((a, b) => a - b)
}

function microsSince(before: NodeJS.CpuUsage, count: number): string {
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / count).toFixed(1)
}

/** User and system time of a process and its children, also of those that have ended. */
function ticksOf(parent: number): number {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number)
      const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15)
      if (Number(pid) === parent) ticks += utime + stime + cutime + cstime
      else if (fields[1] === parent) ticks += utime + stime
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks
}
