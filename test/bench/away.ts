/**
 * Postgres away under load: bun test/bench/away.ts [seconds] [clients]
 *
 * The compiled binary, a database behind a door (test/support/database-gate.ts) that is shut for that long while clients go on. Told: how much
 * waited in the journal, how long it took to be written once the door was open, with the load going on, and what the gateway's memory did.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { anyDialect, checkBooks, openCrashScene, startLoad } from '../support/crash-scene.ts'
import { startDatabaseGate } from '../support/database-gate.ts'
import { embeddedPlace } from '../support/embedded-place.ts'
import { startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/process-memory.ts'
import { startUpstream } from '../support/scripted-upstream.ts'
import { tearDown } from '../support/teardown.ts'
import { until } from '../support/until.ts'

const seconds = Number(process.argv[2] ?? 5)
const clients = Number(process.argv[3] ?? 24)
const MEGABYTE = 1024 * 1024

const place = await embeddedPlace()
const database = await startDatabaseGate(place)
const upstream = await startUpstream(anyDialect)
const gateway = await startGateway({ DATABASE_URL: database.url })
const scene = await openCrashScene(gateway, upstream.url)
const load = startLoad(scene, () => gateway.url, clients)

function journalBytes(): number {
  const home = join(gateway.folder, 'data/journal')
  const paths = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.journal'))
  return paths.reduce((sum, path) => sum + (statSync(join(home, path), { throwIfNoEntry: false })?.size ?? 0), 0)
}
const megabytes = (bytes: number) => (bytes / MEGABYTE).toFixed(1)

await Bun.sleep(3000)
const [memory, answered] = [residentBytes(gateway.pid), load.complete.size]
await database.shut()
await Bun.sleep(seconds * 1000)
const backlog = load.complete.size - answered
console.log(
  `away for ${seconds} s: ${Math.round(backlog / seconds)} answers/s went on, ${load.broken} broke; ${backlog} records waited, ` +
    `${megabytes(journalBytes())} MB of journal; memory ${megabytes(memory)} → ${megabytes(residentBytes(gateway.pid))} MB`,
)
const [openedAt, before] = [performance.now(), load.complete.size]
await database.open()
await until(() => journalBytes() < MEGABYTE, { what: 'the journal to be written', withinMs: 600_000, everyMs: 50 })
const tookSeconds = (performance.now() - openedAt) / 1000
const meanwhile = load.complete.size - before
console.log(
  `caught up in ${tookSeconds.toFixed(1)} s with ${Math.round(meanwhile / tookSeconds)} answers/s going on: ` +
    `${Math.round((backlog + meanwhile) / tookSeconds)} records/s; memory ${megabytes(residentBytes(gateway.pid))} MB`,
)
await load.stop()
const books = await checkBooks(gateway, scene, load)
console.log(`${load.complete.size} answers, ${books.records} records, ${books.charges} charges`)
await gateway.remove()
await upstream.stop()
await database.stop()
await place.clear()
await tearDown()
