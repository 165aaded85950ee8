/**
 * A journal that has no room (OPS-1): its bound is reached, or the disk is full – a small file system in the journal's folder, where the test may
 * mount one. The operator's choice holds, nothing is corrupted, and room that comes back is used by itself.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { anyDialect, askDoctor, checkBooks, openCrashScene, readiness, startLoad } from '../support/crash-scene.ts'
import { type DatabaseGate, startDatabaseGate } from '../support/database-gate.ts'
import { CHAT } from '../support/dialects.ts'
import { type EmbeddedPlace, embeddedPlace } from '../support/embedded-place.ts'
import { temporaryFolders } from '../support/folder.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type ScriptedUpstream, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

const newFolder = temporaryFolders()
const mounted: string[] = []
const canMount = process.geteuid?.() === 0 && mount(newFolder(), '100k')
unmountAll()
let place: EmbeddedPlace
let database: DatabaseGate
let upstream: ScriptedUpstream
beforeAll(async () => {
  place = await embeddedPlace()
  upstream = await startUpstream(anyDialect)
}, 180_000)
beforeEach(async () => {
  database = await startDatabaseGate(place)
}, 60_000)
afterEach(() => database.stop())
afterAll(async () => {
  await upstream.stop()
  await place.clear()
}, 60_000)

function mount(path: string, size: string): boolean {
  const { exitCode } = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'turnpike-test', path])
  if (exitCode === 0) mounted.push(path)
  return exitCode === 0
}

function unmountAll(): void {
  for (const path of mounted.splice(0)) Bun.spawnSync(['umount', '-l', path])
}

/** A gateway whose journal lies on a disk of that size. */
async function onSmallDisk(size: string, settings: Record<string, string>) {
  const first = await startGateway({ DATABASE_URL: database.url })
  const scene = await openCrashScene(first, upstream.url)
  await first.stop()
  const journal = join(first.folder, 'data/journal')
  mkdirSync(journal, { recursive: true })
  expect(mount(journal, size)).toBe(true)
  const environment = { DATABASE_URL: database.url, FLUSH_INTERVAL_MS: '50', ...settings }
  const gateway = await startGateway(environment, first.folder)
  return { gateway, scene, environment, journal }
}

async function ask({ url }: Gateway, key: string): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return fetch(url + CHAT.wholePath, { method: 'POST', headers, body: CHAT.wholeRequest })
}

const isDegraded = async (gateway: Gateway) => (await readiness(gateway)).checks.database === 'degraded'

function bytesIn(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.journal'))
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** Answers until one is refused: ids of the good ones, and the refusal. */
async function askUntilRefused(gateway: Gateway, key: string) {
  const complete = new Set<string>()
  for (let sent = 1; ; sent++) {
    const response = await ask(gateway, key)
    const text = await response.text()
    if (!response.ok) return { complete, sent, refusal: { status: response.status, text, headers: response.headers } }
    complete.add(response.headers.get('x-turnpike-request-id') ?? '')
  }
}

test('at JOURNAL_MAX_BYTES new requests are refused and readyz says so; the bound holds, those under way are recorded, and it heals by itself (OPS-1)', async () => {
  const mostBytes = 1024 * 1024
  const settings = { DATABASE_URL: database.url, FLUSH_INTERVAL_MS: '50', JOURNAL_MAX_BYTES: String(mostBytes) }
  const gateway = await startGateway(settings)
  const scene = await openCrashScene(gateway, upstream.url)
  await database.shut()
  await until(() => isDegraded(gateway), { what: 'degraded' })
  const load = startLoad(scene, () => gateway.url, 20)
  await until(async () => (await readiness(gateway)).checks.journal === 'down', {
    what: 'a full journal',
    withinMs: 60_000,
  })
  await load.stop()
  expect((await readiness(gateway)).code).toBe(503)
  const bytes = bytesIn(join(gateway.folder, 'data/journal'))
  expect(bytes).toBeGreaterThan(mostBytes / 2)
  expect(bytes).toBeLessThanOrEqual(mostBytes)
  const refused = await ask(gateway, scene.key)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await refused.json()).toMatchObject({ error: { code: 'journal_full', type: 'overloaded_error' } })

  await database.open()
  const next = await until(async () => ((await readiness(gateway)).code === 200 ? ask(gateway, scene.key) : null), {
    what: 'readiness',
  })
  expect(next.status).toBe(200)
  load.complete.add(next.headers.get('x-turnpike-request-id') ?? '')
  const books = await checkBooks(gateway, scene, { ...load, sent: load.sent + 1 })
  expect(books.records).toBe(load.complete.size)
  expect(await askDoctor(gateway, settings)).toBe('')
  await gateway.remove()
})

describe.skipIf(!canMount)('a full disk (needs root, to mount a small one)', () => {
  afterEach(unmountAll)

  test('new requests are refused; what was served is recorded when the database is back, and serving goes on (OPS-1)', async () => {
    const { gateway, scene, environment } = await onSmallDisk('200k', {})
    await database.shut()
    await until(() => isDegraded(gateway), { what: 'degraded' })
    const { complete, sent, refusal } = await askUntilRefused(gateway, scene.key)
    expect([refusal.status, JSON.parse(refusal.text).error.code]).toEqual([503, 'journal_full'])
    expect((await readiness(gateway)).checks.journal).toBe('down')
    expect(gateway.log()).toContain('the journal takes no records')
    await database.open()
    await until(async () => (await readiness(gateway)).status === 'ready', { what: 'readiness', withinMs: 20_000 })
    const later = await ask(gateway, scene.key)
    expect(later.status).toBe(200)
    complete.add(later.headers.get('x-turnpike-request-id') ?? '')
    await checkBooks(gateway, scene, { complete, sent: sent + 1, broken: 0, stop: async () => {} })
    expect(await askDoctor(gateway, environment)).toBe('')
    await gateway.stop()
  })

  test('kill -9 with the disk full: what the journal took is whole, and everything of it is recorded once (OPS-1, BIL-13)', async () => {
    const { gateway, scene, environment } = await onSmallDisk('200k', {})
    await database.shut()
    await until(() => isDegraded(gateway), { what: 'degraded' })
    const { complete } = await askUntilRefused(gateway, scene.key)
    await gateway.stop('SIGKILL')
    await database.open()
    const next = await startGateway(environment, gateway.folder)
    const { data } = await next.admin<{ data: { id: string }[] }>('GET', '/admin/usage?limit=1000')
    const lost = [...complete].filter((id) => !data.some((record) => record.id === id))
    // The one whose record found the disk full: it was in memory alone.
    expect(lost).toEqual([...complete].slice(-1))
    expect(await askDoctor(next, environment)).toBe('')
    await next.stop()
  })

  test('JOURNAL_FULL=unmetered: requests are served on, readyz says degraded, and what memory still held is recorded (OPS-1)', async () => {
    const { gateway, scene, environment } = await onSmallDisk('100k', { JOURNAL_FULL: 'unmetered' })
    await database.shut()
    await until(() => isDegraded(gateway), { what: 'degraded' })
    const load = startLoad(scene, () => gateway.url, 5)
    await until(() => load.complete.size > 300, { what: '300 answers' })
    await load.stop()
    expect(await readiness(gateway)).toMatchObject({ code: 200, checks: { journal: 'degraded' } })
    await database.open()
    const books = await checkBooks(gateway, scene, load)
    expect(books.records).toBe(load.complete.size)
    expect(await askDoctor(gateway, environment)).toBe('')
    await gateway.stop()
  })
})
