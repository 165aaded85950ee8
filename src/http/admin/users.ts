/** `/admin/users`: users, their balance and its ledger (BIL-10, BIL-11). */
import { Type } from '@sinclair/typebox'
import type { UsersAdmin } from '../../admin/users.ts'
import { isFault } from '../../core/fault.ts'
import { oneOf } from '../../schema/field.ts'
import { BalanceChange, LedgerEntryView } from '../../schema/ledger-entries.ts'
import { SWITCH, USER_ROLES, UserCreate, UserPatch, UserView } from '../../schema/users.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, showPage, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

const tag = 'Users'
const path = '/admin/users'

const query = listQuery({
  status: Type.Optional(oneOf(SWITCH, { description: 'Only these' })),
  role: Type.Optional(oneOf(USER_ROLES, { description: 'Only these' })),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'Part of the e-mail address or name' })),
})

export function userCalls(users: UsersAdmin): Call[] {
  const resource = resourceCalls({
    path,
    tag,
    nouns: ['a user', 'users'],
    view: UserView,
    about: {
      list: 'Newest first, with what each used so far.',
      get: 'With balance, quota and what was used so far (BIL-12).',
      patch: 'Only the fields given are changed. The balance moves only by `POST {id}/balance` (BIL-11).',
      delete: 'Their keys stop at once and their subscriptions are revoked; usage and ledger stay (KEY-12).',
    },
    query,
    list: ({ limit, cursor, ...filter }) => users.list({ ...toPageQuery({ limit, cursor }), ...filter }),
    find: users.find,
    create: {
      about:
        'An opening balance becomes the first ledger entry (BIL-11). Without `quota_usd` there is no limit (BIL-10).',
      body: UserCreate.schema,
      run: users.create,
    },
    patchBody: UserPatch.schema,
    patchExample: { username: 'ada', quota_usd: 100 },
    patch: users.patch,
    remove: users.remove,
  })
  return [...resource, balanceCall(users), ledgerCall(users)]
}

function balanceCall(users: UsersAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/:id/balance`,
    tag,
    summary: 'Top up or deduct',
    description:
      'Books a ledger entry and moves the balance with it (BIL-11). Negative: a deduction. Answers with the user.',
    body: BalanceChange.schema,
    status: 200,
    answer: UserView.schema,
    problems: [404],
    handle: async ({ actor, id, body }) => {
      const user = await users.changeBalance(actor, id, body)
      return user === null || isFault(user) ? user : UserView.show(user)
    },
  })
}

function ledgerCall(users: UsersAdmin): Call {
  return call({
    method: 'GET',
    path: `${path}/:id/ledger`,
    tag,
    summary: 'List ledger entries',
    description: 'Every movement of the balance, newest first; their sum is the balance (BIL-11).',
    query: listQuery({}),
    status: 200,
    answer: listAnswer('LedgerEntry', LedgerEntryView.schema),
    problems: [404],
    handle: async ({ id, query }) => {
      const page = await users.ledger(id, toPageQuery(query))
      return page === null ? null : showPage(page, LedgerEntryView.show)
    },
  })
}
