/** Request bodies: what arrives at the provider, byte for byte, and what never leaves the gateway (REL-1, REL-2, REL-10, REL-16). */
import { describe, expect, test } from 'bun:test'
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { ANTHROPIC, CHAT, DIALECTS, GEMINI, RESPONSES, streamOf } from '../support/dialects.ts'
import { jsonText } from '../support/json-arbitrary.ts'
import { residentBytes } from '../support/process-memory.ts'
import { useGateway } from '../support/scene.ts'
import { answer, beginStream } from '../support/scripted-upstream.ts'

const LARGEST = 1024 * 1024
const { gateway, scene, record } = useGateway({ MAX_BODY_BYTES: String(LARGEST) })

const WHOLE = [RESPONSES, CHAT, ANTHROPIC, GEMINI]

/** Valid JSON as no library writes it: odd spaces, escapes, numbers, keys twice, a byte order mark, names of models deeper down. */
const ODD_MEMBERS = [
  '"n" : 1.50e+2 , "big":12345678901234567890, "neg": -0 ',
  '"\\u006dodels":"gpt-x","t":"caf\\u00e9 \\/ \\ud83d\\ude00 é 漢字 😀 \u2028"',
  '"deep":{"model":"not-this","stream":true,"a":[{"model":"nor-this"},[[]],{}]}',
  '"twice":1,"twice":2,\r\n\t"empty":{},"none":null,"esc":"\\"model\\":\\"x\\""',
]

describe('bodies without a mapping', () => {
  const MODELS = {
    openai: 'gpt-5-mini',
    anthropic: 'claude-sonnet-4-5',
    gemini: 'gemini-2.5-flash',
    bedrock: 'claude-sonnet-4-5',
  }

  for (const dialect of WHOLE) {
    test(`${dialect.name}: odd but valid bodies arrive byte for byte (REL-1, REL-2)`, async () => {
      const { upstream, send } = await scene({
        platform: dialect.platform,
        script: (_, reply) => answer(reply, 200, dialect.body),
      })
      const model = `"model"  :\n"${MODELS[dialect.platform]}"`
      const bodies = [
        `{${model},${ODD_MEMBERS.join(',')}}`,
        ` \r\n{${[...ODD_MEMBERS].reverse().join(' , ')},${model}}\n\n`,
        `\ufeff{ ${ODD_MEMBERS[0]} , ${model} }`,
        `{${model.replace('model', 'mod\\u0065l')}}`,
        `{${model},"text":"${'0123456789abcdef'.repeat(60_000)}"}`,
      ]
      for (const body of bodies) expect((await send(dialect.wholePath, body)).status).toBe(200)
      expect(upstream.requests.map((request) => request.body.toString())).toEqual(bodies)
    })
  }

  test('any valid JSON around the model arrives byte for byte (REL-2)', async () => {
    const { upstream, send } = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body) })
    const value = jsonText(['"messages"', '"a"', '"model"'])
    await fc.assert(
      fc.asyncProperty(value, value, async (before, after) => {
        const body = `{"x":${before},"model":"gpt-5-mini","y":${after}}`
        const response = await send('/v1/chat/completions', body)
        expect(response.status).toBe(200)
        await response.text()
        expect(upstream.requests.pop()?.body.toString()).toBe(body)
      }),
      { numRuns: 100 },
    )
  })
})

describe('bodies with a mapping', () => {
  test('only the model’s bytes differ, and the client sees the name it asked for (REL-2, REL-10)', async () => {
    for (const dialect of [RESPONSES, CHAT, ANTHROPIC]) {
      const asked = 'our "best" model'
      const named = dialect === ANTHROPIC ? 'claude-sonnet-4-5' : 'gpt-5-mini'
      const { upstream, send } = await scene({
        platform: dialect.platform,
        accounts: [{ model_mapping: { [asked]: named } }],
        script: (_, reply) => answer(reply, 200, dialect.body),
      })
      const body = (model: string) => `{${ODD_MEMBERS[0]},"model" :${model} , ${ODD_MEMBERS.slice(1).join(',')}}`
      const response = await send(dialect.wholePath, body('"our \\u0022best\\u0022 model"'))
      expect(upstream.requests[0]?.body.toString()).toBe(body(JSON.stringify(named)))
      expect(await response.text()).toBe(
        dialect.body.replaceAll(`"model":"${named}"`, `"model":${JSON.stringify(asked)}`),
      )
      expect(await record(response)).toMatchObject({ model: asked, upstream_model: named })
    }
  })

  test('Gemini names the model in its path and may in its body: both are mapped, nothing else changes (REL-2, REL-10)', async () => {
    const { upstream, send } = await scene({
      platform: 'gemini',
      accounts: [{ model_mapping: { 'house-model': 'gemini-2.5-flash' } }],
      script: (_, reply) => answer(reply, 200, GEMINI.body),
    })
    const body = (model: string) =>
      `{ "model":"models/${model}","contents":[{"parts":[{"text":"models/house-model"}]}]}`
    const response = await send('/v1beta/models/house-model:generateContent', body('house-model'))
    expect(upstream.requests[0]?.target).toBe('/v1beta/models/gemini-2.5-flash:generateContent')
    expect(upstream.requests[0]?.body.toString()).toBe(body('gemini-2.5-flash'))
    expect(await response.text()).toBe(
      GEMINI.body.replace('"modelVersion":"gemini-2.5-flash"', '"modelVersion":"house-model"'),
    )
  })

  test('streams: the mapped name is given back in every event that holds it, and only there (REL-10)', async () => {
    for (const dialect of [RESPONSES, CHAT, ANTHROPIC, GEMINI]) {
      const named = /"model(?:Version)?":"([^"]+)"/.exec(streamOf(dialect).join(''))?.[1] ?? ''
      const path = dialect.path.replace(named, 'asked-for')
      const { send } = await scene({
        platform: dialect.platform,
        accounts: [{ model_mapping: { 'asked-for': named } }],
        script: (_, reply) => {
          beginStream(reply)
          void reply.write(streamOf(dialect).join('').replace('Hel', `${named} Hel`))
          reply.end()
        },
      })
      const response = await send(path, dialect.request.replace(named, 'asked-for'))
      const expected = streamOf(dialect)
        .join('')
        .replace('Hel', `${named} Hel`)
        .replaceAll(/("model(?:Version)?":)"[^"]+"/g, '$1"asked-for"')
      expect(await response.text()).toBe(expected)
      expect(expected).toContain(`${named} Hel`)
    }
  })
})

describe('a chat stream whose client did not ask for its usage', () => {
  test('is asked for it upstream, and the client gets every byte but the usage chunk (REL-2, REL-8)', async () => {
    const { upstream, send } = await scene()
    upstream.script = (_, reply) => {
      beginStream(reply)
      void reply.write(streamOf(CHAT).join(''))
      reply.end()
    }
    const bodies = {
      '{"model":"gpt-5-mini","messages":[], "stream":true}':
        '{"stream_options":{"include_usage":true},"model":"gpt-5-mini","messages":[], "stream":true}',
      '{"model":"gpt-5-mini","stream":true,"stream_options":{ "include_usage":false }}':
        '{"model":"gpt-5-mini","stream":true,"stream_options":{ "include_usage":true }}',
      '{"model":"gpt-5-mini","stream":true,"stream_options":null}':
        '{"model":"gpt-5-mini","stream":true,"stream_options":{"include_usage":true}}',
    }
    const [stop, , done] = CHAT.closing
    for (const [sent, arrived] of Object.entries(bodies)) {
      const response = await send(CHAT.path, sent)
      expect(await response.text()).toBe([...CHAT.opening, ...CHAT.content, stop, done].join(''))
      expect(upstream.requests.pop()?.body.toString()).toBe(arrived)
      expect(await record(response)).toMatchObject({ input_tokens: 12, cache_read_tokens: 8, output_tokens: 7 })
    }
  })
})

describe('bodies that are refused', () => {
  for (const dialect of DIALECTS) {
    test(`${dialect.name}: no JSON is a 400, too much a 413, in the protocol’s shape, and reaches no provider (REL-1, REL-16)`, async () => {
      const { upstream, send } = await scene({ platform: dialect.platform })
      const broken = [
        '',
        '{',
        '{"model":"m"',
        '[1]',
        '{"model":"m",}',
        '{"model":"m"} x',
        'model=m',
        '\u0000{}',
        'null',
      ]
      for (const body of broken) await expectRefusal(await send(dialect.path, body), 400, 'invalid_json', dialect.name)
      await expectRefusal(await send(dialect.path, ' '.repeat(LARGEST + 1)), 413, 'body_too_large', dialect.name)
      if (dialect.platform !== 'gemini') {
        for (const body of ['{}', '{"model":null}', '{"model":" "}', '{"model":5}', '{"a":{"model":"m"}}']) {
          await expectRefusal(await send(dialect.path, body), 400, 'missing_model', dialect.name)
        }
      }
      expect(upstream.requests).toEqual([])
      expect(upstream.sockets).toBe(0)
    })
  }

  async function expectRefusal(response: Response, status: number, code: string, protocol: string): Promise<void> {
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toContain('application/json')
    const body = await response.json()
    const message = expect.stringMatching(/^The request|^'model'/)
    const id = response.headers.get('x-turnpike-request-id')
    if (protocol.startsWith('openai')) {
      expect(body).toEqual({ error: { message, type: 'invalid_request_error', param: null, code } })
    } else if (protocol === 'anthropic') {
      expect(body).toEqual({ type: 'error', error: { type: 'invalid_request_error', message }, request_id: id })
    } else expect(body).toEqual({ error: { code: status, message, status: 'INVALID_ARGUMENT' } })
    expect(await record(response)).toMatchObject({
      status: 'failed',
      http_status: status,
      error_code: code,
      cost_usd: 0,
    })
  }

  test('a length beyond the limit is refused before the body is sent, however large; so is a body that never ends (REL-16)', async () => {
    const { upstream, raw } = await scene()
    for (const length of [LARGEST + 1, 200_000_000, 100_000_000_000]) {
      const client = await raw({ path: '/v1/responses', headers: { 'content-length': String(length) } })
      expect((await client.head()).status).toBe(413)
      await client.has('"code":"body_too_large"')
      client.leave()
    }
    const endless = await raw({ path: '/v1/responses', headers: { 'transfer-encoding': 'chunked' } })
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    for (let sent = 0; sent <= LARGEST; sent += 65_536) endless.write(chunk)
    expect((await endless.head()).status).toBe(413)
    await endless.has('"code":"body_too_large"')
    endless.leave()
    expect(upstream.requests).toEqual([])
  })
})

describe('compressed bodies', () => {
  const ENCODERS = {
    gzip: (bytes: Uint8Array) => gzipSync(bytes),
    br: (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
    zstd: (bytes: Uint8Array) => zstdCompressSync(bytes),
  }

  test('gzip, br and zstd are undone: the provider gets the plain bytes (REL-16)', async () => {
    const { upstream, send } = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body) })
    for (const [encoding, encode] of Object.entries(ENCODERS)) {
      const response = await send(CHAT.wholePath, encode(Buffer.from(CHAT.wholeRequest)), {
        headers: { 'content-encoding': encoding },
      })
      expect(response.status).toBe(200)
      const request = upstream.requests.pop()
      expect(request?.body.toString()).toBe(CHAT.wholeRequest)
      expect(request?.header('content-encoding')).toBeNull()
    }
  })

  test('a small body that unpacks to 128 MB is a 413 and costs no memory (REL-16)', async () => {
    const { upstream, send } = await scene()
    const before = residentBytes(gateway().pid)
    const zeros = Buffer.alloc(128 * 1024 * 1024)
    for (const [encoding, encode] of Object.entries(ENCODERS)) {
      const bomb = encode(zeros)
      expect(bomb.length).toBeLessThan(LARGEST)
      const response = await send(CHAT.wholePath, bomb, { headers: { 'content-encoding': encoding } })
      expect(response.status).toBe(413)
      await response.text()
    }
    expect(residentBytes(gateway().pid) - before).toBeLessThan(64 * 1024 * 1024)
    expect(upstream.requests).toEqual([])
  })

  test('a body that is not what its encoding says, or in an unknown one, is a 400 (REL-16)', async () => {
    const { upstream, send } = await scene()
    for (const encoding of ['gzip', 'br', 'zstd', 'compress', 'gzip, gzip, gzip, gzip']) {
      const response = await send(CHAT.wholePath, CHAT.wholeRequest, { headers: { 'content-encoding': encoding } })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { code: 'invalid_encoding' } })
    }
    expect(upstream.requests).toEqual([])
  })
})
