/** `/admin/groups` (ACC-12). */
import { Type } from '@sinclair/typebox'
import type { GroupsAdmin } from '../../admin/groups.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { oneOf } from '../../schema/field.ts'
import { GroupCreate, GroupPatch, GroupView } from '../../schema/groups.ts'
import { SWITCH } from '../../schema/users.ts'
import type { Call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

const query = listQuery({
  platform: Type.Optional(oneOf(PLATFORMS, { description: 'Only these' })),
  status: Type.Optional(oneOf(SWITCH, { description: 'Only these' })),
})

export function groupCalls(groups: GroupsAdmin): Call[] {
  return resourceCalls({
    path: '/admin/groups',
    tag: 'Groups',
    nouns: ['a group', 'groups'],
    view: GroupView,
    about: {
      list: 'Newest first. The default group of each platform is there from the first start (ACC-12).',
      get: 'With its limits and users (ACC-12).',
      patch: 'Only the fields given are changed; `user_ids` replaces the whole list (ACC-12).',
      delete: 'Refused while keys, accounts or other groups use it, and for default groups (ACC-12).',
    },
    query,
    list: ({ limit, cursor, ...filter }) => groups.list({ ...toPageQuery({ limit, cursor }), ...filter }),
    find: groups.find,
    create: {
      about: 'A group belongs to one platform; `exclusive` lets only the listed users in (ACC-12).',
      body: GroupCreate.schema,
      example: { name: 'gold', platform: 'openai', rate_multiplier: 1.5, daily_limit_usd: 20 },
      run: groups.create,
    },
    patchBody: GroupPatch.schema,
    patchExample: { rate_multiplier: 1.2, daily_limit_usd: null },
    patch: groups.patch,
    remove: groups.remove,
  })
}
