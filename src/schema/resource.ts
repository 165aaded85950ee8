/**
 * From a table of fields (`./field.ts`) to what the API shows and takes: a view, a create body, a patch body.
 *
 * A view picks names; nothing is ever shown by leaving something out. Bodies refuse unknown fields.
 */
import { type Static, type TObject, type TOptional, type TSchema, Type } from '@sinclair/typebox'
import { type Fault, isFault } from '../core/fault.ts'

// The variance of a mixed table of fields cannot be written without `never` and `unknown` at its ends.
export type AnyField = {
  column: string
  schema: TSchema
  toWire(stored: never): unknown
  fromWire(wire: never, name: string): unknown
}
type Fields = Record<string, AnyField>

/** Checks a table of fields against the row it describes, and keeps its exact type. */
export function fieldsOf<Row>() {
  return <const F>(fields: F & { [K in keyof F]: CheckedField<F[K], Row> }): F => fields
}
type CheckedField<F, Row> = F extends { column: infer C; toWire(stored: infer Stored): unknown }
  ? C extends keyof Row
    ? Row[C] extends Stored
      ? unknown
      : { error: 'the column holds another type'; column: C; holds: Row[C]; expects: Stored }
    : { error: 'no such column'; column: C }
  : never

type Properties<F extends Fields, Name extends keyof F> = { [K in Name]: F[K]['schema'] }
type StoredOf<F extends AnyField> = F extends { toWire(stored: infer Stored): unknown } ? Stored : never
/** The row that a view needs: only the columns of its fields. */
type RowOf<F extends Fields, Name extends keyof F> = {
  [K in Name as F[K]['column']]: StoredOf<F[K]>
}

export interface View<Schema extends TSchema, Row> {
  schema: Schema
  /** The object as the API shows it. */
  show(row: Row): Static<Schema>
}

export function defineView<F extends Fields, const Name extends keyof F & string>(
  title: string,
  fields: F,
  names: readonly Name[],
): View<TObject<Properties<F, Name>>, RowOf<F, Name>> {
  const picked = names.map((name) => [name, fields[name] as AnyField] as const)
  const properties = Object.fromEntries(picked.map(([name, field]) => [name, field.schema]))
  const schema = Type.Object(properties, { title, additionalProperties: false }) as unknown as TObject<
    Properties<F, Name>
  >
  return {
    schema,
    show(row) {
      const stored = row as unknown as Record<string, never>
      const shown: Record<string, unknown> = {}
      for (const [name, field] of picked) shown[name] = field.toWire(stored[field.column] as never)
      return shown as Static<typeof schema>
    },
  }
}

export interface Body<Schema extends TSchema, Columns> {
  schema: Schema
  /** The columns to write: only those the body named. Fields that are no column (credentials, links) are the caller's. */
  read(body: Static<Schema>): Columns | Fault
}

/** The columns that a body's `read` yields: what inserts and updates take. */
export type ColumnsOf<B extends { read(body: never): unknown }> = Exclude<ReturnType<B['read']>, Fault>

type OptionalProperties<F extends Fields, Name extends keyof F> = { [K in Name]: TOptional<F[K]['schema']> }

type CreateSchema<F extends Fields, Required extends keyof F, Optional extends keyof F> = TObject<
  Properties<F, Required> & OptionalProperties<F, Optional>
>

/** A create body: `required` fields and `optional` ones, whose defaults are the table's. */
export function defineCreate<
  F extends Fields,
  const Required extends keyof F & string,
  const Optional extends keyof F & string,
>(
  title: string,
  fields: F,
  names: { required: readonly Required[]; optional: readonly Optional[] },
): Body<CreateSchema<F, Required, Optional>, RowOf<F, Required> & Partial<RowOf<F, Optional>>> {
  const schema = Type.Object(
    {
      ...Object.fromEntries(names.required.map((name) => [name, (fields[name] as AnyField).schema])),
      ...Object.fromEntries(names.optional.map((name) => [name, Type.Optional((fields[name] as AnyField).schema)])),
    },
    { title, additionalProperties: false },
  )
  return {
    schema: schema as unknown as CreateSchema<F, Required, Optional>,
    read: (body) => readColumns(fields, body as Record<string, unknown>) as never,
  }
}

/** A patch body: any of the names, at least one; what is absent stays as it is. */
export function definePatch<F extends Fields, const Name extends keyof F & string>(
  title: string,
  fields: F,
  names: readonly Name[],
): Body<TObject<OptionalProperties<F, Name>>, Partial<RowOf<F, Name>>> {
  const properties = Object.fromEntries(names.map((name) => [name, Type.Optional((fields[name] as AnyField).schema)]))
  const schema = Type.Object(properties, { title, additionalProperties: false, minProperties: 1 })
  return {
    schema: schema as unknown as TObject<OptionalProperties<F, Name>>,
    read: (body) => readColumns(fields, body as Record<string, unknown>) as never,
  }
}

function readColumns(fields: Fields, body: Record<string, unknown>): Record<string, unknown> | Fault {
  const columns: Record<string, unknown> = {}
  for (const [name, wire] of Object.entries(body)) {
    const field = fields[name]
    if (field === undefined || wire === undefined) continue
    const stored = field.fromWire(wire as never, name)
    if (isFault(stored)) return stored
    columns[field.column] = stored
  }
  return columns
}
