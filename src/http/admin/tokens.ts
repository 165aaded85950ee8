/** `/admin/tokens`: named admin tokens with a role (OPS-9). */
import { Type } from '@sinclair/typebox'
import type { AdminTokensAdmin } from '../../admin/admin-tokens.ts'
import { isFault } from '../../core/fault.ts'
import { AdminTokenCreate, AdminTokenView } from '../../schema/admin-tokens.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, showPage, toPageQuery } from './lists.ts'

const tag = 'Admin tokens'
const path = '/admin/tokens'

const IssuedTokenView = Type.Object(
  {
    ...AdminTokenView.schema.properties,
    token: Type.String({ description: 'The token itself: shown only now', example: 'tpa_…' }),
  },
  { title: 'IssuedAdminToken' },
)

export function tokenCalls(tokens: AdminTokensAdmin): Call[] {
  const list = call({
    method: 'GET',
    path,
    tag,
    summary: 'List admin tokens',
    description: 'Named tokens, newest first; the root token of the configuration is not among them (OPS-9).',
    query: listQuery({}),
    status: 200,
    answer: listAnswer('AdminToken', AdminTokenView.schema),
    problems: [],
    handle: ({ query }) => showPage(tokens.list(toPageQuery(query)), AdminTokenView.show),
  })
  const create = call({
    method: 'POST',
    path,
    tag,
    summary: 'Create an admin token',
    description: 'Role `viewer` reads only (OPS-9). The token itself is in this answer only.',
    body: AdminTokenCreate.schema,
    bodyExample: { name: 'ci', role: 'viewer' },
    status: 201,
    answer: IssuedTokenView,
    problems: [409],
    handle: async ({ actor, body }) => {
      const issued = await tokens.create(actor, body)
      if (issued === null || isFault(issued)) return issued
      return { ...AdminTokenView.show(issued.row), token: issued.token }
    },
  })
  const remove = call({
    method: 'DELETE',
    path: `${path}/:id`,
    tag,
    summary: 'Delete an admin token',
    description: 'It stops at once (OPS-9); its name stays in the audit log.',
    status: 204,
    problems: [404],
    handle: ({ actor, id }) => tokens.remove(actor, id),
  })
  return [list, create, remove]
}
