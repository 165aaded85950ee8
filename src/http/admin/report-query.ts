/** What the reports on usage ask for alike: a span in a time zone, whose use, and filters. And how they show numbers alike. */
import { Type } from '@sinclair/typebox'
import type { OwnerWish, ReportWish } from '../../admin/usage-reports.ts'
import { PLATFORMS } from '../../core/platform.ts'
import type { Span } from '../../core/report-buckets.ts'
import { oneOf } from '../../schema/field.ts'

const DAY_OR_TIME = '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2}))?$'

const moment = (description: string, example: string) =>
  Type.Optional(Type.String({ pattern: DAY_OR_TIME, description, example }))
const id = (what: string) => Type.Optional(Type.String({ maxLength: 36, description: `Only of this ${what}` }))

export const spanQuery = {
  from: moment('From this day of the time zone on, or the day that this time is in', '2026-07-01'),
  to: moment('Before this day or time; the day that a time is in counts whole', '2026-08-01'),
}

export const zoneQuery = {
  tz: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'IANA time zone in which days begin; TIMEZONE unless told',
      example: 'Europe/Berlin',
    }),
  ),
}

export const ownerQuery = { user_id: id('user'), key_id: id('key'), account_id: id('account'), group_id: id('group') }

export const filterQuery = {
  platform: Type.Optional(oneOf(PLATFORMS, { description: 'Only these' })),
  model: Type.Optional(Type.String({ maxLength: 300, description: 'Exactly this model' })),
}

export const countQuery = (description: string, of: { most: number; usual: number }) =>
  Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: of.most,
      description: `${description}; ${of.usual} unless told`,
      example: of.usual,
    }),
  )

interface Given {
  from?: string
  to?: string
  tz?: string
  user_id?: string
  key_id?: string
  account_id?: string
  group_id?: string
  platform?: string
  model?: string
}

export function toReportWish(given: Given): ReportWish {
  const { from, to, tz: timeZone, platform, model } = given
  const owner: OwnerWish = {
    user: given.user_id,
    key: given.key_id,
    account: given.account_id,
    group: given.group_id,
  }
  return { from, to, timeZone, owner, platform, model }
}

export function showSpan({ fromMs, toMs }: Span): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}

/** To a hundredth of a percent. Null: of nothing there is no share. */
export function percentOf(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 10_000) / 100
}
