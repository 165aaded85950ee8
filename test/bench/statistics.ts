/**
 * What the usage statistics cost: bun test/bench/statistics.ts
 *
 * One record; memory after 10 M records over 1,000 keys × 20 models; freezing and writing that snapshot; importing 1 M details of another tool into
 * a real Postgres, then its export again: seconds, and the longest that the event loop stood still (a 5 ms ticker).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { snapshotText } from '../../src/admin/statistics-text.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import { newId } from '../../src/lib/ids.ts'
import { inTurns } from '../../src/lib/in-turns.ts'
import { createLiveStats } from '../../src/state/live-stats.ts'
import { freshDatabase } from '../support/database.ts'
import { makeReceipt } from '../support/receipts.ts'
import { spaciousDirectory } from '../support/spacious-directory.ts'
import { statisticsOver } from '../support/statistics.ts'

const START = Date.UTC(2026, 6, 1)
const KEYS = Array.from({ length: 1000 }, () => newId())
const MODELS = Array.from({ length: 20 }, (_, index) => `model-${index}`)
const ACCOUNTS = Array.from({ length: 50 }, () => newId())
const TICK_MS = 5

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
const rss = () => {
  Bun.gc(true)
  return process.memoryUsage.rss()
}

/**
 * The longest that the event loop had for nobody else. A tick that comes late on a busy machine proves nothing: what counts of it is the CPU time
 * that this process (all of its threads) used meanwhile.
 */
async function watchLoop<T>(title: string, work: () => Promise<T>): Promise<T> {
  let [last, lastCpu, longest] = [performance.now(), cpuMs(), 0]
  const ticker = setInterval(() => {
    const [now, cpu] = [performance.now(), cpuMs()]
    longest = Math.max(longest, Math.min(now - last - TICK_MS, cpu - lastCpu))
    last = now
    lastCpu = cpu
  }, TICK_MS)
  const [startedAt, startedCpu, startedServer] = [performance.now(), cpuMs(), serverCpuMs()]
  const result = await work()
  await Bun.sleep(TICK_MS * 2)
  clearInterval(ticker)
  const [here, server] = [cpuMs() - startedCpu, serverCpuMs() - startedServer]
  console.log(
    `${title.padEnd(50)} ${inSeconds(performance.now() - startedAt)} (CPU: here ${inSeconds(here)}, Postgres ${inSeconds(server)}), longest block ${longest.toFixed(0)} ms`,
  )
  return result
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

let postmaster = ''

/** Of the server and its backends, from /proc: clock ticks are 10 ms. */
function serverCpuMs(): number {
  if (postmaster === '') return 0
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      if (pid === postmaster || fields[1] === postmaster) ticks += Number(fields[11]) + Number(fields[12])
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10
}

async function findPostmaster({ sql }: Awaited<ReturnType<typeof freshDatabase>>): Promise<void> {
  const [{ pid = 0 } = {}] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  postmaster =
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[1] ?? ''
}

/** Made in advance, so that making them is not measured; times and ids vary as they do. */
function traffic(count: number): Receipt[] {
  const base = makeReceipt()
  return Array.from({ length: count }, (_, index) => {
    const createdAtMs = START + index * 3
    const usage = { ...base.usage, input: index % 5000, output: 300, cacheRead: 1000 }
    const keyId = KEYS[index % KEYS.length]!
    const model = MODELS[Math.floor(index / KEYS.length) % MODELS.length]!
    const accountId = ACCOUNTS[index % ACCOUNTS.length]!
    return { ...base, id: newId(createdAtMs), keyId, model, accountId, usage, createdAtMs }
  })
}

async function measureRecords(): Promise<void> {
  const receipts = traffic(100_000)
  // As flushes take them.
  const batches = Array.from({ length: 100 }, (_, index) => receipts.slice(index * 1000, (index + 1) * 1000))
  const stats = createLiveStats({ timeZone: 'Europe/Berlin', mostDetails: 1000 })
  const before = rss()
  for (const rounds of [10, 40, 50]) {
    const startedAt = cpuMs()
    for (let round = 0; round < rounds; round++) {
      for (const batch of batches) {
        for (const receipt of batch) stats.record(receipt)
        stats.flushed(batch)
      }
    }
    const each = ((cpuMs() - startedAt) * 1000) / (rounds * receipts.length)
    console.log(`record and flushed, ${rounds / 10} M: ${each.toFixed(3)} µs of CPU each`)
  }
  console.log(`10 M records over 1,000 keys × 20 models: ${megabytes(rss() - before)} more, 500 details each kept`)
  for (let round = 0; round < 100; round++) for (const receipt of receipts) stats.record(receipt)
  stats.flushed(receipts)
  console.log(`20 M records, all 20,000 rings full (20 M details): ${megabytes(rss() - before)} more`)
  const startedAt = cpuMs()
  const frozen = stats.freeze(true)
  console.log(`freezing it: ${(cpuMs() - startedAt).toFixed(1)} ms of CPU`)
  let bytes = 0
  await watchLoop('writing 2 M details of the snapshot as JSON', async () => {
    for await (const chunk of inTurns(snapshotText(frozen, 100))) bytes += chunk.length
  })
  console.log(`  ${megabytes(bytes)}`)
  const again = cpuMs()
  for (const receipt of receipts) stats.record(receipt)
  console.log(
    `record after a freeze, rings copied on write: ${(((cpuMs() - again) * 1000) / receipts.length).toFixed(3)} µs of CPU each`,
  )
}

/** As CLIProxyAPI writes: nine digits and an offset, fields of its own. */
async function writeForeignFile(path: string, count: number): Promise<void> {
  const file = Bun.file(path).writer()
  const series = 2000
  const each = count / series
  file.write('{"version":1,"exported_at":"2026-07-25T08:00:00.5+08:00","usage":{"total_requests":0,"apis":{')
  for (let key = 0; key < series / 20; key++) {
    file.write(`${key === 0 ? '' : ','}"sk-${key}":{"total_requests":0,"total_tokens":0,"models":{`)
    for (const [number, model] of MODELS.entries()) {
      file.write(`${number === 0 ? '' : ','}"${model}":{"total_requests":${each},"total_tokens":0,"details":[`)
      for (let index = 0; index < each; index++) {
        const time = new Date(START + key * 1000 + index * 600_000).toISOString().slice(0, 19)
        file.write(
          `${index === 0 ? '' : ','}{"timestamp":"${time}.${String(index).padStart(9, '1')}+08:00","latency_ms":1234,"source":"user${index % 9}@example.com","auth_index":"a1b2c3d4e5f60718","tokens":{"input_tokens":${index},"output_tokens":567,"reasoning_tokens":89,"cached_tokens":1000,"total_tokens":${index + 567}},"failed":${index % 11 === 0}}`,
        )
      }
      file.write(']}')
      await file.flush()
    }
    file.write('}}')
  }
  file.write('}}}')
  await file.end()
}

async function measureImport(): Promise<void> {
  const folder = mkdtempSync(join(spaciousDirectory(), 'turnpike-bench-'))
  const database = await freshDatabase()
  try {
    const [foreign, exported] = [join(folder, 'foreign.json'), join(folder, 'exported.json')]
    await findPostmaster(database)
    await writeForeignFile(foreign, 1_000_000)
    const one = await statisticsOver(database)
    const stream = (path: string) => Bun.file(path).stream() as AsyncIterable<Uint8Array>
    console.log(`file of another tool: ${megabytes(statSync(foreign).size)}`)
    const first = await watchLoop('import of 1 M details', () => one.importChunks(stream(foreign)))
    console.log(`  ${JSON.stringify(first)}, ${megabytes(rss())} resident`)
    const second = await watchLoop('the same again', () => one.importChunks(stream(foreign)))
    console.log(`  ${JSON.stringify(second)}`)
    await watchLoop('export of 1 M details', async () =>
      Bun.write(exported, new Response(inTurns(await one.exportText()) as never)),
    )
    const third = await watchLoop('import of that export', () => one.importChunks(stream(exported)))
    console.log(`  ${JSON.stringify(third)}`)
    const restarted = await statisticsOver(database)
    await watchLoop('start: everything read back', () => restarted.loader.ready())
  } finally {
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  }
}

await measureImport()
await measureRecords()
process.exit(0)
