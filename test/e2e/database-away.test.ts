/**
 * Postgres away (OPS-5): relaying goes on from memory, usage waits in the journal, operators are told that it is away; when it is back everything
 * is made up for by itself. The gateway is the compiled binary; its database is reached through a door that can be shut.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  anyDialect,
  askDoctor,
  type CrashScene,
  checkBooks,
  openCrashScene,
  readiness,
  startLoad,
} from '../support/crash-scene.ts'
import { type DatabaseGate, startDatabaseGate } from '../support/database-gate.ts'
import { CHAT } from '../support/dialects.ts'
import { type EmbeddedPlace, embeddedPlace } from '../support/embedded-place.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type ScriptedUpstream, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

let place: EmbeddedPlace
let database: DatabaseGate
let upstream: ScriptedUpstream
let gateway: Gateway
let scene: CrashScene
let settings: Record<string, string>
beforeAll(async () => {
  place = await embeddedPlace()
  database = await startDatabaseGate(place)
  upstream = await startUpstream(anyDialect)
  settings = { DATABASE_URL: database.url, FLUSH_INTERVAL_MS: '50', RESERVE_OUTPUT_TOKENS: '100' }
  gateway = await startGateway(settings)
  scene = await openCrashScene(gateway, upstream.url)
}, 180_000)
afterAll(async () => {
  await gateway.remove()
  await upstream.stop()
  await database.stop()
  await place.clear()
}, 60_000)

function ask(key = scene.key): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return fetch(gateway.url + CHAT.wholePath, { method: 'POST', headers, body: CHAT.wholeRequest })
}

/** Bytes in the journal of the running gateway. */
function journalBytes(): number {
  const home = join(gateway.folder, 'data/journal')
  const paths = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.journal'))
  return paths.reduce((sum, path) => sum + readFileSync(join(home, path)).length, 0)
}

test('relaying goes on, records wait in the journal, admin calls are 503, readyz stays 200 and says degraded; then all is written once (OPS-5, OPS-1, BIL-13)', async () => {
  await database.shut()
  await until(async () => (await readiness(gateway)).checks.database === 'degraded', { what: 'degraded' })
  const load = startLoad(scene, () => gateway.url, 5)
  await until(() => load.complete.size >= 100, { what: '100 answers without a database' })
  await load.stop()
  expect(load.broken).toBe(0)
  expect(await readiness(gateway)).toMatchObject({ code: 200, status: 'degraded', checks: { journal: 'ok' } })
  expect(journalBytes()).toBeGreaterThan(100 * 500)
  const authorization = `Bearer ${gateway.adminToken}`
  const write = await fetch(`${gateway.url}/admin/users`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{"email":"two@example.com","username":"two"}',
  })
  expect(write.status).toBe(503)
  expect(await write.json()).toMatchObject({ error: { code: 'database_unavailable' } })
  expect((await fetch(`${gateway.url}/admin/users`, { headers: { authorization } })).status).toBe(503)

  await database.open()
  const books = await checkBooks(gateway, scene, load)
  expect(books.records).toBe(load.complete.size)
  await until(() => journalBytes() === 0, { what: 'the journal to be empty' })
  expect(await askDoctor(gateway, settings)).toBe('')
})

test('what is changed while this instance hears nothing is known to it moments after the database is back (OPS-5, KEY-3)', async () => {
  const made = await gateway.admin<{ id: string; api_key: string }>('POST', '/admin/keys', { name: 'to be disabled' })
  const other = await gateway.admin<{ id: string; api_key: string }>('POST', '/admin/keys', { name: 'later' })
  expect((await ask(made.api_key)).status).toBe(200)
  await database.shut()
  await until(async () => (await readiness(gateway)).checks.database === 'degraded', { what: 'degraded' })
  expect((await ask(made.api_key)).status).toBe(200)
  await database.changeDirectly(`update api_keys set active = false where id = '${made.id}'`)
  await database.open()
  await until(async () => (await ask(made.api_key)).status === 401, { what: 'the disabled key to be refused' })
  // And it hears again what others do.
  await database.changeDirectly(
    `update api_keys set active = false where id = '${other.id}'; select pg_notify('turnpike_changes', 'key:${other.id}')`,
  )
  await until(async () => (await ask(other.api_key)).status === 401, {
    what: 'the other key to be refused',
    withinMs: 2000,
  })
})

test('SIGTERM while the database is away: exit 0, and the next start writes what waited before it serves (OPS-2, OPS-5, BIL-7)', async () => {
  await until(() => journalBytes() === 0, { what: 'the journal to be empty' })
  const before = await gateway.admin<{ balance_usd: number }>('GET', `/admin/users/${scene.userId}`)
  await database.shut()
  const ids = new Set<string>()
  for (let sent = 0; sent < 20; sent++) ids.add((await ask()).headers.get('x-turnpike-request-id') ?? '')
  expect(await gateway.stop()).toBe(0)
  expect(gateway.log()).toContain('usage records wait in the journal')
  await database.open()
  expect(await askDoctor(gateway, settings)).toContain('20 records wait for the database')

  gateway = await startGateway(settings, gateway.folder)
  const { data } = await gateway.admin<{ data: { id: string; charged_usd: number }[] }>(
    'GET',
    '/admin/usage?limit=1000',
  )
  const written = data.filter(({ id }) => ids.has(id))
  expect(written).toHaveLength(20)
  const spent = written.reduce((sum, { charged_usd }) => sum + charged_usd, 0)
  const after = await gateway.admin<{ balance_usd: number }>('GET', `/admin/users/${scene.userId}`)
  expect(after.balance_usd).toBeCloseTo(before.balance_usd - spent, 9)
})

test('kill -9 while the database is away: a limit that was used up is used up after the restart (KEY-5, BIL-7, OPS-1)', async () => {
  const key = await gateway.admin<{ api_key: string }>('POST', '/admin/keys', { name: 'limited', token_limit: 300 })
  expect((await ask(key.api_key)).status).toBe(200)
  await until(() => journalBytes() === 0, { what: 'the journal to be empty' })
  await database.shut()
  const refusal = await until(
    async () => {
      const response = await ask(key.api_key)
      return response.ok ? null : response
    },
    { what: 'the end of its tokens' },
  )
  expect(await refusal.json()).toMatchObject({ error: { code: 'insufficient_quota' } })
  await gateway.stop('SIGKILL')
  await database.open()
  gateway = await startGateway(settings, gateway.folder)
  expect((await ask(key.api_key)).status).toBe(refusal.status)
})
