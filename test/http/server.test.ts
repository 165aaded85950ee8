import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { createClientAddress } from '../../src/http/client-address.ts'
import type { HealthCheck } from '../../src/http/health.ts'
import { type Listening, listen } from '../../src/http/server.ts'
import { ADMIN_TOKEN, toyApp } from '../support/toy-api.ts'

describe('pages and health', () => {
  test('/healthz says alive without a token (OPS-6)', async () => {
    const { ask } = toyApp()
    expect(await ask('GET', '/healthz', { token: null })).toMatchObject({ status: 200, json: { status: 'alive' } })
  })

  test('/readyz is 200 when nothing is down, 503 when something is, and names the checks (OPS-6)', async () => {
    const check = (name: string, state: 'ok' | 'degraded' | 'down'): HealthCheck => ({ name, check: () => state })
    const ready = toyApp({ checks: [check('database', 'ok')] })
    expect(await ready.ask('GET', '/readyz', { token: null })).toMatchObject({
      status: 200,
      json: { status: 'ready', checks: { database: 'ok' } },
    })
    const degraded = toyApp({ checks: [check('database', 'ok'), check('redis', 'degraded')] })
    expect(await degraded.ask('GET', '/readyz')).toMatchObject({
      status: 200,
      json: { status: 'degraded', checks: { redis: 'degraded' } },
    })
    const down = toyApp({ checks: [check('database', 'down'), check('redis', 'ok')] })
    expect(await down.ask('GET', '/readyz')).toMatchObject({
      status: 503,
      json: { status: 'not_ready', checks: { database: 'down' } },
    })
  })

  test('a check that throws is down, and its reason stays inside (OPS-6)', async () => {
    const broken: HealthCheck = {
      name: 'database',
      check: () => {
        throw new Error('postgres://tp:hunter2@db')
      },
    }
    const { ask } = toyApp({ checks: [broken, { name: 'late', check: () => Promise.reject(new Error('hunter2')) }] })
    const answer = await ask('GET', '/readyz')
    expect(answer).toMatchObject({ status: 503, json: { checks: { database: 'down', late: 'down' } } })
    expect(answer.text).not.toContain('hunter2')
  })

  test('/ is a short page that links to /swagger and asks no other host for anything (contract.md)', async () => {
    const { ask } = toyApp()
    const { status, text, headers } = await ask('GET', '/', { token: null })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toStartWith('text/html')
    expect(text).toContain('href="/swagger"')
    expect(text).not.toMatch(/https?:\/\//)
  })

  test('an unknown path or method is a 404 in the contract shape (contract.md)', async () => {
    const { ask } = toyApp()
    for (const [method, path] of [
      ['GET', '/nope'],
      ['PUT', '/admin/toys'],
      ['GET', '/admin'],
      ['GET', '/admin/toys/x/y'],
      ['GET', '//admin/toys'],
      ['OPTIONS', '/admin/toys'],
    ] as const) {
      const answer = await ask(method, path)
      expect([method, path, answer.status, answer.json?.error?.code]).toEqual([method, path, 404, 'unknown_endpoint'])
    }
  })

  test('a client’s unknown path is answered in the client’s dialect, an operator’s in the operator’s (contract.md)', async () => {
    const { ask } = toyApp({ unknownEndpoint: () => new Response('{"dialect":true}', { status: 404 }) })
    expect(await ask('POST', '/v1/nope')).toMatchObject({ status: 404, json: { dialect: true } })
    expect(await ask('POST', '/admin/nope')).toMatchObject({
      status: 404,
      json: { error: { code: 'unknown_endpoint' } },
    })
  })

  test('relay routes are registered behind the error handler, and their faults show nothing (OPS-11)', async () => {
    const { ask, lines } = toyApp({
      relayRoutes: (app) =>
        app.post('/v1/boom', () => {
          throw new Error('hunter2')
        }),
    })
    const answer = await ask('POST', '/v1/boom?key=tp_secret', { body: '{}' })
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('hunter2')
    expect(lines.join()).not.toContain('tp_secret')
  })
})

describe('over a port', () => {
  let server: Listening
  beforeAll(() => {
    server = listen(toyApp().app, { host: 'localhost', port: 0, maxRequestBytes: 1_000_000 })
  })
  afterAll(() => server.stop(true))

  /** Raw bytes in, raw bytes out: fetch would not send these Host headers. */
  async function raw(request: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let received = ''
    await Bun.connect({
      hostname: 'localhost',
      port: server.port,
      socket: {
        open: (socket: Socket) => void socket.write(request),
        data: (_, bytes) => {
          received += bytes.toString()
        },
        close: () => resolve(received),
        error: (_, error) => reject(error),
      },
    })
    return promise
  }
  const get = (target: string, host: string, more = '') =>
    raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`)
  const authorised = `Authorization: Bearer ${ADMIN_TOKEN}\r\n`

  test('no Host header, however short or odd, leads past the token (OPS-9)', async () => {
    for (const host of [
      'a',
      'ab',
      '',
      'a:1',
      '[::1]',
      'x/healthz',
      'x/healthz?',
      'x#',
      'a/admin/toys',
      'localhost/../..',
      '@',
      '%2f',
    ]) {
      const answer = await get('/admin/toys', host)
      expect([host, /^HTTP\/1\.1 (401|400|404)/.test(answer)]).toEqual([host, true])
      expect(answer).not.toContain('"data"')
    }
  })

  test('a short Host header routes to the path that was asked for', async () => {
    for (const host of ['a', 'ab', 'a.b', 'localhost']) {
      expect(await get('/admin/toys', host, authorised)).toStartWith('HTTP/1.1 200')
      expect(await get('/admin/toys/none', host, authorised)).toStartWith('HTTP/1.1 404')
      expect(await get('/healthz', host)).toContain('"alive"')
    }
  })

  test('a longer path is not cut to the path of another route (OPS-9)', async () => {
    for (const host of ['a', 'ab', 'abc', 'a.b.c']) {
      for (const prefix of ['/x', '/xx', '/xxx', '/xxxx']) {
        const answer = await get(`${prefix}/admin/toys`, host, authorised)
        expect([host, prefix, answer.slice(0, 12)]).toEqual([host, prefix, 'HTTP/1.1 404'])
      }
    }
  })

  test('Bun’s development pages, which show stacks and sources, are off (OPS-11)', () => {
    const { app } = toyApp()
    const own = listen(app, { host: 'localhost', port: 0, maxRequestBytes: 1000 })
    expect(app.server?.development).toBe(false)
    return own.stop(true)
  })

  test('a request target in absolute form does not lead past the token (OPS-9)', async () => {
    expect(await get('http://localhost/admin/toys', 'localhost')).not.toContain('"data"')
    expect(await get('http://x/admin/toys', 'y')).not.toContain('"data"')
  })

  test('a broken request is answered cleanly and the next one is served (OPS-11)', async () => {
    for (const broken of [
      'NONSENSE\r\n\r\n',
      'GET /admin/toys HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
    ]) {
      expect(await raw(broken)).not.toMatch(/^HTTP\/1\.1 (2|5)/)
    }
    expect(await get('/healthz', 'localhost')).toStartWith('HTTP/1.1 200')
  })

  test('a port that is taken is an error, not a silent sharing', () => {
    expect(() => listen(toyApp().app, { host: 'localhost', port: server.port, maxRequestBytes: 1000 })).toThrow()
  })

  test('the address of a caller is the socket’s', async () => {
    for (let i = 0; i < 10; i++)
      await get('/admin/toys', 'localhost', `Authorization: Bearer wrong\r\nX-Forwarded-For: 10.0.0.${i}\r\n`)
    expect(await get('/admin/toys', 'localhost', 'X-Forwarded-For: 10.9.9.9\r\n')).toStartWith('HTTP/1.1 429')
  })
})

describe('client address', () => {
  const from = (address: string) => ({ requestIP: () => ({ address }) })
  const request = (forwarded: string) => new Request('http://localhost/', { headers: { 'x-forwarded-for': forwarded } })

  test('x-forwarded-for is believed only from a trusted proxy', () => {
    const clientAddress = createClientAddress(['10.0.0.0/8'])
    expect(clientAddress(request('1.2.3.4'), from('10.0.0.1'))).toBe('1.2.3.4')
    expect(clientAddress(request('1.2.3.4'), from('11.0.0.1'))).toBe('11.0.0.1')
    expect(createClientAddress([])(request('1.2.3.4'), from('10.0.0.1'))).toBe('10.0.0.1')
  })

  test('what a client puts in the header itself is not believed', () => {
    const clientAddress = createClientAddress(['10.0.0.0/8'])
    expect(clientAddress(request('9.9.9.9, 1.2.3.4, 10.0.0.2'), from('10.0.0.1'))).toBe('1.2.3.4')
    expect(clientAddress(request('garbage'), from('10.0.0.1'))).toBe('10.0.0.1')
    expect(clientAddress(request(''), from('::ffff:10.0.0.1'))).toBe('::ffff:10.0.0.1')
    expect(clientAddress(request('1.1.1.1'), null)).toBeNull()
  })
})
