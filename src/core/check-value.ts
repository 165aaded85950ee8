/**
 * Is a value what a schema asks for? If not: which field is to blame, and what it may be, in words made of the schema alone.
 *
 * Pure. TypeBox's own errors quote the value, which may hold secrets; these sentences never do.
 */
import type { TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler, type ValueError, ValueErrorType } from '@sinclair/typebox/compiler'

export interface Mismatch {
  code: 'unknown_field' | 'missing_field' | 'invalid_field' | 'invalid_body'
  /** "credentials.api_key"; null: the value as a whole. */
  field: string | null
  message: string
}

/** Compiled at first use: all schemas together would cost some 50 ms of every start. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>()

export function checkValue(schema: TSchema, value: unknown): Mismatch | null {
  const check = checkOf(schema)
  if (check.Check(value)) return checkTexts(value, '')
  let first: ValueError | null = null
  let seen = 0
  for (const error of check.Errors(value)) {
    if (error.type === ValueErrorType.ObjectAdditionalProperties) return unknownField(error)
    first ??= error
    if (++seen === 100) break
  }
  return first ? explain(first) : { code: 'invalid_body', field: null, message: 'this is not what is taken here' }
}

function checkOf(schema: TSchema): TypeCheck<TSchema> {
  let check = compiled.get(schema)
  if (!check) {
    check = TypeCompiler.Compile(schema)
    compiled.set(schema, check)
  }
  return check
}

/** The database stores no NUL and no half of a surrogate pair; JSON can spell both. */
function checkTexts(value: unknown, path: string): Mismatch | null {
  if (typeof value === 'string') {
    if (!value.includes('\0') && value.isWellFormed()) return null
    return invalidField(fieldOf(path), 'text without NUL and without broken characters')
  }
  if (typeof value !== 'object' || value === null) return null
  for (const [name, member] of Object.entries(value)) {
    const found = checkTexts(name, path) ?? checkTexts(member, `${path}/${name}`)
    if (found) return found
  }
  return null
}

function unknownField(error: ValueError): Mismatch {
  const field = fieldOf(error.path)
  return { code: 'unknown_field', field, message: `there is no field "${field}" here` }
}

function explain(error: ValueError): Mismatch {
  const allowed = allowedIn(error.schema)
  const field = fieldOf(error.path)
  if (error.path === '' && error.type === ValueErrorType.ObjectMinProperties) {
    return { code: 'invalid_body', field: null, message: 'the body names no field' }
  }
  if (error.path === '') return { code: 'invalid_body', field: null, message: `the body must be ${allowed}` }
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return { code: 'missing_field', field, message: `"${field}" is required: ${allowed}` }
  }
  return invalidField(field, allowed)
}

function invalidField(field: string, allowed: string): Mismatch {
  return { code: 'invalid_field', field, message: `"${field}" must be ${allowed}` }
}

/** JSON pointer → "credentials.api_key". */
function fieldOf(path: string): string {
  return clip(path.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~').toWellFormed())
}

/** A name that a stranger made up is quoted only so far. */
export const clip = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text)

/** What a value may be, in words. */
function allowedIn(schema: TSchema): string {
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
