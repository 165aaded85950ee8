/**
 * Is what was sent what the schema asks for? If not: which field, and what it may be (contract.md: an unknown field is a 422 naming it).
 *
 * Elysia's own answer would echo the input, which may hold secrets; these sentences are made of the schema alone.
 */
import type { TObject, TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler, type ValueError, ValueErrorType } from '@sinclair/typebox/compiler'
import { type Problem, problem } from '../answer.ts'

/** Compiled at first use: all schemas together would cost some 50 ms of every start. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>()

function checkOf(schema: TSchema): TypeCheck<TSchema> {
  let check = compiled.get(schema)
  if (!check) {
    check = TypeCompiler.Compile(schema)
    compiled.set(schema, check)
  }
  return check
}

/** The body's text → its value, or the problem to answer with. */
export function readBody(schema: TSchema, text: string): { value: unknown } | Problem {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return problem(
      400,
      'invalid_json',
      text === '' ? 'the body is empty: send a JSON object' : 'the body is not valid JSON',
    )
  }
  return checkValue(schema, value) ?? { value }
}

/** A query string → its values by the schema's types. Unknown and repeated parameters are refused: a typo must not widen a list. */
export function readQuery(schema: TObject, parameters: URLSearchParams): { value: unknown } | Problem {
  const value: Record<string, unknown> = {}
  for (const [name, text] of parameters) {
    const wanted = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (!wanted) return problem(400, 'unknown_parameter', `there is no parameter "${clip(name)}" here`, clip(name))
    if (name in value) return problem(400, 'invalid_parameter', `"${name}" is given twice`, name)
    value[name] = fromText(wanted, text)
  }
  const found = checkValue(schema, value)
  return found ? { ...found, status: 400, code: 'invalid_parameter' } : { value }
}

function checkValue(schema: TSchema, value: unknown): Problem | null {
  const check = checkOf(schema)
  if (check.Check(value)) return null
  let first: ValueError | null = null
  let seen = 0
  for (const error of check.Errors(value)) {
    if (error.type === ValueErrorType.ObjectAdditionalProperties) return unknownField(error)
    first ??= error
    if (++seen === 100) break
  }
  return first ? explain(first) : problem(422, 'invalid_body', 'the body is not what this call takes')
}

function unknownField(error: ValueError): Problem {
  const field = fieldOf(error.path)
  return problem(422, 'unknown_field', `there is no field "${field}" here`, field)
}

function explain(error: ValueError): Problem {
  const field = fieldOf(error.path)
  if (error.path === '') {
    if (error.type === ValueErrorType.ObjectMinProperties)
      return problem(422, 'invalid_body', 'the body names no field')
    return problem(422, 'invalid_body', `the body must be ${allowedIn(error.schema)}`)
  }
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return problem(422, 'missing_field', `"${field}" is required: ${allowedIn(error.schema)}`, field)
  }
  return problem(422, 'invalid_field', `"${field}" must be ${allowedIn(error.schema)}`, field)
}

/** JSON pointer → "credentials.api_key". */
function fieldOf(path: string): string {
  return clip(path.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~'))
}

const clip = (text: string) => (text.length > 100 ? `${text.slice(0, 100)}…` : text)

/** What a value may be, in words. */
export function allowedIn(schema: TSchema): string {
  if (Array.isArray(schema.anyOf)) return allowedInUnion(schema.anyOf)
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.type === 'integer' || schema.type === 'number') return numberWords(schema)
  if (schema.type === 'string') return stringWords(schema)
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'null') return 'null'
  if (schema.type === 'array') return schema.items ? `a list, each ${allowedIn(schema.items)}` : 'a list'
  return 'an object'
}

function allowedInUnion(members: TSchema[]): string {
  const literals = members.every((member) => 'const' in member)
  if (literals) return `one of ${members.map((member) => member.const).join(', ')}`
  return members.map(allowedIn).join(' or ')
}

function numberWords({ type, minimum, maximum }: TSchema): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number'
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`
  return minimum === undefined ? kind : `${kind} of at least ${minimum}`
}

function stringWords({ minLength, maxLength, pattern, description, example }: TSchema): string {
  if (pattern && example) return `text like ${JSON.stringify(example)}`
  if (pattern && description) return `text: ${description}`
  if (minLength && maxLength) return `text of ${minLength} to ${maxLength} characters`
  return maxLength ? `text of at most ${maxLength} characters` : 'text'
}

function fromText(schema: TSchema, text: string): unknown {
  const type = schema.type ?? (schema.anyOf as TSchema[] | undefined)?.find((member) => member.type !== 'null')?.type
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
