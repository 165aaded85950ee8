/** A call of the admin API → what OpenAPI says about it (OPS-12): parameters, body, answers, errors, each with an example. */
import type { TObject, TSchema } from '@sinclair/typebox'
import { Type } from '@sinclair/typebox'
import type { Call } from './admin/call.ts'

const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'A word for programs', example: 'not_found' }),
      message: Type.String({ description: 'A sentence for people', example: 'there is nothing with this id' }),
      field: Type.Optional(Type.String({ description: 'The field that is to blame', example: 'credentials.base_url' })),
    }),
  },
  { title: 'Error' },
)

/** What each status means here; the example's code and message are real ones. */
const PROBLEMS: Record<number, { description: string; code: string; message: string; field?: string }> = {
  400: { description: 'Bad JSON or parameter', code: 'invalid_json', message: 'the body is not valid JSON' },
  401: {
    description: 'No or wrong admin token',
    code: 'invalid_token',
    message: 'this admin token is not known, or no longer valid',
  },
  403: {
    description: 'The token may only read',
    code: 'read_only_token',
    message: 'this token may only read; the call needs an admin token',
  },
  404: { description: 'Nothing with this id', code: 'not_found', message: 'there is nothing with this id' },
  409: { description: 'Taken, or still in use', code: 'conflict', message: 'another one has this name', field: 'name' },
  422: {
    description: 'Unknown or wrong field',
    code: 'unknown_field',
    message: 'there is no field "nmae" here',
    field: 'nmae',
  },
  429: {
    description: 'Too many wrong tokens',
    code: 'too_many_attempts',
    message: 'too many wrong admin tokens from this address; wait before the next try',
  },
  503: {
    description: 'Database unavailable',
    code: 'database_unavailable',
    message: 'the database cannot be reached; nothing was changed',
  },
}

export function describeCall(call: Call) {
  return {
    tags: [call.tag],
    summary: call.summary,
    description: call.description,
    operationId: operationIdOf(call),
    security: [{ adminToken: [] }],
    parameters: parametersOf(call),
    ...(call.body ? { requestBody: { required: true, content: jsonContent(call.body, call.bodyExample) } } : {}),
    responses: responsesOf(call),
  } as object
}

function operationIdOf({ method, path }: Call): string {
  const words = path.split('/').filter((part) => part !== '' && part !== 'admin')
  return [method.toLowerCase(), ...words.map((word) => word.replace(/^:/, 'by_').replaceAll('-', '_'))].join('_')
}

function parametersOf({ path, query }: Call): object[] {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: Type.String(),
  }))
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query?.required?.includes(name) ?? false,
    description: schema.description,
    schema,
  }))
  return [...inPath, ...inQuery]
}

function responsesOf(call: Call): Record<string, object> {
  const statuses = [
    ...(call.body || call.query ? [400] : []),
    401,
    ...(call.method === 'GET' || call.readOnly ? [] : [403]),
  ]
  statuses.push(...call.problems, ...(call.body ? [422] : []), 429, 503)
  const content = call.answer ? jsonContent(call.answer) : call.streams ? streamContent(call.streams) : undefined
  const success = content ? { description: 'Done', content } : { description: 'Done' }
  const failures = statuses.map((status) => [String(status), problemResponse(status)] as const)
  return { [call.status]: success, ...Object.fromEntries(failures) }
}

function problemResponse(status: number): object {
  const { description, ...error } = PROBLEMS[status]!
  return { description, content: { 'application/json': { schema: ErrorBody, example: { error } } } }
}

function streamContent(streams: NonNullable<Call['streams']>): object {
  const told = Object.entries(streams).map(([type, example]) => [type, { schema: Type.String(), example }])
  return Object.fromEntries(told)
}

function jsonContent(schema: TSchema, example: unknown = exampleOf(schema)): object {
  return { 'application/json': { schema, example } }
}

/** A value made of the fields' own examples. Optional fields without one are left out. */
export function exampleOf(schema: TSchema): unknown {
  if (schema.example !== undefined) return schema.example
  if (schema.default !== undefined) return schema.default
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.anyOf)) return exampleOf(schema.anyOf[0])
  if (schema.type === 'object') return exampleOfObject(schema as TObject)
  if (schema.type === 'array') return [exampleOf(schema.items)]
  return { string: '', boolean: false, integer: 0, number: 0 }[schema.type as string] ?? null
}

function exampleOfObject({ properties = {} }: Partial<TObject>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, exampleOf(schema)]))
}
