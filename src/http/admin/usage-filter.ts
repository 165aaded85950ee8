/** By what the usage log is filtered, whether it is listed or exported (USE-11): the parameters, and what they mean. */
import { type Static, type TObject, Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { fromUsd } from '../../core/money.ts'
import { PLATFORMS } from '../../core/platform.ts'
import { BILLING_TYPES, REQUEST_STATUSES } from '../../core/receipt.ts'
import { parseInstant } from '../../core/time-text.ts'
import { oneOf, TIME_PATTERN } from '../../schema/field.ts'

type UsageFilter = Parameters<Admin['usage']['read']>[0]

const time = (description: string) =>
  Type.Optional(Type.String({ pattern: TIME_PATTERN, description, example: '2026-07-24T00:00:00Z' }))
const id = (what: string) => Type.Optional(Type.String({ maxLength: 36, description: `Only of this ${what}` }))

export const usageFilters = {
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
}

export function toFilter(given: Static<TObject<typeof usageFilters>>): UsageFilter | Fault {
  const span = toSpan(given)
  if (isFault(span)) return span
  const minCostNano = given.min_cost_usd === undefined ? undefined : fromUsd(given.min_cost_usd)
  if (minCostNano === null) return invalid('min_cost_usd', 'min_cost_usd has more than 9 decimals')
  return {
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

export function toSpan(given: { from?: string; to?: string }): { from?: Date; to?: Date } | Fault {
  const from = toDate(given.from)
  const to = toDate(given.to)
  if (from === null) return invalid('from', 'from is not an RFC 3339 time from 1970 on')
  if (to === null) return invalid('to', 'to is not an RFC 3339 time from 1970 on')
  return from && to && from > to ? invalid('to', 'to is earlier than from') : { from, to }
}

/** Null: the pattern fits, but there is no such time. */
function toDate(text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined
  const ms = parseInstant(text)
  return ms === null ? null : new Date(ms)
}
