/** A call that reads its body itself, as it comes: bounded like any other, and nothing of it before the caller is known (OPS-9, OPS-11). */
import { describe, expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { call } from '../../src/http/admin/call.ts'
import { createHttpApp } from '../../src/http/server.ts'
import { createLog } from '../../src/lib/log.ts'

let read = 0
const sizeCall = call({
  method: 'POST',
  path: '/admin/size',
  tag: 'size',
  summary: 'Count bytes',
  description: 'Counts the bytes of its body as they come',
  body: Type.Object({}),
  bodyIsStreamed: true,
  maxBodyBytes: 100,
  status: 200,
  answer: Type.Object({ bytes: Type.Integer() }),
  problems: [],
  async handle({ chunks }) {
    let bytes = 0
    for await (const chunk of chunks) {
      bytes += chunk.length
      read += chunk.length
    }
    return { bytes }
  },
})

const log = createLog({ pretty: false, write: () => {} })
const problem = { status: 401 as const, code: 'missing_token', message: 'who are you?' }
const authenticate = async ({ headers }: Request) =>
  headers.has('authorization') ? { name: 'root', role: 'admin' as const, clientIp: null } : problem
const app = createHttpApp({
  log,
  version: '0.0.0',
  checks: [],
  admin: { calls: [sizeCall], deps: { authenticate, log, isDatabaseAway: () => false } },
})
const ask = (body: string | null, headers: Record<string, string> = { authorization: 'Bearer t' }) =>
  app.handle(new Request('http://localhost/admin/size', { method: 'POST', headers, body }))

describe('a streamed body', () => {
  test('reaches its call whole, up to the limit', async () => {
    for (const size of [0, 1, 100]) {
      const answer = await ask(size === 0 ? null : 'x'.repeat(size))
      expect([answer.status, await answer.json()]).toEqual([200, { bytes: size }])
    }
  })

  test('beyond the limit is a 413 that names it (OPS-11)', async () => {
    const answer = await ask('x'.repeat(101))
    expect([answer.status, await answer.json()]).toMatchObject([
      413,
      { error: { code: 'body_too_large', message: 'the body is larger than 100 bytes' } },
    ])
  })

  test('of somebody unknown is not read (OPS-9)', async () => {
    read = 0
    expect((await ask('x'.repeat(50), {})).status).toBe(401)
    expect(read).toBe(0)
  })
})
