/** Whether a value is one that a setting may have, and what it may be. */
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { SettingName } from '../config.ts'
import { isTimeZone } from '../core/time-text.ts'
import { parseCidr } from '../lib/ip-address.ts'

export function isAllowed(name: SettingName, schema: TSchema, value: unknown): boolean {
  if (!Value.Check(schema, value)) return false
  if (name === 'trustedProxies') return (value as string[]).every((range) => parseCidr(range) !== null)
  return name !== 'timezone' || isTimeZone(String(value))
}

/** In words, for whoever gave something else. */
export function allowedIn(schema: TSchema): string {
  if (schema.allowed) return schema.allowed
  if (schema.values) return `one of ${schema.values.join(', ')}`
  const type = schema.type ?? schema.anyOf?.[0]?.type
  if (type === 'boolean') return 'true or false'
  if (type === 'integer' || type === 'number') {
    const unit = schema.unit ? ` (${schema.unit})` : ''
    const { minimum = 0, maximum } = schema
    const range =
      maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
        ? `of at least ${minimum}`
        : `from ${minimum} to ${maximum}`
    return `a ${type === 'integer' ? 'whole number' : 'number'} ${range}${unit}`
  }
  return type === 'array' ? 'a list, separated by commas' : 'text'
}
