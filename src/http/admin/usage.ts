/** `/admin/usage` (the list, USE-11) and `/admin/requests/{id}` (ACC-17). */
import { type Static, Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { fromUsd } from '../../core/money.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { BILLING_TYPES, REQUEST_STATUSES } from '../../core/receipt.ts'
import { oneOf, TIME_PATTERN } from '../../schema/field.ts'
import { RequestView, UsageRecordView } from '../../schema/usage-record-views.ts'
import { type Call, call } from './call.ts'
import { listAnswer, listQuery, showPage, toPageQuery } from './lists.ts'

const time = (description: string) =>
  Type.Optional(Type.String({ pattern: TIME_PATTERN, description, example: '2026-07-24T00:00:00Z' }))
const id = (what: string) => Type.Optional(Type.String({ maxLength: 36, description: `Only of this ${what}` }))

const query = listQuery({
  from: time('From this time on'),
  to: time('Before this time'),
  user_id: id('user'),
  key_id: id('key'),
  account_id: id('account'),
  group_id: id('group'),
  subscription_id: id('subscription'),
  platform: Type.Optional(oneOf(PLATFORMS, { description: 'Only these' })),
  model: Type.Optional(Type.String({ maxLength: 300, description: 'Exactly this model' })),
  status: Type.Optional(oneOf(REQUEST_STATUSES, { description: 'Only these' })),
  billing_type: Type.Optional(oneOf(BILLING_TYPES, { description: 'Only these' })),
  stream: Type.Optional(Type.Boolean({ description: 'Only these' })),
  priced: Type.Optional(Type.Boolean({ description: 'false: those without a price (BIL-3)' })),
  min_cost_usd: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1_000_000_000, description: 'Cost at least this much' }),
  ),
})

export function usageCalls({ list, find }: Admin['usage']): Call[] {
  const tag = 'Usage'
  const listCall = call({
    method: 'GET',
    path: '/admin/usage',
    tag,
    summary: 'List usage records',
    description: 'One per request, newest first (USE-1, USE-11).',
    query,
    status: 200,
    answer: listAnswer('UsageRecord', UsageRecordView.schema),
    problems: [],
    handle: ({ query }) => {
      const filter = toFilter(query)
      return isFault(filter) ? Promise.resolve(filter) : showPage(list(filter), UsageRecordView.show)
    },
  })
  const requestCall = call({
    method: 'GET',
    path: '/admin/requests/:id',
    tag,
    summary: 'Get one request',
    description:
      'By the id in `x-turnpike-request-id`: every attempt, and why other accounts were passed over (ACC-17).',
    status: 200,
    answer: RequestView.schema,
    problems: [404],
    handle: async ({ id }) => {
      const record = await find(id)
      return record && RequestView.show(record)
    },
  })
  return [listCall, requestCall]
}

function toFilter(given: Static<typeof query>): Parameters<Admin['usage']['list']>[0] | Fault {
  const from = toDate(given.from)
  const to = toDate(given.to)
  if (from === null) return invalid('from', 'from is not an RFC 3339 time')
  if (to === null) return invalid('to', 'to is not an RFC 3339 time')
  const minCostNano = given.min_cost_usd === undefined ? undefined : fromUsd(given.min_cost_usd)
  if (minCostNano === null) return invalid('min_cost_usd', 'min_cost_usd has more than 9 decimals')
  return {
    ...toPageQuery(given),
    from,
    to,
    userId: given.user_id,
    keyId: given.key_id,
    accountId: given.account_id,
    groupId: given.group_id,
    subscriptionId: given.subscription_id,
    platform: given.platform,
    model: given.model,
    status: given.status,
    billingType: given.billing_type,
    stream: given.stream,
    priced: given.priced,
    minCostNano,
  }
}

/** Null: the pattern fits, but there is no such day. */
function toDate(text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : new Date(ms)
}
