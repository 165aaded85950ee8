/** Requests under way and recordings, seen from outside the compiled binary (USE-1, USE-2, USE-4). */
import { describe, expect, test } from 'bun:test'
import { RESPONSES, streamOf } from '../support/dialects.ts'
import { startGateway } from '../support/gateway.ts'
import { useGateway } from '../support/scene.ts'
import { answer, beginStream, type Script } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { gateway, scene, record } = useGateway({ LIVE_SHARE_AFTER: '0', INSTANCE_TIMEOUT: '1' })
const PATH = '/admin/usage/active'

interface Live {
  data: { id: string; status: string; key_name: string | null; account_name: string | null; output_tokens: number }[]
  meta: { pending: number; streaming: number; lost: number | null; complete: boolean }
}

/** Waits before it answers, and again in the middle of the stream. */
function pausing() {
  const [begin, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const script: Script = async (_, reply) => {
    await begin.promise
    beginStream(reply)
    void reply.write([...RESPONSES.opening, ...RESPONSES.content].join(''))
    await rest.promise
    void reply.write(RESPONSES.closing.join(''))
    reply.end()
  }
  return { script, begin: begin.resolve, goOn: rest.resolve }
}

/** What the feed says, event by event. */
async function follow(query: string) {
  const { url, adminToken } = gateway()
  const leave = new AbortController()
  const headers = { authorization: `Bearer ${adminToken}` }
  const response = await fetch(`${url}${PATH}/stream?${query}`, { headers, signal: leave.signal })
  const events: Live[] = []
  let rest = ''
  const reading = (async () => {
    for await (const chunk of response.body!) {
      const blocks = (rest + new TextDecoder().decode(chunk)).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) if (block.startsWith('data: ')) events.push(JSON.parse(block.slice(6)))
    }
  })().catch(() => undefined)
  const end = () => {
    leave.abort()
    return reading
  }
  return { response, events, leave: end }
}

describe('requests under way', () => {
  test('polled and followed: pending, streaming with account and names, gone (USE-2, USE-4)', async () => {
    const { script, begin, goOn } = pausing()
    const { send, keyId } = await scene({ script })
    const feed = await follow('every_seconds=0.5')
    expect(feed.response.headers.get('content-type')).toBe('text/event-stream')
    const sending = send(RESPONSES.path, RESPONSES.request)
    const list = () => gateway().admin<Live>('GET', PATH)
    const pending = await until(async () => (await list()).data[0], { what: 'the request' })
    expect(pending).toMatchObject({ status: 'pending', key_id: keyId, output_tokens: 0, cost_usd: 0 })
    await until(() => feed.events.some(({ data }) => data[0]?.status === 'pending'), { what: 'it in the feed' })
    begin()
    const response = await sending
    const id = response.headers.get('x-turnpike-request-id') ?? ''
    const streaming = await until(async () => (await list()).data.find(({ output_tokens }) => output_tokens > 0), {
      what: 'tokens so far',
    })
    expect(streaming).toMatchObject({ id, status: 'streaming', key_name: 'scene-1', account_name: 'scene-1-0' })
    expect((await gateway().admin<Live>('GET', `${PATH}?ids=${id}`)).data).toHaveLength(1)
    expect(await list()).toMatchObject({ meta: { pending: 0, streaming: 1, lost: 0, complete: true } })
    await until(() => feed.events.some(({ data }) => data[0]?.status === 'streaming'), { what: 'it in the feed' })
    goOn()
    await response.text()
    await record(response)
    await until(() => feed.events.at(-1)?.data.length === 0, { what: 'the feed says that nothing runs' })
    expect((await list()).data).toEqual([])
    await feed.leave()
  })

  test('a feed whose reader reads nothing and one whose reader left hold nothing up, also not the end of the process (USE-4, OPS-2)', async () => {
    const { send } = await scene({ script: (_, reply) => answer(reply, 200, RESPONSES.body) })
    await follow('every_seconds=0.5')
    const { url, adminToken } = gateway()
    await fetch(`${url}${PATH}/stream?every_seconds=0.5`, { headers: { authorization: `Bearer ${adminToken}` } })
    const response = await send(RESPONSES.wholePath, RESPONSES.wholeRequest)
    expect(response.status).toBe(200)
    await response.text()
    expect((await record(response)).status).toBe('completed')
  })
})

describe('two instances', () => {
  test('one shows what the other works on, and marks it failed when the other is killed (USE-2, USE-3, OPS-4)', async () => {
    // Both write their log to one file.
    await until(() => gateway().log().includes('leads the jobs'), { what: 'one that leads the jobs' })
    const { script, begin } = pausing()
    begin()
    const { key } = await scene({ script })
    const other = await startGateway({ LIVE_SHARE_AFTER: '0', INSTANCE_TIMEOUT: '1' }, gateway().folder)
    const response = await fetch(other.url + RESPONSES.path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: RESPONSES.request,
    })
    const id = response.headers.get('x-turnpike-request-id') ?? ''
    const list = () => gateway().admin<Live>('GET', `${PATH}?ids=${id}`)
    const seen = await until(async () => (await list()).data[0], { what: 'the other’s request' })
    expect(seen).toMatchObject({ id, status: 'streaming', output_tokens: expect.any(Number) })
    await other.stop('SIGKILL')
    await response.body?.cancel().catch(() => undefined)
    expect(await record(id)).toMatchObject({
      ...{ status: 'failed', http_status: 504, error_code: 'instance_lost' },
      ...{ charged_usd: 0, total_tokens: 0, metering: 'unknown' },
    })
    // Others' requests are read at most every two seconds.
    await until(async () => (await list()).data.length === 0, { what: 'the lost request to leave the list' })
  })
})

describe('recording headers and bodies', () => {
  test('is off, and switched on and off while the gateway runs; secrets are masked (USE-1)', async () => {
    const { send, key } = await scene({
      script: (_, reply) => {
        beginStream(reply)
        void reply.write(streamOf(RESPONSES).join(''))
        reply.end()
      },
    })
    const ask = async () => {
      const response = await send(RESPONSES.path, RESPONSES.request, { headers: { cookie: 'sid=hunter2' } })
      return { response, text: await response.text() }
    }
    const off = await ask()
    expect((await record(off.response)).recording).toBeNull()
    const { admin } = gateway()
    await admin('PATCH', '/admin/settings', { record_headers: true, record_bodies: true, record_body_bytes: 100 })
    const on = await ask()
    const recording = await until(async () => (await record(on.response)).recording, { what: 'the recording' })
    expect(recording).toMatchObject({
      request_headers: { authorization: '[masked]', cookie: '[masked]', 'content-type': 'application/json' },
      request_body: RESPONSES.request.slice(0, 100),
      response_body: on.text.slice(0, 100),
      response_bytes: on.text.length,
      response_cut: true,
    })
    expect(JSON.stringify(recording)).not.toContain(key)
    await admin('PATCH', '/admin/settings', { record_headers: null, record_bodies: null, record_body_bytes: null })
    expect((await record((await ask()).response)).recording).toBeNull()
  })
})

test('the end of the process is clean with a feed open (OPS-2)', async () => {
  await follow('every_seconds=0.5')
  expect(await gateway().stop()).toBe(0)
})
