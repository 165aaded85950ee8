/**
 * kill -9 in the middle of everything (OPS-1, BIL-13): the compiled binary under load, with streams and whole answers of every protocol, is killed
 * at random moments and started again; then its Postgres; then both. A few rounds here; `bun test/bench/crash.ts` runs as many as one likes.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type CrashKind, runCrashRounds } from '../support/crash-rounds.ts'
import { anyDialect, askDoctor, checkBooks, openCrashScene, startLoad } from '../support/crash-scene.ts'
import { type EmbeddedPlace, embeddedPlace } from '../support/embedded-place.ts'
import { startGateway } from '../support/gateway.ts'
import { startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(180_000)

let place: EmbeddedPlace
beforeAll(async () => {
  place = await embeddedPlace()
}, 180_000)
afterAll(() => place.clear(), 60_000)

test('a process that dies beside others on one DATA_DIR: a sibling adopts its journal, once (OPS-1, BIL-13)', async () => {
  const upstream = await startUpstream(anyDialect)
  const settings = { FLUSH_INTERVAL_MS: '600000' }
  const first = await startGateway(settings)
  const scene = await openCrashScene(first, upstream.url)
  const sibling = await startGateway(settings, first.folder)
  const load = startLoad(scene, () => first.url, 5)
  await until(() => load.complete.size >= 50, { what: '50 answers' })
  await load.stop()
  expect((await first.admin<{ data: unknown[] }>('GET', '/admin/usage')).data).toEqual([])
  await first.stop('SIGKILL')
  const books = await checkBooks(sibling, scene, load)
  expect(books.records).toBe(load.complete.size)
  expect(await askDoctor(sibling)).toBe('')
  await sibling.remove()
  await upstream.stop()
})

const ROUNDS: Record<CrashKind, number> = { gateway: 3, database: 2, both: 2 }

for (const [kind, rounds] of Object.entries(ROUNDS) as [CrashKind, number][]) {
  const killed = { gateway: 'the gateway', database: 'Postgres', both: 'the gateway and Postgres' }[kind]
  test(`kill -9 of ${killed}: every answer that came to its end has one record and one charge (BIL-13, OPS-1, BIL-8)`, async () => {
    const settings: Record<string, string> = kind === 'both' ? { JOURNAL_SYNC: 'each' } : {}
    const { books, load } = await runCrashRounds(place, { kind, rounds, atATime: 12, settings })
    expect(load.complete.size).toBeGreaterThan(rounds * 5)
    expect(books.records).toBeGreaterThanOrEqual(load.complete.size)
  })
}
