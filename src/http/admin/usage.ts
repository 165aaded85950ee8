/** `/admin/usage` (the list, USE-11) and `/admin/requests/{id}` (ACC-17). */
import { type Static, Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { fromUsd, toUsd } from '../../core/money.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { BILLING_TYPES, REQUEST_STATUSES } from '../../core/receipt.ts'
import { oneOf, TIME_PATTERN } from '../../schema/field.ts'
import { NullableRecording, showRecording } from '../../schema/recording-views.ts'
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

const RequestAnswer = Type.Object(
  { ...RequestView.schema.properties, recording: NullableRecording },
  { title: 'Request', additionalProperties: false },
)

export function usageCalls({ list, find, findRecording, reprice }: Admin['usage']): Call[] {
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
      'By the id in `x-turnpike-request-id`: every attempt, why other accounts were passed over (ACC-17), and headers and bodies where they are recorded (USE-1).',
    status: 200,
    answer: RequestAnswer,
    problems: [404],
    handle: async ({ id, actor }) => {
      const record = await find(id)
      if (record === null) return null
      const recording = actor.role === 'admin' ? await findRecording(id) : null
      return { ...RequestView.show(record), recording: recording && showRecording(recording) }
    },
  })
  return [listCall, requestCall, repriceCall(reprice)]
}

const Reprice = Type.Object(
  {
    from: Type.Optional(
      Type.String({ pattern: TIME_PATTERN, description: 'Made from this time on', example: '2026-07-01T00:00:00Z' }),
    ),
    to: Type.Optional(
      Type.String({ pattern: TIME_PATTERN, description: 'Made before this time', example: '2026-08-01T00:00:00Z' }),
    ),
    model: Type.Optional(Type.String({ maxLength: 300, description: 'Only this model', example: 'house-model' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'Records looked at; 1000 unless told', example: 1000 }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 200, description: 'next_cursor of the call before' })),
  },
  { title: 'RepriceRequest', additionalProperties: false },
)

const Repriced = Type.Object(
  {
    examined: Type.Integer({ description: 'Unpriced records that were looked at, oldest first', example: 120 }),
    repriced: Type.Integer({ description: 'Of them, those that have a price now', example: 118 }),
    cost_usd: Type.Number({ description: 'What they cost in addition, at list price', example: 1.25 }),
    charged_usd: Type.Number({ description: 'What payers were charged in addition', example: 1.25 }),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'null: there are no more', example: null }),
  },
  { title: 'Repriced' },
)

function repriceCall(reprice: Admin['usage']['reprice']): Call {
  return call({
    method: 'POST',
    path: '/admin/usage/reprice',
    tag: 'Usage',
    summary: 'Price unpriced records',
    description:
      'Works out again what was recorded without a price, by the prices of now; each correction is a ledger entry `reprice` of its own. A record is repriced once. The body may be empty (BIL-3, BIL-11).',
    body: Reprice,
    bodyExample: { model: 'house-model', from: '2026-07-01T00:00:00Z', limit: 1000 },
    bodyMayBeEmpty: true,
    status: 200,
    answer: Repriced,
    problems: [],
    handle: async ({ actor, body }) => {
      const span = toSpan(body)
      if (isFault(span)) return span
      const { model, limit = 1000, cursor = null } = body
      const done = await reprice(actor, { ...span, model, limit, cursor })
      if (isFault(done)) return done
      const { examined, repriced, costNano, chargedNano, nextCursor } = done
      const money = { cost_usd: toUsd(costNano), charged_usd: toUsd(chargedNano) }
      return { examined, repriced, ...money, next_cursor: nextCursor }
    },
  })
}

function toFilter(given: Static<typeof query>): Parameters<Admin['usage']['list']>[0] | Fault {
  const span = toSpan(given)
  if (isFault(span)) return span
  const minCostNano = given.min_cost_usd === undefined ? undefined : fromUsd(given.min_cost_usd)
  if (minCostNano === null) return invalid('min_cost_usd', 'min_cost_usd has more than 9 decimals')
  return {
    ...toPageQuery(given),
    ...span,
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

function toSpan(given: { from?: string; to?: string }): { from?: Date; to?: Date } | Fault {
  const from = toDate(given.from)
  const to = toDate(given.to)
  if (from === null) return invalid('from', 'from is not an RFC 3339 time')
  return to === null ? invalid('to', 'to is not an RFC 3339 time') : { from, to }
}

/** Null: the pattern fits, but there is no such day. */
function toDate(text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : new Date(ms)
}
