import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ADMIN_TOKEN, toyApp, VIEWER_TOKEN } from '../support/toy-api.ts'

describe('an admin call', () => {
  test('create is 201 with the object, get 200, list {data}, delete 204 (contract.md)', async () => {
    const { ask } = toyApp()
    expect(await ask('POST', '/admin/toys', { body: { name: 'bear', size: 3 } })).toMatchObject({
      status: 201,
      json: { name: 'bear', size: 3 },
    })
    expect(await ask('GET', '/admin/toys/bear')).toMatchObject({ status: 200, json: { name: 'bear' } })
    expect(await ask('GET', '/admin/toys?limit=10')).toMatchObject({ status: 200, json: { data: [{ name: 'bear' }] } })
    expect(await ask('DELETE', '/admin/toys/bear')).toMatchObject({ status: 204, text: '' })
    expect(await ask('GET', '/admin/toys/bear')).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } })
  })

  test('an unknown field is a 422 naming it, however deep (contract.md)', async () => {
    const { ask } = toyApp()
    const flat = await ask('POST', '/admin/toys', { body: { nmae: 'bear' } })
    expect(flat).toMatchObject({ status: 422, json: { error: { code: 'unknown_field', field: 'nmae' } } })
    const deep = await ask('POST', '/admin/toys', { body: { name: 'bear', box: { secret: 's', open: 1 } } })
    expect(deep).toMatchObject({ status: 422, json: { error: { code: 'unknown_field', field: 'box.open' } } })
    const prototype = await ask('POST', '/admin/toys', { body: '{"name":"bear","__proto__":{"admin":true}}' })
    expect(prototype).toMatchObject({ status: 422, json: { error: { field: '__proto__' } } })
  })

  test('a missing or wrong field is a 422 that says what it may be and never echoes what was sent (contract.md)', async () => {
    const { ask } = toyApp()
    const cases: [unknown, string, string][] = [
      [{}, 'name', '"name" is required: text of 1 to 20 characters'],
      [{ name: 7 }, 'name', '"name" must be text of 1 to 20 characters'],
      [{ name: 'x', size: 10 }, 'size', '"size" must be a whole number from 1 to 9 or null'],
      [{ name: 'x', colour: 'hunter2' }, 'colour', '"colour" must be one of red, blue'],
      [{ name: 'x', box: { secret: ['hunter2'] } }, 'box.secret', '"box.secret" must be text'],
    ]
    for (const [body, field, message] of cases) {
      const answer = await ask('POST', '/admin/toys', { body })
      expect(answer).toMatchObject({ status: 422, json: { error: { field, message } } })
      expect(answer.text).not.toContain('hunter2')
    }
    expect(await ask('POST', '/admin/toys', { body: [] })).toMatchObject({
      status: 422,
      json: { error: { code: 'invalid_body' } },
    })
  })

  test('bad JSON is a 400, whatever the content type says (contract.md)', async () => {
    const { ask } = toyApp()
    for (const body of ['{"name"', '', 'name=bear', '\u0000', '['.repeat(500)]) {
      expect(await ask('POST', '/admin/toys', { body })).toMatchObject({
        status: 400,
        json: { error: { code: 'invalid_json' } },
      })
    }
    const text = await ask('POST', '/admin/toys', {
      body: '{"name":"bear"}',
      headers: { 'content-type': 'text/plain' },
    })
    expect(text.status).toBe(201)
  })

  test('a conflict is a 409 naming the field (contract.md)', async () => {
    const { ask } = toyApp()
    await ask('POST', '/admin/toys', { body: { name: 'bear' } })
    expect(await ask('POST', '/admin/toys', { body: { name: 'bear' } })).toMatchObject({
      status: 409,
      json: { error: { code: 'conflict', field: 'name', message: 'another toy has this name' } },
    })
  })

  test('a query parameter that is unknown, repeated or wrong is a 400 naming it', async () => {
    const { ask } = toyApp()
    for (const query of [
      'limt=1',
      'limit=x',
      'limit=0',
      'limit=1001',
      'limit=1&limit=2',
      'red=yes',
      'toString=1',
      '__proto__=1',
    ]) {
      const answer = await ask('GET', `/admin/toys?${query}`)
      expect([query, answer.status, answer.json.error.field]).toEqual([query, 400, query.split('=')[0]])
    }
    expect(await ask('GET', '/admin/toys?red=true')).toMatchObject({ status: 200 })
  })

  test('a body larger than the call takes is a 413, with or without content-length (OPS-11)', async () => {
    const { app, ask } = toyApp()
    const body = JSON.stringify({ name: 'x'.repeat(2000) })
    expect(await ask('POST', '/admin/toys', { body })).toMatchObject({
      status: 413,
      json: { error: { code: 'body_too_large' } },
    })
    const stream = new Blob([body]).stream()
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const streamed = await app.handle(
      new Request('http://localhost/admin/toys', { method: 'POST', headers, body: stream }),
    )
    expect(streamed.status).toBe(413)
  })

  test('a fault inside is a 500 that tells nothing; the log has it under the request id (OPS-11)', async () => {
    const { ask, lines } = toyApp()
    const answer = await ask('GET', '/admin/toys/broken')
    expect(answer).toMatchObject({ status: 500, json: { error: { code: 'internal_error' } } })
    expect(answer.text).not.toMatch(/hunter2| at .*:\d|\.ts/)
    const logged = lines.map((line) => JSON.parse(line)).find((line) => line.event === 'admin call failed')
    expect(logged.request_id).toBe(answer.headers.get('x-turnpike-request-id'))
  })

  test('a database that is away is a 503 (OPS-5)', async () => {
    const { ask } = toyApp()
    expect(await ask('GET', '/admin/toys/away')).toMatchObject({
      status: 503,
      json: { error: { code: 'database_unavailable' } },
    })
  })

  test('every answer carries its own request id and is not cached', async () => {
    const { ask } = toyApp()
    const answers = await Promise.all(
      ['/admin/toys', '/admin/toys/x', '/nowhere', '/healthz', '/readyz', '/', '/swagger'].map((path) =>
        ask('GET', path),
      ),
    )
    const ids = answers.map(({ headers }) => headers.get('x-turnpike-request-id'))
    expect(ids.every((id) => /^[0-9a-f-]{36}$/.test(id ?? ''))).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
    expect(answers.every(({ headers }) => headers.get('cache-control') === 'no-store')).toBe(true)
  })

  test('any bytes give a clean answer in the contract shape (OPS-11)', async () => {
    const { ask } = toyApp()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'DELETE'),
        fc.webPath(),
        fc.string({ unit: 'binary' }),
        async (method, path, body) => {
          const answer = await ask(method, `/admin/toys${path}`, method === 'POST' ? { body } : {})
          return answer.status < 500 && (answer.status < 400 || typeof answer.json.error.code === 'string')
        },
      ),
      { numRuns: 50 },
    )
    expect(await ask('GET', '/admin/toys/%E0%A4%A')).toMatchObject({ status: 404 })
  })
})

describe('admin access', () => {
  test('no token, a malformed one or a wrong one is a 401 (OPS-9)', async () => {
    const { ask } = toyApp()
    expect(await ask('GET', '/admin/toys', { token: null })).toMatchObject({
      status: 401,
      json: { error: { code: 'missing_token' } },
    })
    expect(await ask('GET', '/admin/toys', { token: 'wrong' })).toMatchObject({
      status: 401,
      json: { error: { code: 'invalid_token' } },
    })
    expect(
      (await ask('GET', '/admin/toys', { token: null, headers: { authorization: `Basic ${ADMIN_TOKEN}` } })).status,
    ).toBe(401)
    expect((await ask('GET', '/admin/toys', { token: null, headers: { 'x-api-key': ADMIN_TOKEN } })).status).toBe(401)
    expect((await ask('GET', `/admin/toys?key=${ADMIN_TOKEN}`, { token: null })).status).toBe(401)
    expect((await ask('GET', '/admin/toys', { token: 'x'.repeat(5000) })).status).toBe(401)
  })

  test('a stranger learns nothing of bodies, fields or ids: the token comes first (OPS-9)', async () => {
    const { ask } = toyApp()
    for (const body of ['{"nmae":1}', '{bad', 'x'.repeat(5000)])
      expect((await ask('POST', '/admin/toys', { token: null, body })).status).toBe(401)
    expect((await ask('GET', '/admin/toys/none', { token: null })).status).toBe(401)
    expect((await ask('GET', '/admin/toys?limt=1', { token: null })).status).toBe(401)
  })

  test('a viewer reads and cannot write (OPS-9)', async () => {
    const { ask } = toyApp()
    expect((await ask('GET', '/admin/toys', { token: VIEWER_TOKEN })).status).toBe(200)
    for (const [method, path] of [
      ['POST', '/admin/toys'],
      ['DELETE', '/admin/toys/x'],
    ] as const) {
      const answer = await ask(method, path, {
        token: VIEWER_TOKEN,
        ...(method === 'POST' ? { body: { name: 'x' } } : {}),
      })
      expect(answer).toMatchObject({ status: 403, json: { error: { code: 'read_only_token' } } })
    }
  })

  test('wrong tokens from one address are slowed, and waiting ends it (OPS-9)', async () => {
    const { ask, time } = toyApp()
    for (let i = 0; i < 10; i++) expect((await ask('GET', '/admin/toys', { token: 'wrong' })).status).toBe(401)
    const slowed = await ask('GET', '/admin/toys')
    expect(slowed).toMatchObject({ status: 429, json: { error: { code: 'too_many_attempts' } } })
    expect(slowed.headers.get('retry-after')).toBe('6')
    time.nowMs += 6000
    expect((await ask('GET', '/admin/toys')).status).toBe(200)
  })

  test('wrong tokens are logged without the token (OPS-8, OPS-9)', async () => {
    const { ask, lines } = toyApp()
    await ask('GET', '/admin/toys', { token: 'guessed-hunter2' })
    expect(lines.join()).toContain('wrong admin token')
    expect(lines.join()).not.toContain('hunter2')
  })
})
