/**
 * No secret leaves by a side door (OPS-8, ACC-8, KEY-1): a gateway is given secrets that the test knows, everything is made to go wrong with
 * them, and each text that it gives to anybody is searched for them by value.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ANTHROPIC, CHAT } from '../support/dialects.ts'
import { useGateway } from '../support/scene.ts'
import { answer, beginStream, type Script } from '../support/scripted-upstream.ts'
import { startTokenServer } from '../support/token-server.ts'
import { until } from '../support/until.ts'

/** Two that look like keys, and the others like nothing: patterns alone must not be what hides them. */
const SECRETS = {
  accountKey: 'sk-proj-hunter2AccountKey0123456789',
  plainKey: 'correct horse battery'.replaceAll(' ', '_'),
  accessToken: 'access.without.any.shape-1',
  refreshToken: 'refresh/without/any/shape-2',
  nextAccessToken: 'next access token'.replaceAll(' ', '~'),
  proxyPassword: 'pa55 word@of:proxy'.replaceAll(' ', '+'),
  awsSecret: 'aws/secret+without/prefix/0123456789',
  wrongClientKey: 'wrong-client-key-given-by-mistake',
  wrongAdminToken: 'wrong-admin-token-given-by-mistake',
  queryKey: 'client-key-in-a-query',
  encryptionKey: 'encryption-key-of-the-secrets-test',
  metricsToken: 'metrics-token-of-the-secrets-test',
  collectorToken: 'collector-token-of-the-secrets-test',
} as const
/** An operator who looks after people or faults may see these; logs and metrics never hold them. */
const EMAIL = 'ann.known@customer.example'
const BODY_TEXT = 'what the person wrote to the model'

const tokens = startTokenServer()
tokens.answer = ({ fields }) =>
  Response.json(
    { error: 'temporarily_unavailable', error_description: `cannot refresh ${fields.refresh_token} for ${EMAIL}` },
    { status: 500 },
  )
afterAll(() => tokens.stop())

const { gateway, scene, record } = useGateway({
  LOG_LEVEL: 'debug',
  ENCRYPTION_KEY: SECRETS.encryptionKey,
  METRICS_TOKEN: SECRETS.metricsToken,
  OAUTH_OPENAI_TOKEN_URL: tokens.url,
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1',
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${SECRETS.collectorToken}`,
})

/** Everything that was said to anybody but the one whose secret it is: what, and the words. */
const said: [what: string, text: string][] = []
const issued: string[] = []

/** An upstream that says what it was given with each fault. */
const echoing =
  (secretOf: (given: string) => string) =>
  (status: number): { script: Script } => ({
    script(request, reply) {
      const given = request.header('authorization') ?? request.header('x-api-key') ?? ''
      const message = `bad credential ${secretOf(given)} of ${EMAIL} in: ${request.body.toString()}`
      answer(reply, status, JSON.stringify({ type: 'error', error: { type: 'x', message } }), {
        'set-cookie': `session=${secretOf(given)}`,
        'x-echo': secretOf(given),
      })
    },
  })
const echo = echoing((given) => given.replace(/^Bearer /, ''))

async function note(what: string, response: Response): Promise<Response> {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n')
  said.push([what, `${headers}\n${await response.clone().text()}`])
  return response
}

beforeAll(async () => {
  const { admin } = gateway()
  await admin('POST', '/admin/users', { email: EMAIL, username: 'ann' })
  for (const status of [400, 401, 403, 404, 429, 500, 529]) {
    for (const key of [SECRETS.accountKey, SECRETS.plainKey]) {
      const { send, accounts } = await scene({ accounts: [{ credentials: { api_key: key } }], ...echo(status) })
      const body = JSON.stringify({ model: 'gpt-5-mini', messages: [{ role: 'user', content: BODY_TEXT }] })
      const response = await send(CHAT.wholePath, body)
      // The client's own words may come back to the client; they must not stand anywhere else.
      const text = (await response.clone().text()).replaceAll(BODY_TEXT, '').replaceAll(EMAIL, '')
      said.push([`${status} to the client`, text])
      await record(response)
      await note('test of an account', await call('POST', `/admin/accounts/${accounts[0]}/test`, {}))
    }
  }
}, 120_000)

const call = (method: string, path: string, body?: unknown, token = gateway().adminToken) =>
  fetch(gateway().url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })

test('faults inside streams, of OAuth, proxies, AWS and of clients are told without any secret (OPS-8)', async () => {
  const broken = await scene({
    platform: 'anthropic',
    accounts: [{ credentials: { api_key: SECRETS.plainKey } }],
    script: (_, reply) => {
      beginStream(reply)
      const error = { type: 'error', error: { type: 'api_error', message: `key ${SECRETS.plainKey} was revoked` } }
      void reply.write(`event: error\ndata: ${JSON.stringify(error)}\n\n`)
      reply.end()
    },
  })
  await note('a stream that begins with an error', await broken.send(ANTHROPIC.path, ANTHROPIC.request))

  const oauth = { access_token: SECRETS.accessToken, refresh_token: SECRETS.refreshToken }
  const signedIn = await scene({ accounts: [{ type: 'oauth', credentials: oauth }], ...echo(401) })
  await note('a token that is turned down', await signedIn.send('/v1/responses', { model: 'gpt-5-mini', input: 'x' }))
  await note('refresh', await call('POST', `/admin/accounts/${signedIn.accounts[0]}/refresh`))
  tokens.answer = () => Response.json({ access_token: SECRETS.nextAccessToken, expires_in: 3600 })
  await note('refresh again', await call('POST', `/admin/accounts/${signedIn.accounts[0]}/refresh`))
  await note('test of OAuth', await call('POST', `/admin/accounts/${signedIn.accounts[0]}/test`, {}))

  const proxy = { name: 'p', url: 'http://127.0.0.1:1', username: 'proxy-user', password: SECRETS.proxyPassword }
  const proxyAnswer = await note('create a proxy', await call('POST', '/admin/proxies', proxy))
  const { id: proxyId } = (await proxyAnswer.json()) as { id: string }
  const behind = await scene({ accounts: [{ proxy_id: proxyId }] })
  await note('a proxy that is down', await behind.send(CHAT.wholePath, CHAT.wholeRequest))
  await note('test through a proxy', await call('POST', `/admin/accounts/${behind.accounts[0]}/test`, {}))

  const aws = await scene({
    platform: 'bedrock',
    accounts: [{ credentials: { aws_secret_access_key: SECRETS.awsSecret } }],
    ...echoing(() => SECRETS.awsSecret)(403),
  })
  await note('AWS', await aws.send(ANTHROPIC.wholePath, ANTHROPIC.wholeRequest))

  const asked = async (path: string, headers: Record<string, string> = {}) =>
    note(path.replace(/=.*/, ''), await fetch(gateway().url + path, { method: 'POST', body: '{', headers }))
  await asked('/v1/responses', { authorization: `Bearer ${SECRETS.wrongClientKey}` })
  await asked('/v1/messages', { 'x-api-key': SECRETS.wrongClientKey })
  await asked(`/v1beta/models/x:generateContent?key=${SECRETS.queryKey}`)
  await asked(`/v1beta/nowhere?key=${SECRETS.queryKey}`)
  await note('wrong admin token', await call('GET', '/admin/users', undefined, SECRETS.wrongAdminToken))
  await note('unknown field', await call('POST', '/admin/keys', { name: 'x', api_kee: SECRETS.plainKey }))
  await note('bad field', await call('POST', '/admin/accounts', { name: 'x', credentials: SECRETS.plainKey }))
})

test('what is issued once is shown once: keys and tokens are in no later answer (KEY-1, OPS-9)', async () => {
  for (const [path, field, body] of [
    ['/admin/keys', 'api_key', { name: 'once' }],
    ['/admin/tokens', 'token', { name: 'once', role: 'admin' }],
  ] as const) {
    const made = (await (await call('POST', path, body)).json()) as Record<string, string>
    expect(made[field]?.length).toBeGreaterThan(20)
    issued.push(made[field]!)
    await note('get', await call('GET', `${path}/${made.id}`))
  }
})

test('none of it is in the log, an error, a metric, an admin answer or Swagger (OPS-8, ACC-8)', async () => {
  await until(() => gateway().log().includes('traces could not be sent'), { what: 'a failed post of traces' })
  await readAll()
  // The one line that shows the new admin token to whoever started it (OPS-3).
  const log = gateway()
    .log()
    .split('\n')
    .filter((line) => !line.startsWith('admin token (shown this once'))
  said.push(['log', log.join('\n')])
  const texts = said.map(([what, text]) => [what, text, variants(text)] as const)
  const secrets = { ...SECRETS, adminToken: gateway().adminToken, issuedKey: issued[0]!, issuedToken: issued[1]! }
  expect(Object.values(secrets).every((secret) => secret.length > 10)).toBe(true)
  const found = Object.entries(secrets).flatMap(([name, secret]) =>
    texts.filter(([, , plain]) => plain.includes(secret)).map(([what]) => `${name} in ${what}`),
  )
  expect(found).toEqual([])
  const outside = texts.filter(([what]) => what === 'log' || what === '/metrics')
  expect(outside).toHaveLength(2)
  for (const [what, , plain] of outside) {
    for (const text of [EMAIL, BODY_TEXT]) expect([what, plain.includes(text)]).toEqual([what, false])
  }
  expect(log.join('\n')).toContain('account is out')
  // The search finds what is there.
  expect(texts.some(([what, , plain]) => what === 'GET /admin/users' && plain.includes(EMAIL))).toBe(true)
})

/** As it stands, and with JSON's and URLs' escapes undone. */
function variants(text: string): string {
  let decoded = text
  try {
    decoded = decodeURIComponent(text.replaceAll('%', '%25').replace(/%25([0-9A-F]{2})/gi, '%$1'))
  } catch {
    // It holds bytes that are no UTF-8.
  }
  return [text, text.replaceAll('\\/', '/').replaceAll('\\"', '"'), decoded].join('\n')
}

/** Each GET of the admin API, with an id where it takes one; Swagger, metrics, health. */
async function readAll(): Promise<void> {
  const documented = await note('Swagger', await fetch(`${gateway().url}/swagger/json`))
  const { paths } = (await documented.json()) as { paths: Record<string, Record<string, unknown>> }
  const needsMore = (path: string) => path.includes('resolve')
  for (const [path, methods] of Object.entries(paths)) {
    if (!('get' in methods) || path.includes('{') || needsMore(path)) continue
    // An event stream has no end to wait for.
    if (path.endsWith('/stream')) continue
    const response = await note(`GET ${path}`, await call('GET', path))
    const rows = ((await response.json().catch(() => null)) as { data?: { id: string }[] } | null)?.data ?? []
    const one = Object.keys(paths).filter((other) => other.startsWith(`${path}/{`) && 'get' in paths[other]!)
    for (const other of one) {
      for (const { id } of rows.slice(0, 40))
        await note(`GET ${other}`, await call('GET', other.replace(/\{\w+\}/, id)))
    }
  }
  const metrics = { headers: { authorization: `Bearer ${SECRETS.metricsToken}` } }
  for (const path of ['/metrics', '/readyz', '/healthz', '/'])
    await note(path, await fetch(gateway().url + path, metrics))
  const usage = (await (await call('GET', '/admin/usage?limit=100')).json()) as { data: { id: string }[] }
  for (const { id } of usage.data) await note('GET /admin/requests/{id}', await call('GET', `/admin/requests/${id}`))
}
