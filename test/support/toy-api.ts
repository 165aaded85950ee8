/** A small admin API over a Map, so that what HTTP does can be tested without a database. */
import { type Static, Type } from '@sinclair/typebox'
import { conflict } from '../../src/core/fault.ts'
import { createCallerCheck } from '../../src/http/admin/authenticate.ts'
import { type Call, call } from '../../src/http/admin/call.ts'
import { createClientAddress } from '../../src/http/client-address.ts'
import { createHttpApp, type HttpParts } from '../../src/http/server.ts'
import { createLog } from '../../src/lib/log.ts'

const Toy = Type.Object(
  {
    name: Type.String({ description: 'Its name', example: 'bear', minLength: 1, maxLength: 20 }),
    size: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: 9 }), Type.Null()], { description: 'How big', example: 3 }),
    ),
    colour: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('blue')], { example: 'red' })),
    box: Type.Optional(Type.Object({ secret: Type.String({ example: 'x' }) }, { additionalProperties: false })),
  },
  { title: 'Toy', additionalProperties: false },
)

export const ADMIN_TOKEN = 'admin-token-of-the-tests'
export const VIEWER_TOKEN = 'viewer-token-of-the-tests'

export function toyCalls(toys = new Map<string, Static<typeof Toy>>()): Call[] {
  const common = { tag: 'toys', description: 'For tests', problems: [404, 409] as const }
  return [
    call({
      ...common,
      method: 'GET',
      path: '/admin/toys',
      summary: 'List toys',
      query: Type.Object(
        { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })), red: Type.Optional(Type.Boolean()) },
        { additionalProperties: false },
      ),
      status: 200,
      answer: Type.Object({ data: Type.Array(Toy) }),
      handle: async ({ query }) => ({ data: [...toys.values()].slice(0, query.limit ?? 50) }),
    }),
    call({
      ...common,
      method: 'POST',
      path: '/admin/toys',
      summary: 'Make a toy',
      body: Toy,
      maxBodyBytes: 1000,
      status: 201,
      answer: Toy,
      handle: async ({ body }) => {
        if (toys.has(body.name)) return conflict('name', 'another toy has this name')
        toys.set(body.name, body)
        return body
      },
    }),
    call({
      ...common,
      method: 'GET',
      path: '/admin/toys/:id',
      summary: 'Get a toy',
      status: 200,
      answer: Toy,
      handle: async ({ id }) => {
        if (id === 'broken') throw new Error('secret detail: hunter2')
        if (id === 'away') throw new Error('database away')
        return toys.get(id) ?? null
      },
    }),
    call({
      ...common,
      method: 'DELETE',
      path: '/admin/toys/:id',
      summary: 'Delete a toy',
      status: 204,
      handle: async ({ id }) => (toys.delete(id) ? {} : null),
    }),
  ]
}

export function toyApp(parts: Partial<HttpParts> = {}) {
  const lines: string[] = []
  const log = createLog({ pretty: false, write: (line) => lines.push(line) })
  const time = { nowMs: 1_000_000 }
  const authenticate = createCallerCheck({
    verifyToken: async (token) => {
      if (token === ADMIN_TOKEN) return { name: 'root', role: 'admin' }
      return token === VIEWER_TOKEN ? { name: 'reader', role: 'viewer' } : null
    },
    clientAddress: createClientAddress([]),
    clock: { nowMs: () => time.nowMs },
    log,
  })
  const isDatabaseAway = (error: unknown) => error instanceof Error && error.message === 'database away'
  const deps = { authenticate, log, isDatabaseAway }
  const app = createHttpApp({ log, version: '0.0.0', checks: [], admin: { calls: toyCalls(), deps }, ...parts })

  /** One request through the app, without a port. */
  async function ask(
    method: string,
    path: string,
    { body, token = ADMIN_TOKEN as string | null, headers = {} }: AskOptions = {},
  ) {
    const answer = await app.handle(
      new Request(`http://localhost${path}`, {
        method,
        headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    )
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: text.startsWith('{') ? JSON.parse(text) : null,
    }
  }
  return { app, ask, lines, time }
}

export interface AskOptions {
  body?: unknown
  token?: string | null
  headers?: Record<string, string>
}
