/**
 * One field of a resource, told once: which column it is stored in, how it looks on the wire, and both conversions.
 *
 * The column is what the database and the program use (camelCase, nanodollars, Date, milliseconds, millionths); the wire is
 * what contract.md promises (snake_case, USD, RFC 3339, seconds, factors). Views and bodies *pick* fields by name
 * (`./resource.ts`), so a new column stays private until somebody lists it.
 *
 * Patterns instead of TypeBox formats: a format must be registered globally before the first check, a pattern never.
 */
import { type Static, type TLiteral, type TSchema, type TUnion, Type } from '@sinclair/typebox'
import { type Fault, invalid } from '../core/fault.ts'
import { fromUsd, type Nano, toUsd } from '../core/money.ts'
import { parseInstant } from '../core/time-text.ts'

export interface Field<Column extends string, Schema extends TSchema, Stored> {
  column: Column
  schema: Schema
  toWire(stored: Stored): Static<Schema>
  /** The name is for the fault's `field`. */
  fromWire(wire: Static<Schema>, name: string): Stored | Fault
}

/** What Swagger shows about a field: every field has both. */
export interface About<Example> {
  description: string
  example: Example
}

export const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
export const TIME_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})$'

const same = <T>(value: T): T => value

export function id<C extends string>(column: C, about: About<string>) {
  return {
    column,
    schema: Type.String({ ...about, pattern: UUID_PATTERN }),
    toWire: same<string>,
    fromWire: same<string>,
  }
}

export function text<C extends string>(
  column: C,
  about: About<string> & { minLength?: number; maxLength?: number; pattern?: string },
) {
  return { column, schema: Type.String({ maxLength: 1000, ...about }), toWire: same<string>, fromWire: same<string> }
}

export function flag<C extends string>(column: C, about: About<boolean>) {
  return { column, schema: Type.Boolean(about), toWire: same<boolean>, fromWire: same<boolean> }
}

/** Whole number; 2^31 − 1 is what an integer column holds. */
export function integer<C extends string>(column: C, about: About<number> & { minimum?: number; maximum?: number }) {
  const schema = Type.Integer({ minimum: 0, maximum: 2_147_483_647, ...about })
  return { column, schema, toWire: same<number>, fromWire: same<number> }
}

/** Whole number up to 2^53 − 1, in a bigint column. */
export function count<C extends string>(column: C, about: About<number>) {
  const schema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...about })
  return { column, schema, toWire: same<number>, fromWire: same<number> }
}

/** One of a closed list of words. */
export function choice<C extends string, const Words extends readonly string[]>(
  column: C,
  words: Words,
  about: About<Words[number]>,
) {
  return { column, schema: oneOf(words, about), toWire: same<Words[number]>, fromWire: same<Words[number]> }
}

export function oneOf<const Words extends readonly string[]>(words: Words, about: object = {}) {
  type Literals = { -readonly [I in keyof Words]: TLiteral<Words[I]> }
  const union = Type.Union(
    words.map((word) => Type.Literal(word)),
    about,
  )
  return union as unknown as TUnion<Literals extends TSchema[] ? Literals : never>
}

/** Nanodollars in the column, USD with at most 9 decimals on the wire. Never negative unless `minimum` says so. */
export function usd<C extends string>(column: C, about: About<number> & { minimum?: number }) {
  // ± 1e9 USD: what a bigint of nanodollars holds with room to add, see core/money.
  const schema = Type.Number({ minimum: 0, maximum: 1_000_000_000, ...about })
  const fromWire = (wire: number, name: string): Nano | Fault =>
    fromUsd(wire) ?? invalid(name, `${name} has more than 9 decimals`)
  return { column, schema, toWire: toUsd, fromWire }
}

/** A factor like 1.5 on the wire, millionths in the column, so that money stays exact. */
export function multiplier<C extends string>(column: C, about: About<number>) {
  const schema = Type.Number({ minimum: 0, maximum: 1000, ...about })
  const fromWire = (wire: number, name: string): number | Fault => {
    const micro = Math.round(wire * 1_000_000)
    return micro / 1_000_000 === wire ? micro : invalid(name, `${name} has more than 6 decimals`)
  }
  return { column, schema, toWire: (micro: number) => micro / 1_000_000, fromWire }
}

export function time<C extends string>(column: C, about: About<string>) {
  const schema = Type.String({ ...about, pattern: TIME_PATTERN })
  const fromWire = (wire: string, name: string): Date | Fault => {
    const ms = parseInstant(wire)
    return ms === null ? invalid(name, `${name} is not an RFC 3339 time from 1970 on`) : new Date(ms)
  }
  return { column, schema, toWire: (date: Date) => date.toISOString(), fromWire }
}

/** Seconds on the wire (fractions allowed), milliseconds in the column. */
export function seconds<C extends string>(column: C, about: About<number>) {
  const schema = Type.Number({ minimum: 0, maximum: 86_400, ...about })
  const toMs = (wire: number) => Math.round(wire * 1000)
  return { column, schema, toWire: (ms: number) => ms / 1000, fromWire: toMs }
}

/** A JSON column shown as it is stored: lists of words, maps. */
export function json<C extends string, S extends TSchema>(column: C, schema: S, about: About<Static<S>>) {
  return { column, schema: { ...schema, ...about } as S, toWire: same<Static<S>>, fromWire: same<Static<S>> }
}

/** A stored value that is shown in another shape, and never taken from a body. */
export function shown<C extends string, S extends TSchema, Stored>(
  column: C,
  schema: S,
  about: About<Static<S>> & { toWire(stored: Stored): Static<S> },
) {
  const { toWire, ...told } = about
  const fromWire = (_wire: Static<S>, name: string): Stored | Fault => invalid(name, `${name} cannot be set`)
  return { column, schema: { ...schema, ...told } as S, toWire, fromWire }
}

/** The same field, which may also be null. */
export function nullable<C extends string, S extends TSchema, Stored>(field: Field<C, S, Stored>) {
  const { description, example, ...bare } = field.schema
  // `nullable` is what OpenAPI 3.0 understands, the union is what TypeBox checks.
  const schema = Type.Union([bare as S, Type.Null()], { description, example, nullable: true })
  type Wire = Static<S> | null
  return {
    column: field.column,
    schema,
    toWire: (stored: Stored | null): Wire => (stored === null ? null : field.toWire(stored)),
    fromWire: (wire: Wire, name: string): Stored | null | Fault => (wire === null ? null : field.fromWire(wire, name)),
  }
}
