/** Streams as they pass: byte for byte, at once, bounded in memory, and read on the way (REL-7, REL-8, REL-9). */
import { describe, expect, test } from 'bun:test'
import { ANTHROPIC, CHAT, DIALECTS, GEMINI, RESPONSES, streamOf, TOKENS } from '../support/dialects.ts'
import { residentBytes } from '../support/process-memory.ts'
import { useGateway } from '../support/scene.ts'
import { beginStream, type Reply, sendPieces } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const { gateway, scene, record } = useGateway()

const MEGABYTE = 1024 * 1024

async function play(reply: Reply, pieces: Iterable<Uint8Array | string>): Promise<void> {
  beginStream(reply)
  await sendPieces(reply, pieces)
  reply.end()
}

function* bytewise(text: string): Generator<Uint8Array> {
  for (const byte of Buffer.from(text)) yield Uint8Array.of(byte)
}

describe('byte identity', () => {
  /** Each dialect's stream with what vendors and proxies put into streams. */
  const ODD: Record<string, string> = {
    'CRLF line ends': streamOf(RESPONSES).join('').replaceAll('\n', '\r\n'),
    'comments, retry and id lines': `: hello\n\nretry: 10\n\n${streamOf(RESPONSES).join(': PROCESSING\n\nid: 7\n')}`,
    'no space behind data:': streamOf(RESPONSES).join('').replaceAll('data: ', 'data:'),
    'events of other families': `event: codex.rate_limits\ndata: {"type":"codex.rate_limits"}\n\n${streamOf(RESPONSES).join('')}`,
    'no blank line at the end': streamOf(RESPONSES).join('').trimEnd(),
    'a byte order mark': `\ufeff${streamOf(RESPONSES).join('')}`,
    'characters of two, three and four bytes': streamOf(RESPONSES).join('').replace('Hel', 'é漢😀é漢😀'),
  }

  test('CRLF, comments, foreign events, characters split over chunks: every byte arrives, and is read (REL-7, REL-8)', async () => {
    const { upstream, send } = await scene()
    for (const [name, text] of Object.entries(ODD)) {
      for (const pieces of [[text], bytewise(text)]) {
        upstream.script = (_, reply) => play(reply, pieces)
        const response = await send(RESPONSES.path, RESPONSES.request)
        const received = Buffer.from(await response.bytes())
        expect(`${name}: ${received.toString('latin1')}`).toBe(`${name}: ${Buffer.from(text).toString('latin1')}`)
        expect(await record(response)).toMatchObject({ ...TOKENS, status: 'completed', metering: 'measured' })
      }
    }
  })

  for (const dialect of DIALECTS) {
    test(`${dialect.name}: the same bytes and the same tokens in one piece and byte by byte (REL-7, REL-8, BIL-1)`, async () => {
      const { upstream, send } = await scene({ platform: dialect.platform })
      const text = streamOf(dialect).join('')
      for (const pieces of [[text], streamOf(dialect), bytewise(text)]) {
        upstream.script = async (_, reply) => {
          beginStream(reply, { 'content-type': dialect.contentType })
          await sendPieces(reply, pieces)
          reply.end()
        }
        const response = await send(dialect.path, dialect.request)
        expect(await response.text()).toBe(text)
        expect(await record(response)).toMatchObject({ ...TOKENS, status: 'completed', stream: true })
      }
    })
  }

  test('half an event goes out before its other half has come (REL-7)', async () => {
    const { upstream, raw } = await scene()
    const more = Promise.withResolvers<void>()
    const text = streamOf(RESPONSES).join('')
    const cut = text.indexOf('"lo"')
    upstream.script = async (_, reply) => {
      beginStream(reply)
      void reply.write(text.slice(0, cut))
      await more.promise
      void reply.write(text.slice(cut))
      reply.end()
    }
    const client = await raw({ path: RESPONSES.path, body: RESPONSES.request })
    await until(() => client.bodyBytes === cut, { what: 'all that was sent so far' })
    more.resolve()
    await client.over()
    expect(client.body.toString()).toBe(text)
    client.leave()
  })

  test('a stream that came compressed reaches the client plain, whole, and without saying otherwise (REL-6, REL-7)', async () => {
    const text = streamOf(ANTHROPIC).join('')
    const { send } = await scene({
      platform: 'anthropic',
      script: async (_, reply) => {
        beginStream(reply, { 'content-encoding': 'gzip' })
        const packed = Bun.gzipSync(text)
        await sendPieces(reply, [packed.subarray(0, 20), packed.subarray(20)])
        reply.end()
      },
    })
    const response = await send(ANTHROPIC.path, ANTHROPIC.request, { headers: { 'accept-encoding': 'gzip, br' } })
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(await response.text()).toBe(text)
    expect(await record(response)).toMatchObject(TOKENS)
  })

  test('an image of 5 MB in one event passes unharmed, and the usage behind it is read (REL-7, REL-8)', async () => {
    const image = 'iVBORw0KGgo'.repeat((5 * MEGABYTE) / 11)
    const event = `event: response.image_generation_call.partial_image\ndata: {"type":"response.image_generation_call.partial_image","partial_image_b64":"${image}"}\n\n`
    const pieces = [...RESPONSES.opening, event, ...RESPONSES.content, ...RESPONSES.closing]
    const { upstream, send } = await scene({ script: (_, reply) => play(reply, pieces) })
    const response = await send(RESPONSES.path, RESPONSES.request)
    expect(Bun.hash(await response.bytes())).toBe(Bun.hash(pieces.join('')))
    expect(await record(response)).toMatchObject({ ...TOKENS, status: 'completed', attempts: [{ status: 200 }] })
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('backpressure', () => {
  test('a client that stops reading stops its provider, memory stays bounded, and nothing is lost (REL-7)', async () => {
    const STREAMS = 4
    const OFFERED = 48 * MEGABYTE
    const piece = `data: {"type":"response.output_text.delta","delta":"${'x'.repeat(65_000)}"}\n\n`
    const pieces = Math.ceil(OFFERED / piece.length)
    let taken = 0
    const { raw } = await scene({
      script: async (_, reply) => {
        beginStream(reply)
        void reply.write(RESPONSES.opening.join(''))
        for (let sent = 0; sent < pieces && !reply.gone; sent++) {
          await reply.write(piece)
          taken += piece.length
        }
        void reply.write(RESPONSES.closing.join(''))
        reply.end()
      },
    })
    const before = residentBytes(gateway().pid)
    const clients = await Promise.all(
      Array.from({ length: STREAMS }, () => raw({ path: RESPONSES.path, body: RESPONSES.request, countOnly: true })),
    )
    for (const client of clients) await client.head()
    for (const client of clients) client.stopReading()
    let last = -1
    await until(
      async () => {
        if (taken === last) return true
        last = taken
        return false
      },
      { what: 'the providers to be held up', everyMs: 250 },
    )
    // What is under way sits in the kernel's socket buffers, 4 to 10 MB a stream.
    expect(taken).toBeLessThan((STREAMS * OFFERED) / 2)
    expect(residentBytes(gateway().pid) - before).toBeLessThan(64 * MEGABYTE)
    for (const client of clients) client.readOn()
    const whole = RESPONSES.opening.join('').length + pieces * piece.length + RESPONSES.closing.join('').length
    for (const client of clients) {
      await until(() => client.done, { what: 'the rest of the stream' })
      expect(client.bodyBytes).toBe(whole)
      client.leave()
    }
  }, 30_000)
})

describe('first token', () => {
  const FILLERS = {
    [ANTHROPIC.name]: 'event: ping\ndata: {"type": "ping"}\n\n',
    [CHAT.name]: ': OPENROUTER PROCESSING\n\n',
    [GEMINI.name]: ': comment\r\n\r\n',
  }
  test('comments, pings and silence before the first data event count as waiting for it (REL-9)', async () => {
    for (const dialect of [ANTHROPIC, CHAT, GEMINI]) {
      const WAIT_MS = 120
      const { send } = await scene({
        platform: dialect.platform,
        script: async (_, reply) => {
          beginStream(reply)
          void reply.write(FILLERS[dialect.name] ?? '')
          const started = performance.now()
          await until(() => performance.now() - started >= WAIT_MS, { what: 'time' })
          await sendPieces(reply, streamOf(dialect))
          reply.end()
        },
      })
      const response = await send(dialect.path, dialect.request)
      await response.text()
      const { first_token_ms: firstTokenMs, duration_ms: durationMs } = await record(response)
      expect(firstTokenMs).toBeGreaterThanOrEqual(WAIT_MS - 1)
      expect(firstTokenMs).toBeLessThanOrEqual(durationMs)
    }
  })
})
