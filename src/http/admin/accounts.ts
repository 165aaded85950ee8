/** `/admin/accounts`: upstream accounts (ACC). */
import { Type } from '@sinclair/typebox'
import type { AccountsAdmin } from '../../admin/accounts.ts'
import { isFault } from '../../core/fault.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { AccountCreate, AccountPatch, AccountView } from '../../schema/account-views.ts'
import { ACCOUNT_STATUSES } from '../../schema/accounts.ts'
import { oneOf } from '../../schema/field.ts'
import { type Call, call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

const tag = 'Accounts'
const path = '/admin/accounts'

const query = listQuery({
  platform: Type.Optional(oneOf(PLATFORMS, { description: 'Only these' })),
  status: Type.Optional(oneOf(ACCOUNT_STATUSES, { description: 'Only these' })),
  group_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only accounts of this group' })),
})

/** An account as most people add one; the fields' own examples would show all types' credentials at once. */
const CREATE_EXAMPLE = {
  name: 'openai-main',
  platform: 'openai',
  type: 'api_key',
  credentials: { api_key: 'sk-proj-0123456789', base_url: 'https://api.openai.com/v1' },
  priority: 50,
  concurrency: 0,
  model_mapping: { 'gpt-4o*': 'gpt-4o' },
  rate_multiplier: 1,
}
const PATCH_EXAMPLE = { priority: 10, credentials: { api_key: 'sk-proj-9876543210' } }

export function accountCalls(accounts: AccountsAdmin): Call[] {
  const calls = resourceCalls({
    path,
    tag,
    nouns: ['an account', 'accounts'],
    view: AccountView,
    about: {
      list: 'Newest first; credentials masked (ACC-8).',
      get: 'Credentials are masked to their last four characters (ACC-8).',
      patch:
        'Only the fields given are changed; of `credentials` too, so that a new key keeps the base_url; null takes one away (ACC-8). ' +
        'Other credentials than before, on an account in status `error`, make it active again (ACC-10).',
      delete: 'Refused while a key is bound to it (KEY-5). Its usage stays.',
    },
    query,
    list: ({ limit, cursor, group_id: groupId, ...filter }) =>
      accounts.list({ ...toPageQuery({ limit, cursor }), ...filter, groupId }),
    find: accounts.find,
    create: {
      about:
        'Type `api_key` takes `credentials.api_key`, `oauth` takes `access_token` and/or `refresh_token` (`expires_at`, `chatgpt_account_id`), ' +
        '`aws` (Bedrock) takes the AWS fields; it serves `/v1/messages` to keys of the Bedrock groups it is in. `base_url` passes the outbound guard (OPS-10). Without `group_ids` it joins its ' +
        "platform's default group (ACC-12); Bedrock has none, so name one. With a `model_mapping` it supports exactly its keys (ACC-2).",
      body: AccountCreate.schema,
      example: CREATE_EXAMPLE,
      run: accounts.create,
    },
    patchBody: AccountPatch.schema,
    patchExample: PATCH_EXAMPLE,
    patch: accounts.patch,
    remove: accounts.remove,
  })
  return [...calls, resetCall(accounts)]
}

function resetCall(accounts: AccountsAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/:id/reset`,
    tag,
    summary: 'Clear cooldowns and errors',
    description: 'Makes the account schedulable again (ACC-6). One that an operator disabled stays disabled.',
    status: 200,
    answer: AccountView.schema,
    problems: [404],
    handle: async ({ actor, id }) => {
      const account = await accounts.reset(actor, id)
      return account === null || isFault(account) ? account : AccountView.show(account)
    },
  })
}
