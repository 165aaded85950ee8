/** `/admin/subscriptions` (BIL-10). */
import { Type } from '@sinclair/typebox'
import type { SubscriptionsAdmin } from '../../admin/subscriptions.ts'
import { oneOf } from '../../schema/field.ts'
import {
  SUBSCRIPTION_STATUSES,
  SubscriptionCreate,
  SubscriptionPatch,
  SubscriptionView,
} from '../../schema/subscriptions.ts'
import type { Call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

const query = listQuery({
  user_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only of this user' })),
  group_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only to this group' })),
  status: Type.Optional(oneOf(SUBSCRIPTION_STATUSES, { description: 'Only these' })),
})

export function subscriptionCalls(subscriptions: SubscriptionsAdmin): Call[] {
  return resourceCalls({
    path: '/admin/subscriptions',
    tag: 'Subscriptions',
    nouns: ['a subscription', 'subscriptions'],
    view: SubscriptionView,
    about: {
      list: 'Newest first, revoked ones too; the limits are those of the group (BIL-10).',
      get: 'With what was used in its windows, as of their last use: they renew by themselves (BIL-10).',
      patch: 'Extends or shortens it. A revoked subscription cannot be changed: assign a new one (BIL-10).',
      delete: 'Revokes it at once; what was used stays. The user’s balance pays from then on (BIL-10).',
    },
    query,
    list: ({ limit, cursor, user_id: userId, group_id: groupId, status }) =>
      subscriptions.list({ ...toPageQuery({ limit, cursor }), userId, groupId, status }),
    find: subscriptions.find,
    create: {
      about:
        'Assigns a group of billing type `subscription` to a user, for `days` or until `expires_at`; one active subscription each (BIL-10).',
      body: SubscriptionCreate.schema,
      example: {
        user_id: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e10',
        group_id: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11',
        days: 30,
        note: 'Paid by invoice 42',
      },
      run: subscriptions.create,
    },
    patchBody: SubscriptionPatch.schema,
    patchExample: { expires_at: '2027-01-01T00:00:00.000Z', note: 'Extended by invoice 43' },
    patch: subscriptions.patch,
    remove: subscriptions.remove,
  })
}
