/** Bodies and queries of admin calls → values of their schema, or the problem to answer with (contract.md). */
import type { TObject, TSchema } from '@sinclair/typebox'
import { checkValue, clip } from '../../core/check-value.ts'
import { type Problem, problem } from '../answer.ts'

/** The body's text → its value. */
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
  const found = checkValue(schema, value)
  return found ? problem(422, found.code, found.message, found.field) : { value }
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
  return found ? problem(400, 'invalid_parameter', found.message, found.field) : { value }
}

function fromText(schema: TSchema, text: string): unknown {
  if ((schema.type === 'integer' || schema.type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
