/** SIGTERM with streams open (OPS-2): they finish, `/readyz` says no at once, nothing is lost; a second signal does not wait, and loses nothing either. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type CrashScene, checkBooks, openCrashScene, readiness } from '../support/crash-scene.ts'
import { RESPONSES, streamOf } from '../support/dialects.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { beginStream, type ScriptedUpstream, sendPieces, startUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

const STREAMS = 200
let upstream: ScriptedUpstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

/** Streams that have begun and wait for `goOn` before their last events. */
function pausingStreams() {
  const goOn = Promise.withResolvers<void>()
  upstream.script = async (_, reply) => {
    beginStream(reply)
    await sendPieces(reply, [...RESPONSES.opening, ...RESPONSES.content])
    await Promise.race([goOn.promise, reply.whenGone])
    await sendPieces(reply, RESPONSES.closing)
    reply.end()
  }
  return goOn.resolve
}

function openStreams({ url }: Gateway, { key }: CrashScene, count: number): Promise<Response>[] {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return Array.from({ length: count }, () =>
    fetch(url + RESPONSES.path, { method: 'POST', headers, body: RESPONSES.request }),
  )
}

const idOf = (response: Response) => response.headers.get('x-turnpike-request-id') ?? ''

test(`SIGTERM with ${STREAMS} streams open: readyz says no at once, new requests are refused, all streams finish, exit 0, all are recorded (OPS-2, BIL-13)`, async () => {
  const gateway = await startGateway({ FLUSH_INTERVAL_MS: '60000' })
  const scene = await openCrashScene(gateway, upstream.url)
  const goOn = pausingStreams()
  const responses = await Promise.all(openStreams(gateway, scene, STREAMS))
  const bodies = responses.map((response) => response.text())
  const stopping = gateway.stop('SIGTERM')
  await until(async () => (await readiness(gateway)).code === 503, { what: 'readyz to say no' })
  const refused = await openStreams(gateway, scene, 1)[0]
  expect(refused?.status).toBe(503)
  goOn()
  for (const body of await Promise.all(bodies)) expect(body).toBe(streamOf(RESPONSES).join(''))
  expect(await stopping).toBe(0)

  const next = await startGateway({}, gateway.folder)
  const complete = new Set(responses.map(idOf))
  await checkBooks(next, scene, { complete, sent: STREAMS, broken: 0, stop: async () => {} })
  await next.remove()
})

test('a second signal ends the streams at once; each is recorded once, with what it had used (OPS-2, BIL-9)', async () => {
  const gateway = await startGateway({ FLUSH_INTERVAL_MS: '60000' })
  const scene = await openCrashScene(gateway, upstream.url)
  pausingStreams()
  const responses = await Promise.all(openStreams(gateway, scene, 20))
  const ends = Promise.allSettled(responses.map((response) => response.text()))
  const first = gateway.stop('SIGTERM')
  await until(async () => (await readiness(gateway)).code === 503, { what: 'readyz to say no' })
  process.kill(gateway.pid, 'SIGTERM')
  expect(await first).toBe(0)
  await ends

  const next = await startGateway({}, gateway.folder)
  const { data } = await next.admin<{ data: { id: string; status: string; charged_usd: number }[] }>(
    'GET',
    '/admin/usage?limit=100',
  )
  expect(data.map(({ id }) => id).sort()).toEqual(responses.map(idOf).sort())
  for (const { status, charged_usd } of data) expect([status, charged_usd > 0]).toEqual(['cancelled', true])
  await next.remove()
})
