/** Recorded headers and bodies as the API shows them, beside their request (USE-1). */
import { type Static, Type } from '@sinclair/typebox'
import type { RecordingRow } from './recordings.ts'

const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S, about: object) =>
  Type.Union([schema, Type.Null()], about)

const headers = nullable(Type.Record(Type.String(), Type.String()), {
  description: 'Secrets masked; null: not recorded',
  example: { 'content-type': 'application/json', authorization: '[masked]' },
})
const body = nullable(Type.String(), {
  description: 'As text, cut at RECORD_BODY_BYTES; null: not recorded',
  example: '{"model":"gpt-5","input":"hi"}',
})
const bytes = nullable(Type.Integer(), { description: 'Of the whole body', example: 30 })
const cut = Type.Boolean({ description: 'Is there more of the body than is here?', example: false })

const Recording = Type.Object(
  {
    request_headers: headers,
    request_body: body,
    request_bytes: bytes,
    request_cut: cut,
    response_headers: headers,
    response_body: body,
    response_bytes: bytes,
    response_cut: cut,
  },
  { title: 'Recording' },
)

export const NullableRecording = nullable(Recording, {
  description:
    'Headers and bodies, if RECORD_HEADERS or RECORD_BODIES was on (USE-1); null to viewers, who may not read what people ask',
  example: null,
})

export function showRecording(row: RecordingRow): Static<typeof Recording> {
  return {
    request_headers: row.requestHeaders,
    request_body: row.requestBody,
    request_bytes: row.requestBytes,
    request_cut: row.requestCut,
    response_headers: row.responseHeaders,
    response_body: row.responseBody,
    response_bytes: row.responseBytes,
    response_cut: row.responseCut,
  }
}
