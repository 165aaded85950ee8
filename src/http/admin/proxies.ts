/** `/admin/proxies` (REL-5, OPS-10). */
import { Type } from '@sinclair/typebox'
import { type ProxiesAdmin, toProxyRecord } from '../../admin/proxies.ts'
import { ProxyCreate, ProxyPatch, type ProxyRow, ProxyView } from '../../schema/proxies.ts'
import { type Call, call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { orNull } from './or-null.ts'
import { resourceCalls } from './resource-calls.ts'

export function proxyCalls(proxies: ProxiesAdmin): Call[] {
  return [...resources(proxies), testCall(proxies)]
}

const TestBody = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description: 'What to ask for',
        example: 'https://api.anthropic.com',
      }),
    ),
  },
  { title: 'ProxyTest', additionalProperties: false },
)

const TestAnswer = Type.Object(
  {
    ok: Type.Boolean({ description: 'Did the target answer through the proxy, with whatever status?', example: true }),
    status: orNull(Type.Integer({ description: 'HTTP status; null: no answer', example: 421 })),
    ms: Type.Integer({ description: 'How long it took', example: 180 }),
    url: Type.String({ description: 'What was asked for', example: 'https://api.openai.com' }),
    cause: orNull(Type.String({ description: 'Why not, as attempts name it', example: 'connect_error' })),
    message: orNull(Type.String({ description: 'More about it', example: 'connection refused' })),
  },
  { title: 'ProxyTestResult' },
)

function testCall(proxies: ProxiesAdmin): Call {
  return call({
    method: 'POST',
    path: '/admin/proxies/:id/test',
    tag: 'Proxies',
    summary: 'Try a connection through a proxy',
    description:
      "One GET without credentials, a disabled proxy's too (REL-5). `url` passes the outbound guard (OPS-10); without it a provider's public " +
      'address is asked for. A failed test is a 200 with `ok` false. The body may be empty.',
    body: TestBody,
    bodyExample: {},
    bodyMayBeEmpty: true,
    status: 200,
    answer: TestAnswer,
    problems: [404],
    handle: ({ id, body }) => proxies.test(id, body.url ?? null),
  })
}

function resources(proxies: ProxiesAdmin): Call[] {
  return resourceCalls({
    path: '/admin/proxies',
    tag: 'Proxies',
    nouns: ['a proxy', 'proxies'],
    view: { schema: ProxyView.schema, show: (row: ProxyRow) => ProxyView.show(toProxyRecord(row)) },
    about: {
      list: 'Newest first; names and passwords are never shown.',
      get: 'Whether it logs in is shown, not how (ACC-8).',
      patch:
        'Only the fields given are changed. `username` and `password` are replaced together; null takes them away.',
      delete: 'Refused while an account uses it: its traffic would go out directly (REL-5).',
    },
    query: listQuery({}),
    list: (query) => proxies.list(toPageQuery(query)),
    find: proxies.find,
    create: {
      about:
        'http:// or https:// (REL-5); SOCKS is refused, the runtime does not speak it. User name and password have fields of their own (OPS-10).',
      body: ProxyCreate.schema,
      run: proxies.create,
    },
    patchBody: ProxyPatch.schema,
    patchExample: { status: 'disabled' },
    patch: proxies.patch,
    remove: proxies.remove,
  })
}
