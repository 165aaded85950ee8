/**
 * Recorded headers and bodies (USE-1): written in batches beside the usage log, read one at a time.
 * If it fails: rejects, nothing of the batch is stored. What is there already stays as it is.
 */
import { eq } from 'drizzle-orm'
import type { RecordedRequest, RecordedSide } from '../core/recorded-request.ts'
import { type RecordingRow, recordings } from '../schema/recordings.ts'
import type { Db, Sql } from './client.ts'
import { asId, cleanText } from './page.ts'

const TYPES = {
  id: 'uuid',
  created_at: 'timestamptz',
  request_headers: 'jsonb',
  request_body: 'text',
  request_bytes: 'bigint',
  request_cut: 'boolean',
  response_headers: 'jsonb',
  response_body: 'text',
  response_bytes: 'bigint',
  response_cut: 'boolean',
}
const TYPED = Object.entries(TYPES)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ')

export async function insertRecordings(sql: Sql, recorded: readonly RecordedRequest[]): Promise<void> {
  const rows = recorded.map(
    ({ id, createdAtMs, request, response }): Record<keyof typeof TYPES, unknown> => ({
      id,
      created_at: new Date(createdAtMs),
      request_headers: headersOf(request),
      request_body: textOf(request),
      request_bytes: request.bytes,
      request_cut: request.cut,
      response_headers: headersOf(response),
      response_body: textOf(response),
      response_bytes: response.bytes,
      response_cut: response.cut,
    }),
  )
  await sql`
    insert into request_recordings (${sql.unsafe(Object.keys(TYPES).join(', '))})
    select * from json_to_recordset(${JSON.stringify(rows)}::text::json) as recorded (${sql.unsafe(TYPED)})
    order by id on conflict (id) do nothing`
}

export async function findRecordingById(db: Db, id: string): Promise<RecordingRow | null> {
  const [row] = await db
    .select()
    .from(recordings)
    .where(eq(recordings.id, asId(id)))
  return row ?? null
}

function headersOf({ headers }: RecordedSide): Record<string, string> | null {
  return headers && Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, cleanText(value)]))
}

function textOf({ body }: RecordedSide): string | null {
  return body === null ? null : cleanText(body)
}
