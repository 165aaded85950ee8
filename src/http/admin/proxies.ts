/** `/admin/proxies` (REL-5, OPS-10). */
import { type ProxiesAdmin, toProxyRecord } from '../../admin/proxies.ts'
import { ProxyCreate, ProxyPatch, type ProxyRow, ProxyView } from '../../schema/proxies.ts'
import type { Call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

export function proxyCalls(proxies: ProxiesAdmin): Call[] {
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
