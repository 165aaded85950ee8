/** Clients that leave: at any moment, one or five hundred; what their providers see, what is recorded, and that nothing is left (REL-14, BIL-9). */
import { describe, expect, test } from 'bun:test'
import { CHAT, DIALECTS, RESPONSES, streamOf, TOKENS } from '../support/dialects.ts'
import { residentBytes } from '../support/process-memory.ts'
import type { RawClient } from '../support/raw-client.ts'
import { type Scene, type UsageRecord, useGateway } from '../support/scene.ts'
import { answer, beginStream, type Script } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { gateway, scene, record } = useGateway({ DRAIN_TIMEOUT: '1', MAX_ATTEMPTS: '1' })

type Mode = 'drain' | 'abort'
const BEGINNING = [...RESPONSES.opening, ...RESPONSES.content].join('')
const ENDING = RESPONSES.closing.join('')

/** One slot everywhere: whoever leaves it taken stops the next request. */
const oneSlot = (mode: Mode) => ({
  accounts: [{ concurrency: 1 }],
  key: { concurrency_limit: 1, on_client_disconnect: mode },
})

/** Sends the beginning, and the end when it is told. */
function halves(): { script: Script; goOn(): void } {
  const rest = Promise.withResolvers<void>()
  const script: Script = async (_, reply) => {
    beginStream(reply)
    void reply.write(BEGINNING)
    await rest.promise
    void reply.write(ENDING)
    reply.end()
  }
  return { script, goOn: rest.resolve }
}

const streamRequest = { path: RESPONSES.path, body: RESPONSES.request }

async function idOf(client: RawClient): Promise<string> {
  return (await client.head()).header('x-turnpike-request-id') ?? ''
}

/** The newest record of a scene's key: of a request whose client never saw its id. */
async function onlyRecord({ keyId }: Scene): Promise<UsageRecord> {
  return until(
    async () => (await gateway().admin<{ data: UsageRecord[] }>('GET', `/admin/usage?key_id=${keyId}`)).data[0],
    { what: 'the record' },
  )
}

async function expectNextIsServed({ upstream, send }: Scene): Promise<void> {
  upstream.script = (_, reply) => answer(reply, 200, RESPONSES.body)
  const response = await send(RESPONSES.wholePath, RESPONSES.wholeRequest)
  expect(response.status).toBe(200)
  await response.text()
}

describe('a client that leaves in mid-stream', () => {
  test('drain: the upstream is read to its end, for its exact usage (REL-14)', async () => {
    for (const dialect of DIALECTS) {
      const rest = Promise.withResolvers<void>()
      const played = await scene({
        ...oneSlot('drain'),
        platform: dialect.platform,
        script: async (_, reply) => {
          beginStream(reply, { 'content-type': dialect.contentType })
          void reply.write([...dialect.opening, ...dialect.content].join(''))
          await rest.promise
          void reply.write(dialect.closing.join(''))
          reply.end()
        },
      })
      const client = await played.raw({ path: dialect.path, body: dialect.request })
      await client.has(dialect.content[1])
      client.leave()
      rest.resolve()
      expect(await record(await idOf(client))).toMatchObject({ ...TOKENS, status: 'completed', metering: 'measured' })
      expect(played.upstream.busy).toBe(0)
    }
  })

  test('abort: the upstream is hung up on at once, the rest estimated (REL-14, BIL-9)', async () => {
    const { script } = halves()
    const played = await scene({ ...oneSlot('abort'), script })
    const client = await played.raw(streamRequest)
    await client.has('"lo"')
    client.leave()
    await until(() => played.upstream.sockets === 0, { what: 'the upstream to be hung up on' })
    const { input_tokens: input, ...written } = await record(await idOf(client))
    expect(written).toMatchObject({ status: 'cancelled', metering: 'partly_estimated', http_status: 200 })
    expect(written.error_code).toBe('client_closed_request')
    expect(input).toBeGreaterThan(0)
    await expectNextIsServed(played)
  })

  test('the setting counts for keys that say nothing, from the moment that it is changed (REL-14)', async () => {
    const { script } = halves()
    const { upstream, raw } = await scene({ script })
    const { admin } = gateway()
    await admin('PATCH', '/admin/settings', { on_client_disconnect: 'abort', drain_timeout: 60 })
    const client = await raw(streamRequest)
    await client.has('"lo"')
    client.leave()
    await until(() => upstream.sockets === 0, { what: 'the upstream to be hung up on' })
    await admin('PATCH', '/admin/settings', { on_client_disconnect: null, drain_timeout: null })
  })

  test('drain, but no longer than drain_timeout (REL-14)', async () => {
    const { script } = halves()
    const played = await scene({ ...oneSlot('drain'), script })
    const client = await played.raw(streamRequest)
    await client.has('"lo"')
    const left = performance.now()
    client.leave()
    await until(() => played.upstream.sockets === 0, { what: 'the upstream to be hung up on' })
    expect(performance.now() - left).toBeGreaterThan(900)
    expect(await record(await idOf(client))).toMatchObject({ status: 'cancelled', metering: 'partly_estimated' })
    await expectNextIsServed(played)
  })

  for (const mode of ['drain', 'abort'] as const) {
    test(`${mode}: one that had stopped reading before leaves nothing behind either (REL-14, REL-7)`, async () => {
      const piece = `data: {"type":"response.output_text.delta","delta":"${'x'.repeat(65_000)}"}\n\n`
      let sent = 0
      const played = await scene({
        ...oneSlot(mode),
        script: async (_, reply) => {
          beginStream(reply)
          void reply.write(BEGINNING)
          for (; sent < 400 && !reply.gone; sent++) await reply.write(piece)
          void reply.write(ENDING)
          reply.end()
        },
      })
      const client = await played.raw({ ...streamRequest, countOnly: true })
      const id = await idOf(client)
      client.stopReading()
      let last = -1
      const heldUp = () => {
        const still = last === sent
        last = sent
        return still
      }
      await until(heldUp, { what: 'backpressure', everyMs: 200 })
      client.leave()
      const { status, metering } = await record(id)
      expect([status, metering]).toEqual(
        mode === 'drain' ? ['completed', 'measured'] : ['cancelled', 'partly_estimated'],
      )
      expect(played.upstream.busy).toBe(0)
      await expectNextIsServed(played)
    })
  }
})

describe('a client that leaves before anything has come back', () => {
  test('abort: the upstream is hung up on, nothing is charged, and the account is not blamed (REL-14, BIL-9)', async () => {
    const played = await scene(oneSlot('abort'))
    const { upstream, raw } = played
    // Six would open the circuit breaker of an account that failed.
    for (let round = 1; round <= 6; round++) {
      const client = await raw(round % 2 ? streamRequest : { path: CHAT.wholePath, body: CHAT.wholeRequest })
      await until(() => upstream.busy === 1, { what: 'the request upstream' })
      client.leave()
      await until(() => upstream.busy === 0, { what: 'the upstream to be hung up on' })
    }
    expect(await onlyRecord(played)).toMatchObject({
      status: 'cancelled',
      http_status: 499,
      error_code: 'client_closed_request',
      attempts: [{ reason: 'client_left' }],
      cost_usd: 0,
    })
    await expectNextIsServed(played)
  })

  test('drain: the answer is waited for and charged as measured (REL-14)', async () => {
    for (const whole of [true, false]) {
      const rest = Promise.withResolvers<void>()
      const played = await scene({
        ...oneSlot('drain'),
        script: async (_, reply) => {
          await rest.promise
          if (whole) answer(reply, 200, RESPONSES.body)
          else {
            beginStream(reply)
            void reply.write(streamOf(RESPONSES).join(''))
            reply.end()
          }
        },
      })
      const request = whole ? RESPONSES.wholeRequest : RESPONSES.request
      const client = await played.raw({ path: RESPONSES.path, body: request })
      await until(() => played.upstream.busy === 1, { what: 'the request upstream' })
      client.leave()
      rest.resolve()
      expect(await onlyRecord(played)).toMatchObject({ ...TOKENS, metering: 'measured' })
      await expectNextIsServed(played)
    }
  })

  test('while its answer comes in one piece: abort hangs up, drain charges what it says (REL-14, REL-17)', async () => {
    for (const mode of ['abort', 'drain'] as const) {
      const rest = Promise.withResolvers<void>()
      const played = await scene({
        ...oneSlot(mode),
        script: async (_, reply) => {
          reply.head(200, { 'content-type': 'application/json' })
          void reply.write(RESPONSES.body.slice(0, 60))
          await rest.promise
          void reply.write(RESPONSES.body.slice(60))
          reply.end()
        },
      })
      const client = await played.raw({ path: RESPONSES.wholePath, body: RESPONSES.wholeRequest })
      await until(() => played.upstream.busy === 1, { what: 'the request upstream' })
      client.leave()
      if (mode === 'abort') await until(() => played.upstream.sockets === 0, { what: 'hanging up' })
      rest.resolve()
      const { total_tokens: tokens } = await onlyRecord(played)
      expect(tokens).toBe(mode === 'drain' ? 27 : 0)
      await expectNextIsServed(played)
    }
  })

  test('while it waits for a slot: it is never sent upstream, and the slot goes to the next (REL-14, ACC-7)', async () => {
    const { script, goOn } = halves()
    const played = await scene({ accounts: [{ concurrency: 1 }], key: { on_client_disconnect: 'abort' }, script })
    const { upstream, raw } = played
    const first = await raw(streamRequest)
    await first.has('"lo"')
    const waiting = await raw(streamRequest)
    const third = raw(streamRequest)
    waiting.leave()
    expect(await onlyRecord(played)).toMatchObject({ status: 'cancelled', http_status: 499, attempts: [] })
    goOn()
    await first.over()
    await (await third).over()
    expect((await third).body.toString()).toBe(streamOf(RESPONSES).join(''))
    expect(upstream.requests).toHaveLength(2)
    await expectNextIsServed(played)
  })

  test('while it still sends its request: nothing goes upstream, and the next request is served (REL-14)', async () => {
    const played = await scene(oneSlot('drain'))
    const client = await played.raw({ path: RESPONSES.path, headers: { 'content-length': '1000' } })
    client.write('{"model":"gpt-5-mini",')
    client.leave()
    await expectNextIsServed(played)
    expect(played.upstream.requests).toHaveLength(1)
  })
})

describe('five hundred leaving clients', () => {
  const CLIENTS = 500
  const MEGABYTE = 1024 * 1024
  const ALL_TOKENS = TOKENS.input_tokens + TOKENS.cache_read_tokens + TOKENS.output_tokens
  /** The runtime collects its garbage once it has been idle for ten seconds. */
  const IDLE_MS = 12_000
  const SETTLED_WITHIN_MS = 4 * IDLE_MS

  /** As many slots as clients: a leaked one would stop the next crowd. */
  const crowdScene = (mode: Mode) =>
    scene({
      accounts: [{ concurrency: CLIENTS }],
      key: { concurrency_limit: CLIENTS, on_client_disconnect: mode },
    })

  /** All come, see the beginning, and leave at once; resolves when every upstream request is over. */
  async function comeAndLeave({ upstream, raw }: Scene, mode: Mode): Promise<void> {
    const { script, goOn } = halves()
    upstream.script = script
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => raw(streamRequest)))
    await Promise.all(clients.map((client) => client.has('"lo"')))
    expect(upstream.busy).toBe(CLIENTS)
    for (const client of clients) client.leave()
    if (mode === 'drain') goOn()
    await until(() => upstream.busy === 0, { what: 'every upstream request to end' })
    goOn()
  }

  async function expectSettled({ keyId }: Scene, count: number, mode: Mode): Promise<void> {
    const key = await until(
      async () => {
        const found = await gateway().admin<{ request_count: number; total_tokens: number }>(
          'GET',
          `/admin/keys/${keyId}`,
        )
        return found.request_count >= count ? found : null
      },
      { what: `${count} records` },
    )
    const each = key.total_tokens / count
    expect(key.request_count).toBe(count)
    if (mode === 'drain') expect(each).toBe(ALL_TOKENS)
    else expect([each > 0, Number.isInteger(each)]).toEqual([true, true])
  }

  /** What is resident when it has stopped falling by megabytes. */
  async function settledMemory(pid: number): Promise<number> {
    let lowest = residentBytes(pid)
    let fellAt = performance.now()
    const settled = () => {
      const now = residentBytes(pid)
      if (now < lowest - 2 * MEGABYTE) fellAt = performance.now()
      lowest = Math.min(lowest, now)
      return performance.now() - fellAt > IDLE_MS
    }
    await until(settled, { what: 'memory to settle', everyMs: 100, withinMs: SETTLED_WITHIN_MS })
    return lowest
  }

  test('twice over, drained and aborted: every request settled, no slot, upstream connection or memory left (REL-14)', async () => {
    const { pid } = gateway()
    const scenes = { drain: await crowdScene('drain'), abort: await crowdScene('abort') }
    const modes = ['drain', 'abort'] as const
    for (const mode of modes) await comeAndLeave(scenes[mode], mode)
    // Some of the drained connections are kept for the next requests, aborted ones are closed.
    const kept = { drain: scenes.drain.upstream.sockets, abort: 0 }
    expect(kept.drain).toBeLessThan(CLIENTS / 2)
    const lowest = await settledMemory(pid)
    for (const round of [2, 3]) {
      for (const mode of modes) {
        await comeAndLeave(scenes[mode], mode)
        await expectSettled(scenes[mode], CLIENTS * round, mode)
        expect(scenes[mode].upstream.sockets).toBeLessThanOrEqual(kept[mode])
      }
      expect(residentBytes(pid)).toBeLessThan(lowest + 128 * MEGABYTE)
    }
    await until(() => residentBytes(pid) < lowest + 12 * MEGABYTE, {
      what: `memory to be back at ${Math.round(lowest / MEGABYTE)} MB`,
      withinMs: SETTLED_WITHIN_MS,
      everyMs: 250,
    })
    for (const mode of modes) await expectNextIsServed(scenes[mode])
  }, 120_000)
})
