/** `/admin/usage/export`: the usage log as CSV or JSON Lines, of any size (USE-11). */
import { Type } from '@sinclair/typebox'
import type { Admin } from '../../admin/admin.ts'
import { isFault } from '../../core/fault.ts'
import { type CsvValue, csvLine } from '../../lib/csv.ts'
import { oneOf } from '../../schema/field.ts'
import { UsageRecordView } from '../../schema/usage-record-views.ts'
import { exampleOf } from '../describe-call.ts'
import { type Call, call } from './call.ts'
import { toFilter, usageFilters } from './usage-filter.ts'

type Pages = ReturnType<Admin['usage']['read']>
type Exported = Awaited<ReturnType<Pages['next']>>['value'][number]

const NAMES = ['username', 'key_name', 'account_name', 'group_name'] as const
const COLUMNS = [...Object.keys(UsageRecordView.schema.properties), ...NAMES]

const FORMATS = {
  csv: { contentType: 'text/csv; charset=utf-8', head: csvLine(COLUMNS), line: toCsv },
  jsonl: { contentType: 'application/jsonl', head: '', line: toJsonLine },
} as const
const FORMAT_NAMES = ['csv', 'jsonl'] as const satisfies (keyof typeof FORMATS)[]

const example = { ...(exampleOf(UsageRecordView.schema) as object), username: 'ada', key_name: 'claude code' }

export function usageExportCall(read: Admin['usage']['read']): Call {
  return call({
    method: 'GET',
    path: '/admin/usage/export',
    tag: 'Usage',
    summary: 'Export usage records',
    description:
      'All that the filters leave, newest first, as CSV or JSON Lines, with the names of user, key, account and group, deleted or not (USE-11, KEY-12). Sent as it is read: a slow client slows the reading, one that leaves ends it. In CSV a text that begins like a formula has an apostrophe before it, and lists are JSON.',
    query: Type.Object(
      { format: Type.Optional(oneOf(FORMAT_NAMES, { description: 'csv unless told' })), ...usageFilters },
      { additionalProperties: false },
    ),
    status: 200,
    streams: {
      'text/csv': FORMATS.csv.head + csvLine(COLUMNS.map((name) => csvValue(example[name as keyof typeof example]))),
      'application/jsonl': `${JSON.stringify(example)}\n`,
    },
    problems: [],
    handle: async ({ query: { format = 'csv', ...filters } }) => {
      const filter = toFilter(filters)
      if (isFault(filter)) return filter
      const { contentType, head, line } = FORMATS[format]
      return { contentType, fileName: `usage.${format}`, pieces: piecesOf(read(filter), head, line) }
    },
  })
}

async function* piecesOf(pages: Pages, head: string, line: (record: Exported) => string): AsyncGenerator<string> {
  if (head !== '') yield head
  for await (const page of pages) yield page.map(line).join('')
}

function show({ username, keyName, accountName, groupName, ...record }: Exported): Record<string, unknown> {
  return {
    ...UsageRecordView.show(record),
    username,
    key_name: keyName,
    account_name: accountName,
    group_name: groupName,
  }
}

function toJsonLine(record: Exported): string {
  return `${JSON.stringify(show(record))}\n`
}

function toCsv(record: Exported): string {
  const shown = show(record)
  return csvLine(COLUMNS.map((name) => csvValue(shown[name])))
}

function csvValue(value: unknown): CsvValue {
  if (value === null || value === undefined) return null
  return typeof value === 'object' ? JSON.stringify(value) : (value as CsvValue)
}
