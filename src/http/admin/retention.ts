/** `DELETE /admin/usage?older_than_days=`: retention on demand (USE-18). */
import { Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { type Call, call } from './call.ts'

const Deleted = Type.Object(
  {
    deleted_records: Type.Integer({ description: 'Usage records that are gone', example: 48_210 }),
    dropped_months: Type.Integer({ description: 'Months of them that were dropped whole', example: 1 }),
    deleted_recordings: Type.Integer({ description: 'Recorded headers and bodies that are gone (USE-1)', example: 0 }),
  },
  { title: 'DeletedUsage' },
)

export function retentionCalls({ deleteOlderThan }: Admin['retention']): Call[] {
  return [
    call({
      method: 'DELETE',
      path: '/admin/usage',
      tag: 'Usage',
      summary: 'Delete old usage records',
      description:
        'Raw records only, in small steps: totals, reports over rollups, balances and the ledger stay as they are (USE-18). RETENTION_DAYS has this done every hour.',
      query: Type.Object(
        {
          older_than_days: Type.Integer({
            minimum: 1,
            maximum: 36_500,
            description: 'Records made longer ago than so many days',
            example: 90,
          }),
        },
        { additionalProperties: false },
      ),
      status: 200,
      answer: Deleted,
      problems: [],
      handle: async ({ actor, query }) => {
        const { records, months, recordings } = await deleteOlderThan(actor, query.older_than_days)
        return { deleted_records: records, dropped_months: months, deleted_recordings: recordings }
      },
    }),
  ]
}
