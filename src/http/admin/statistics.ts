/** `/admin/statistics`: the usage statistics in memory, their switch, export and import (USE-5 to USE-8). */
import { Type } from '@sinclair/typebox'
import type { StatisticsAdmin } from '../../admin/statistics.ts'
import { inTurns } from '../../lib/in-turns.ts'
import { JsonInputError } from '../../lib/json-input.ts'
import { problem } from '../answer.ts'
import { type Call, call } from './call.ts'

const tag = 'Statistics'
const path = '/admin/statistics'
const JSON_TYPE = 'application/json'

/** A million details of another tool are some 250 MB. It is read as it comes, not kept. */
const MOST_IMPORT_BYTES = 2 * 1024 * 1024 * 1024

const SNAPSHOT_EXAMPLE = {
  version: 1,
  total_requests: 2,
  success_count: 1,
  failure_count: 1,
  total_tokens: 1380,
  apis: {
    '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e11': {
      total_requests: 2,
      total_tokens: 1380,
      models: {
        'gpt-5': {
          total_requests: 2,
          total_tokens: 1380,
          details: [
            {
              timestamp: '2026-07-24T12:00:00.123456789Z',
              source: 'openai',
              auth_index: '01981d5e-7c1a-7b6e-9d39-0b8f5a3c2e14',
              tokens: {
                input_tokens: 1200,
                output_tokens: 180,
                reasoning_tokens: 64,
                cached_tokens: 0,
                total_tokens: 1380,
              },
              failed: false,
            },
          ],
        },
      },
    },
  },
  requests_by_day: { '2026-07-24': 2 },
  requests_by_hour: { '12': 2 },
  tokens_by_day: { '2026-07-24': 1380 },
  tokens_by_hour: { '12': 1380 },
}
const EXPORT_EXAMPLE = { version: 1, exported_at: '2026-07-24T13:00:00.000Z', usage: SNAPSHOT_EXAMPLE }

const query = Type.Object(
  {
    details: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        description: 'Newest details of each model; all that are kept unless told',
        example: 10,
      }),
    ),
  },
  { additionalProperties: false },
)

/** For Swagger: the body is checked as it is read (core/stats-file.ts), since it may be larger than memory should hold. */
const ImportBody = Type.Object(
  {
    version: Type.Optional(Type.Literal(1, { description: 'Of the format', example: 1 })),
    exported_at: Type.Optional(
      Type.String({ description: 'When it was written', example: '2026-07-24T13:00:00.000Z' }),
    ),
    usage: Type.Unknown({
      description: 'A snapshot; it may also stand bare, without these three fields around it',
      example: SNAPSHOT_EXAMPLE,
    }),
  },
  { title: 'StatisticsImport' },
)

const Enabled = Type.Object(
  { enabled: Type.Boolean({ description: 'Are statistics kept?', example: true }) },
  { title: 'StatisticsEnabled', additionalProperties: false },
)

const Imported = Type.Object(
  {
    added: Type.Integer({ description: 'Details that are new', example: 118 }),
    skipped: Type.Integer({ description: 'Details that were there already', example: 2 }),
  },
  { title: 'StatisticsImported' },
)

export function statisticsCalls(statistics: StatisticsAdmin): Call[] {
  return [snapshotCall(statistics), enabledCall(statistics), exportCall(statistics), importCall(statistics)]
}

function snapshotCall({ snapshot }: StatisticsAdmin): Call {
  return call({
    method: 'GET',
    path,
    tag,
    summary: 'Get the usage statistics',
    description:
      'Requests and tokens of each API key (by its id) and model, with their newest details, and by day and hour in TIMEZONE (USE-5). ' +
      'Totals are exact and outlive restarts and retention (USE-8); they hold the requests of all instances, those of the others some seconds late. ' +
      'One moment’s figures, however long it takes to send them (USE-7).',
    query,
    status: 200,
    streams: { [JSON_TYPE]: JSON.stringify(SNAPSHOT_EXAMPLE) },
    problems: [],
    handle: async ({ query: { details = null } }) => ({
      pieces: inTurns(await snapshot(details)),
      contentType: JSON_TYPE,
    }),
  })
}

function enabledCall({ setEnabled }: StatisticsAdmin): Call {
  return call({
    method: 'PUT',
    path: `${path}/enabled`,
    tag,
    summary: 'Switch the usage statistics on or off',
    description:
      'On every instance, and for good: it is the run-time setting `statistics_enabled` (USE-5). While off nothing is counted and the snapshot stays ' +
      'as it was; the usage log goes on, so when they are on again nothing is missing.',
    body: Enabled,
    status: 200,
    answer: Enabled,
    problems: [],
    handle: ({ actor, body }) => setEnabled(actor, body.enabled),
  })
}

function exportCall(statistics: StatisticsAdmin): Call {
  return call({
    method: 'GET',
    path: `${path}/export`,
    tag,
    summary: 'Export the usage statistics',
    description: 'The snapshot as a file that `import` takes, here and at tools of the same shape (USE-7).',
    status: 200,
    streams: { [JSON_TYPE]: JSON.stringify(EXPORT_EXAMPLE) },
    problems: [],
    handle: async () => ({
      pieces: inTurns(await statistics.export()),
      contentType: JSON_TYPE,
      fileName: 'turnpike-statistics.json',
    }),
  })
}

function importCall({ importFrom }: StatisticsAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/import`,
    tag,
    summary: 'Import usage statistics',
    description:
      'An export of this or another turnpike, or of a tool of the same shape (CLIProxyAPI), wrapped or bare: what is there stays, identical details ' +
      '(key, model, time to the nanosecond, source, account, failed, five token counts) are skipped, the rest is added and kept for good (USE-7). ' +
      'Importing twice adds nothing. Totals that exceed the details are kept. All or nothing; one at a time.',
    body: ImportBody,
    bodyExample: EXPORT_EXAMPLE,
    bodyIsStreamed: true,
    maxBodyBytes: MOST_IMPORT_BYTES,
    status: 200,
    answer: Imported,
    problems: [409],
    handle: async ({ actor, chunks }) => {
      try {
        return await importFrom(actor, { chunks })
      } catch (error) {
        if (error instanceof JsonInputError)
          return problem(400, 'invalid_json', `this is not valid JSON: ${error.message}`)
        throw error
      }
    },
  })
}
