/** Where requests go and by which way (REL-3, REL-5). */
import { afterEach, describe, expect, test } from 'bun:test'
import net from 'node:net'
import { ANTHROPIC, CHAT, GEMINI, RESPONSES } from '../support/dialects.ts'
import { createMessageReader, type MessageHead } from '../support/http-message.ts'
import { useGateway } from '../support/scene.ts'
import { answer } from '../support/scripted-upstream.ts'

const { gateway, scene } = useGateway()

describe('targets', () => {
  const CASES = [
    { dialect: CHAT, path: '', target: '/v1/chat/completions' },
    { dialect: CHAT, path: '/', target: '/v1/chat/completions' },
    { dialect: CHAT, path: '/v1', target: '/v1/chat/completions' },
    { dialect: CHAT, path: '/v1/', target: '/v1/chat/completions' },
    { dialect: RESPONSES, path: '/openai/v1', target: '/openai/v1/responses' },
    { dialect: ANTHROPIC, path: '/v1', target: '/v1/messages' },
    { dialect: GEMINI, path: '', target: '/v1beta/models/gemini-2.5-flash:generateContent' },
    { dialect: GEMINI, path: '/v1beta', target: '/v1beta/models/gemini-2.5-flash:generateContent' },
  ]
  test('a base URL works with and without a trailing slash or a version (REL-3)', async () => {
    for (const { dialect, path, target } of CASES) {
      const { upstream, send } = await scene({
        platform: dialect.platform,
        accounts: [{ path }],
        script: (_, reply) => answer(reply, 200, dialect.body),
      })
      await send(dialect.wholePath, dialect.wholeRequest)
      expect(upstream.requests.map((request) => `${request.method} ${request.target}`)).toEqual([`POST ${target}`])
    }
  })

  test('an OpenAI account that signs in by ChatGPT: account id, accept and store:false (REL-3, REL-2)', async () => {
    const credentials = { access_token: 'access-token-of-account', chatgpt_account_id: 'chatgpt-account' }
    const { upstream, send } = await scene({
      accounts: [{ type: 'oauth', credentials, path: '/backend-api/codex' }],
      script: (_, reply) => answer(reply, 200, RESPONSES.body),
    })
    await send('/v1/responses', '{ "model":"gpt-5-mini", "store" : true, "input":"h\\u0069" }')
    await send('/v1/responses', '{"model":"gpt-5-mini","input":"hi","stream":true}')
    await send('/v1/responses', '{"store":false,"model":"gpt-5-mini","input":"hi"}')
    expect(upstream.requests.map(({ body }) => body.toString())).toEqual([
      '{ "model":"gpt-5-mini", "store" : false, "input":"h\\u0069" }',
      '{"store":false,"model":"gpt-5-mini","input":"hi","stream":true}',
      '{"store":false,"model":"gpt-5-mini","input":"hi"}',
    ])
    for (const request of upstream.requests) {
      expect(request.target).toBe('/backend-api/codex/responses')
      expect(request.header('authorization')).toBe('Bearer access-token-of-account')
      expect(request.header('chatgpt-account-id')).toBe('chatgpt-account')
    }
    const accepts = upstream.requests.map((request) => request.header('accept'))
    expect(accepts).toEqual(['application/json', 'text/event-stream', 'application/json'])
  })

  test('API-key accounts of OpenAI keep what the client says about storing (REL-2, REL-3)', async () => {
    const { upstream, send } = await scene({ script: (_, reply) => answer(reply, 200, RESPONSES.body) })
    const body = '{"model":"gpt-5-mini","store":true,"input":"hi"}'
    await send('/v1/responses', body)
    expect(upstream.requests[0]?.body.toString()).toBe(body)
  })
})

/** A tiny HTTP proxy: passes absolute requests on, refuses tunnels, remembers the heads. */
async function startProxy() {
  const heads: MessageHead[] = []
  const server = net.createServer((client) => {
    client.on('error', () => undefined)
    const reader = createMessageReader({ kind: 'request' })
    client.on('data', (bytes) => {
      reader.push(bytes as Buffer)
      if (!reader.done || reader.head === null) return
      heads.push(reader.head)
      const [method = '', target = ''] = reader.head.startLine.split(' ')
      if (method === 'CONNECT') {
        client.end('HTTP/1.1 502 No tunnels here\r\ncontent-length: 0\r\n\r\n')
        return
      }
      const url = new URL(target)
      const fields = reader.head.fields.filter(([name]) => !/^(proxy-|connection)/i.test(name))
      const lines = [
        `${method} ${url.pathname} HTTP/1.1`,
        ...fields.map(([name, value]) => `${name}: ${value}`),
        'connection: close',
      ]
      const target_ = net.connect(Number(url.port), url.hostname, () => {
        target_.write(`${lines.join('\r\n')}\r\n\r\n`)
        target_.write(Buffer.concat(reader.body))
      })
      target_.on('error', () => client.destroy())
      target_.pipe(client)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  return { url: `http://127.0.0.1:${port}`, heads, stop: () => void server.close() }
}

describe('proxies', () => {
  const proxies: { stop(): void }[] = []
  afterEach(() => {
    for (const proxy of proxies.splice(0)) proxy.stop()
  })

  async function proxied() {
    const proxy = await startProxy()
    proxies.push(proxy)
    const { id } = await gateway().admin<{ id: string }>('POST', '/admin/proxies', {
      name: `proxy ${proxy.url}`,
      url: proxy.url,
      username: 'gateway',
      password: 'at the proxy',
    })
    return { proxy, proxyId: id }
  }

  test('an account’s traffic goes through its proxy, with the proxy’s credentials for the proxy only (REL-5)', async () => {
    const { proxy, proxyId } = await proxied()
    const { upstream, send } = await scene({
      accounts: [{ proxy_id: proxyId }],
      script: (_, reply) => answer(reply, 200, CHAT.body),
    })
    const response = await send(CHAT.wholePath, CHAT.wholeRequest)
    expect(await response.text()).toBe(CHAT.body)
    expect(proxy.heads.map((head) => head.startLine)).toEqual([`POST ${upstream.url}/v1/chat/completions HTTP/1.1`])
    expect(proxy.heads[0]?.header('proxy-authorization')).toBe(`Basic ${btoa('gateway:at the proxy')}`)
    expect(upstream.requests).toHaveLength(1)
    expect(upstream.requests[0]?.header('authorization')).toBe('Bearer sk-of-account-0')
  })

  const PUBLIC = [
    { dialect: RESPONSES, fields: {}, host: 'api.openai.com:443' },
    { dialect: ANTHROPIC, fields: {}, host: 'api.anthropic.com:443' },
    { dialect: GEMINI, fields: {}, host: 'generativelanguage.googleapis.com:443' },
    {
      dialect: RESPONSES,
      fields: { type: 'oauth', credentials: { access_token: 'a', base_url: undefined } },
      host: 'chatgpt.com:443',
    },
  ]
  test('without a base URL requests go to the platform’s public host, tunnelled through the proxy (REL-3, REL-5)', async () => {
    for (const { dialect, fields, host } of PUBLIC) {
      const { proxy, proxyId } = await proxied()
      const { send } = await scene({
        platform: dialect.platform,
        accounts: [{ credentials: { base_url: undefined }, ...fields, proxy_id: proxyId }],
      })
      expect((await send(dialect.wholePath, dialect.wholeRequest)).status).toBe(502)
      expect(proxy.heads[0]?.startLine).toBe(`CONNECT ${host} HTTP/1.1`)
    }
  })

  test('a SOCKS proxy, which the runtime cannot speak to, is refused when it is saved (REL-5)', async () => {
    const saved = gateway().admin('POST', '/admin/proxies', { name: 'socks', url: 'socks5://127.0.0.1:1080' })
    await expect(saved).rejects.toThrow(/422.*SOCKS proxies are not supported/)
  })
})
