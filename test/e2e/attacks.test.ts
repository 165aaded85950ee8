/** Requests made to get past something: admin auth by odd paths and hosts, headers by line breaks, the upstream guard by names (OPS-9, OPS-10, OPS-11). */
import { describe, expect, test } from 'bun:test'
import { lookup } from 'node:dns/promises'
import { hostname } from 'node:os'
import { CHAT } from '../support/dialects.ts'
import { openRaw } from '../support/raw-client.ts'
import { useGateway } from '../support/scene.ts'
import { answer } from '../support/scripted-upstream.ts'

const { gateway, scene, record } = useGateway()

/** Does this machine's own name stand for a private address, as it mostly does? */
const nameIsPrivate = await lookup(hostname()).then(
  ({ address }) => /^(127|10|192\.168)\.|^::1$/.test(address),
  () => false,
)

/** The first line and the rest of the answer to a request written by hand. */
async function raw(lines: string[], body = ''): Promise<{ status: number; text: string }> {
  const { hostname: host, port } = new URL(gateway().url)
  const { promise, resolve } = Promise.withResolvers<string>()
  let received = ''
  await Bun.connect({
    hostname: host,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`),
      data(_, bytes) {
        received += bytes.toString()
      },
      close: () => resolve(received),
      error: () => resolve(received),
    },
  })
  const text = await promise
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text }
}

const get = (target: string, host = 'localhost', more: string[] = [], method = 'GET') =>
  raw([`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...more])

describe('admin auth', () => {
  test('no spelling of a path leads past the token (OPS-9)', async () => {
    const targets = `/admin/users //admin/users ///admin//users /admin/users/ /admin/users// /admin//users /./admin/users /x/../admin/users
      /v1/../admin/users /%2e/admin/users /%2e%2e/admin/users /admin%2fusers /%61dmin/users /admin/%75sers /ADMIN/users /admin/users;x
      /admin/users%00 /admin/users%20 /admin/users? /admin/users?token=x /admin/users%3F /admin\\users \\admin\\users /admin/users#x
      /healthz/../admin/users /healthz/%2e%2e/admin/users /swagger/../admin/users /metrics/..%2fadmin/users /v1/models/../../admin/users
      http://localhost/admin/users http://localhost//admin/users http://evil/admin/users http://localhost@evil/admin/users`
    for (const target of targets.split(/\s+/)) {
      for (const host of ['localhost', 'a', 'x/healthz', '', 'a b', '[::']) {
        const { status, text } = await get(target, host)
        expect([target, host, status, [400, 401, 404].includes(status)]).toEqual([target, host, status, true])
        expect([target, host, text.includes('"data"')]).toEqual([target, host, false])
      }
    }
  })

  test('no header turns one method or path into another (OPS-9)', async () => {
    const { id } = await gateway().admin<{ id: string }>('POST', '/admin/users', {
      email: 'keep@x.example',
      username: 'k',
    })
    const { token: viewer } = await gateway().admin<{ token: string }>('POST', '/admin/tokens', {
      name: 'v',
      role: 'viewer',
    })
    const override = ['X-HTTP-Method-Override: DELETE', 'X-HTTP-Method: DELETE', 'X-Method-Override: DELETE']
    const rewrite = [
      `X-Original-URL: /admin/users/${id}`,
      `X-Rewrite-URL: /admin/users/${id}`,
      'X-Forwarded-Prefix: /admin',
    ]
    const as = [`Authorization: Bearer ${viewer}`]
    expect((await get(`/admin/users/${id}`, 'localhost', [...override, ...as])).status).toBe(200)
    expect((await get(`/admin/users/${id}?_method=DELETE`, 'localhost', as)).status).toBe(200)
    expect((await get('/healthz', 'localhost', rewrite)).text).toContain('"alive"')
    expect((await get(`/admin/users/${id}`, 'localhost', [...override, ...as], 'POST')).status).toBe(404)
    expect((await get(`/admin/users/${id}`, 'localhost', as, 'DELETE')).status).toBe(403)
    for (const method of ['delete', 'DELETE ', 'PROPFIND', 'TRACE', 'CONNECT']) {
      // 0: closed without an answer.
      const { status } = await get(`/admin/users/${id}`, 'localhost', as, method)
      expect([method, status, [0, 400, 404, 405].includes(status)]).toEqual([method, status, true])
    }
    expect(await gateway().admin('GET', `/admin/users/${id}`)).toMatchObject({ id })
  })

  test('two authorization headers, or one in a folded or trailing line, open nothing (OPS-9)', async () => {
    const good = `Bearer ${gateway().adminToken}`
    const wrong = [
      'Authorization: Bearer nonsense',
      `X-Authorization: ${good}`,
      `Proxy-Authorization: ${good}`,
      `Cookie: token=${good}`,
    ]
    for (const header of wrong)
      expect([header, (await get('/admin/users', 'localhost', [header])).status]).toEqual([header, 401])
    const folded = await get('/admin/users', 'localhost', ['X-Other: a', ` Authorization: ${good}`])
    expect([400, 401]).toContain(folded.status)
    const chunked = [
      'GET /admin/users HTTP/1.1',
      'Host: a',
      'Connection: close',
      'Transfer-Encoding: chunked',
      'Trailer: Authorization',
    ]
    const trailing = await raw(chunked, `0\r\nAuthorization: ${good}\r\n\r\n`)
    expect([400, 401]).toContain(trailing.status)
  })

  test('a second request behind the first, by disagreeing lengths, is not served (OPS-11)', async () => {
    const smuggled = `GET /admin/users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${gateway().adminToken}\r\n\r\n`
    const heads = [
      ['Content-Length: 6', 'Transfer-Encoding: chunked'],
      ['Content-Length: 6', 'Content-Length: 5'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding : chunked'],
      ['Transfer-Encoding: \u000bchunked', 'Content-Length: 5'],
    ]
    for (const head of heads) {
      const { text } = await raw(
        ['POST /healthz HTTP/1.1', 'Host: a', 'Connection: close', ...head],
        `0\r\n\r\n${smuggled}`,
      )
      expect([head, text.includes('"data"')]).toEqual([head, false])
    }
  })
})

test('a Host header that is none is a 400 at any path, and none leads to another route (OPS-9, OPS-11)', async () => {
  for (const path of ['/healthz', '/v1/responses', '/admin/users', '/aaaaaaa/healthz', '/nowhere', '/', '//', '/%00']) {
    for (const host of ['x/healthz', 'a b', '', 'a\\b', 'a?b', 'a#b']) {
      const { status, text } = await get(path, host)
      expect([path, host, status]).toEqual([path, host, status === 404 ? 404 : 400])
      expect([path, host, text.includes('alive')]).toEqual([path, host, false])
    }
  }
  for (const host of ['[::', '%zz', 'a:99999', 'ä', 'a@b']) {
    expect([host, [200, 400].includes((await get('/healthz', host)).status)]).toEqual([host, true])
    expect([host, [401, 400].includes((await get('/v1/models', host)).status)]).toEqual([host, true])
  }
})

describe('line breaks', () => {
  const BROKEN = ['a\r\nx-injected: 1', 'a\nx-injected: 1', 'a\rb', 'a\u0000b', 'a\u2028b', 'schlüssel', 'a b\t\u007f']

  test('in what becomes a header are refused when they are saved, naming the field (OPS-11)', async () => {
    const account = (credentials: object, more: object = {}) => ({
      name: 'x',
      platform: 'openai',
      type: 'api_key',
      credentials,
      ...more,
    })
    const wishes = (text: string): [string, string, object][] => [
      ['api_key', '/admin/accounts', account({ api_key: `sk-${text}` })],
      ['user_agent', '/admin/accounts', account({ api_key: 'sk-1', user_agent: text })],
      ['access_token', '/admin/accounts', account({ access_token: text }, { type: 'oauth' })],
      [
        'chatgpt_account_id',
        '/admin/accounts',
        account({ access_token: 'x', chatgpt_account_id: text }, { type: 'oauth' }),
      ],
      ['base_url', '/admin/accounts', account({ api_key: 'sk-1', base_url: `http://10.0.0.1/${text}` })],
      [
        'aws_session_token',
        '/admin/accounts',
        account(
          {
            aws_access_key_id: 'AKIA0123456789ABCDEF',
            aws_secret_access_key: 'x',
            aws_region: 'us-east-1',
            aws_session_token: text,
          },
          { platform: 'bedrock', type: 'aws' },
        ),
      ],
    ]
    const authorization = `Bearer ${gateway().adminToken}`
    for (const text of BROKEN.slice(0, 4)) {
      for (const [field, path, body] of wishes(text)) {
        const response = await fetch(gateway().url + path, {
          method: 'POST',
          headers: { authorization },
          body: JSON.stringify(body),
        })
        const { error } = (await response.json()) as { error?: { field: string } }
        expect([field, text, response.status, error?.field]).toEqual([field, text, 422, `credentials.${field}`])
      }
    }
  })

  test('in a model, a query or a Gemini path stay in the URL’s own escapes (OPS-11, REL-4)', async () => {
    const { upstream, send } = await scene({ platform: 'gemini', script: (_, reply) => answer(reply, 200, '{}') })
    const body = '{"contents":[]}'
    for (const name of [
      'a%0d%0ax-injected:%201',
      'a%0ab',
      'a%20HTTP/1.1%0d%0aHost:%20evil',
      '..%2f..%2fadmin',
      '%2e%2e%2fv1beta%2ffiles',
      'a%3fkey=evil',
      'a%23b',
    ]) {
      await (await send(`/v1beta/models/${name}:generateContent?alt=json%0d%0ax:1`, body)).text()
    }
    for (const { raw: head, header, target } of upstream.requests) {
      expect(head).not.toMatch(/^(x-injected|host: evil|x:)/im)
      expect(header('x-injected')).toBeNull()
      expect(target).toStartWith('/v1beta/models/')
      expect(target).not.toMatch(/[\r\n ]|\/\.\.\//)
    }
  })

  test('in answers of an upstream do not become headers of ours (OPS-11, REL-6)', async () => {
    const { send } = await scene({
      script: (_, reply) =>
        answer(reply, 200, CHAT.body, {
          'x-request-id': 'a\tb',
          'openai-model': 'x y; "z"',
          'x-ratelimit-x': '\u00ff',
        }),
    })
    const response = await send(CHAT.wholePath, CHAT.wholeRequest)
    expect(response.status).toBe(200)
    expect([...response.headers.keys()]).not.toContain('x-injected')
    expect(await record(response)).toMatchObject({ status: 'completed' })
  })
})

describe('an upstream’s address', () => {
  for (const how of ['by name', 'by address'] as const) {
    test.skipIf(how === 'by name' && !nameIsPrivate)(
      `that was fine when it was saved is asked about again when it is called, ${how} (OPS-10)`,
      async () => {
        const { admin, log } = gateway()
        const made = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body, { connection: 'close' }) })
        if (how === 'by name') {
          const base_url = `http://${hostname()}:${made.upstream.port}`
          await admin('PATCH', `/admin/accounts/${made.accounts[0]}`, { credentials: { base_url } })
        }
        const first = await made.send(CHAT.wholePath, CHAT.wholeRequest)
        expect(((await first.json()) as { object: string }).object).toStartWith('chat.completion')
        const asked = made.upstream.requests.length
        await admin('PATCH', '/admin/settings', { allow_private_upstreams: false })
        const refused = await made.send(CHAT.wholePath, CHAT.wholeRequest)
        expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
          502,
          'upstream_failed',
        ])
        expect(made.upstream.requests.length).toBe(asked)
        expect(log()).toContain('points into a private network')
        const test = await admin<{ message: string }>('POST', `/admin/accounts/${made.accounts[0]}/test`, {})
        expect(test.message).toContain('points into a private network')
        await admin('PATCH', '/admin/settings', { allow_private_upstreams: null })
        await admin('POST', `/admin/accounts/${made.accounts[0]}/reset`)
        expect((await made.send(CHAT.wholePath, CHAT.wholeRequest)).status).toBe(200)
      },
    )
  }

  test('is not left for where a redirect points; the client gets no location (OPS-10)', async () => {
    const target = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body) })
    for (const status of [301, 302, 303, 307, 308]) {
      const { send } = await scene({
        script: (_, reply) => answer(reply, status, '', { location: `${target.upstream.url}/v1/chat/completions` }),
      })
      const response = await send(CHAT.wholePath, CHAT.wholeRequest)
      expect([status, response.status, response.headers.get('location')]).toEqual([status, 502, null])
    }
    expect(target.upstream.requests).toEqual([])
  })
})

test('a query that is no valid escape is passed over, and a key in it is still taken out (KEY-2, OPS-11)', async () => {
  const { key, upstream, send } = await scene({ script: (_, reply) => answer(reply, 200, CHAT.body) })
  const response = await send(`${CHAT.wholePath}?%zz=1&key=${key}&k%65y=${key}&%=&x=%ff`, CHAT.wholeRequest)
  expect(response.status).toBe(200)
  expect(upstream.requests[0]?.raw).not.toContain(key)
})

test('a request id, a path or a user agent with control characters forges no log line (OPS-8, OPS-11)', async () => {
  const forged = '{"level":"error","event":"forged"}'
  const client = await openRaw(gateway().url, {
    path: `/v1/%0a${encodeURIComponent(forged)}`,
    headers: { 'user-agent': `x\t${forged}`, 'x-turnpike-request-id': forged },
    body: '{}',
  })
  expect((await client.head()).status).toBe(404)
  client.leave()
  for (const line of gateway().log().split('\n')) expect(line).not.toStartWith('{"level":"error","event":"forged"')
})
