import { afterAll, describe, expect, test } from 'bun:test'
import { type Call, call } from '../../src/http/admin/call.ts'
import { createHttpApp, type Listening, listen } from '../../src/http/server.ts'
import { createLog } from '../../src/lib/log.ts'
import { until } from '../support/until.ts'

const seen = { pulls: 0, cancelled: 0 }
const calls: Call[] = [
  call({
    method: 'GET',
    path: '/admin/lines',
    tag: 'lines',
    summary: 'Lines without an end',
    description: 'A line for each time that somebody reads',
    status: 200,
    streams: { 'text/csv': 'a,b\n1,2\n' },
    problems: [],
    handle: async () => ({ pieces: lines(), contentType: 'text/csv', fileName: 'lines.csv' }),
  }),
  call({
    method: 'GET',
    path: '/admin/broken',
    tag: 'lines',
    summary: 'Lines that break off',
    description: 'A line, and a failure instead of the second',
    status: 200,
    streams: { 'text/csv': 'a,b\n' },
    problems: [],
    handle: async () => ({ pieces: broken(), contentType: 'text/csv' }),
  }),
  call({
    method: 'GET',
    path: '/admin/none',
    tag: 'lines',
    summary: 'Nothing there',
    description: 'A streamed call may still refuse',
    status: 200,
    streams: { 'text/csv': 'a,b\n' },
    problems: [404],
    handle: async () => null,
  }),
]

/** One line, then silence: a reader who leaves is noticed while nothing is written. */
function lines(): AsyncIterable<string> {
  const over = Promise.withResolvers<IteratorReturnResult<undefined>>()
  const iterator: AsyncIterator<string> = {
    next: () => (seen.pulls++ > 0 ? over.promise : Promise.resolve({ value: '1,2\n', done: false })),
    async return() {
      seen.cancelled++
      over.resolve({ value: undefined, done: true })
      return over.promise
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

async function* broken(): AsyncIterable<string> {
  yield '1,2\n'
  throw new Error('the second line is missing')
}

const written: string[] = []
const log = createLog({ pretty: false, write: (line) => written.push(line) })
const authenticate = async () => ({ name: 'root', role: 'admin' as const, clientIp: null })
const app = createHttpApp({
  log,
  version: '0.0.0',
  checks: [],
  admin: { calls, deps: { authenticate, log, isDatabaseAway: () => false } },
})
const server: Listening = listen(app, { host: 'localhost', port: 0, maxRequestBytes: 1_000_000 })
afterAll(() => server.stop(true))

describe('an admin call that streams', () => {
  test('sends its body as it is made, with its own type, its file name and its request id (contract.md, USE-11)', async () => {
    const leave = new AbortController()
    const answer = await fetch(`http://localhost:${server.port}/admin/lines`, { signal: leave.signal })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv'])
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="lines.csv"')
    expect(answer.headers.get('x-accel-buffering')).toBe('no')
    expect(answer.headers.get('x-turnpike-request-id')).toHaveLength(36)
    const { value } = await answer.body!.getReader().read()
    expect(new TextDecoder().decode(value)).toBe('1,2\n')
    expect(seen.cancelled).toBe(0)
    leave.abort()
    await until(() => seen.cancelled === 1, { what: 'the stream hears that its reader has left' })
    expect(written).toEqual([])
  })

  test('that breaks off is cut, so that nobody takes the half for the whole, and logged (OPS-11)', async () => {
    const whole = fetch(`http://localhost:${server.port}/admin/broken`).then((answer) => answer.text())
    await expect(whole).rejects.toThrow()
    expect(written.filter((line) => line.includes('the second line is missing'))).toHaveLength(1)
  })

  test('may refuse in JSON like any other (contract.md)', async () => {
    const answer = await fetch(`http://localhost:${server.port}/admin/none`)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: { code: 'not_found' } })
  })

  test('is documented with its content types, each with an example (OPS-12)', async () => {
    const answer = await fetch(`http://localhost:${server.port}/swagger/json`)
    const specification = (await answer.json()) as { paths: Record<string, { get: { responses: unknown } }> }
    expect(specification.paths['/admin/lines']?.get.responses).toMatchObject({
      200: { content: { 'text/csv': { schema: { type: 'string' }, example: 'a,b\n1,2\n' } } },
    })
  })
})
