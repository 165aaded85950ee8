/** `/admin/audit`: who did what, when, from where (OPS-9). */
import { Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { AuditView } from '../../schema/audit-log.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, showPage, toPageQuery } from './lists.ts'

const text = (description: string) => Type.Optional(Type.String({ maxLength: 200, description }))

export function auditCalls({ list }: Admin['audit']): Call[] {
  return [
    call({
      method: 'GET',
      path: '/admin/audit',
      tag: 'Audit',
      summary: 'List audit entries',
      description: 'Every write of an operator, newest first, without secrets (OPS-9).',
      query: listQuery({
        resource: text('Kind of thing: user, group, account, key …'),
        resource_id: text('Which one'),
        actor: text('Name of the admin token'),
      }),
      status: 200,
      answer: listAnswer('AuditEntry', AuditView.schema),
      problems: [],
      handle: ({ query: { resource, resource_id: resourceId, actor, ...page } }) =>
        showPage(list({ ...toPageQuery(page), resource, resourceId, actor }), AuditView.show),
    }),
  ]
}
