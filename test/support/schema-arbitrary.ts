/** Values for a JSON Schema, as an OpenAPI document has it: ones that fit, ones at its limits, and ones that are wrong somewhere. */
import fc from 'fast-check'

export interface JsonSchema {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  enum?: unknown[]
  const?: unknown
  pattern?: string
  patternProperties?: Record<string, JsonSchema>
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  minimum?: number
  maximum?: number
  example?: unknown
}

type Schemas = Readonly<Record<string, JsonSchema>>

/** What fits nearly nothing, or breaks whoever does not look. */
const ODD: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      false,
      '',
      ' ',
      [],
      {},
      [null],
      { a: 1 },
      0,
      -0,
      -1,
      1.5,
      2 ** 31,
      2 ** 53,
      -(2 ** 63),
      1e308,
      1e-9,
      1e-10,
    ],
    ...[
      '\u0000',
      'a\u0000b',
      '\ud800',
      '\u2028',
      '\r\n',
      '../..',
      '%',
      "'; drop table users; --",
      '{}',
      'NaN',
      '😀'.repeat(100),
    ],
    ...[
      'x'.repeat(100_000),
      '9'.repeat(400),
      '0000-00-00T00:00:00Z',
      '2026-02-31T00:00:00Z',
      '+275760-09-13T00:00:00Z',
      '1e999',
    ],
    ...[
      'http://169.254.169.254/',
      'file:///etc/passwd',
      '::ffff:10.0.0.1/200',
      '*',
      '**',
      '00000000-0000-0000-0000-000000000000',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Mostly fits; `wrongPercent` of the values anywhere in it do not. */
export function arbitraryOf(schema: JsonSchema, schemas: Schemas, wrongPercent = 3): fc.Arbitrary<unknown> {
  const inner = fittingArbitrary(schema, schemas, wrongPercent)
  return fc.oneof({ weight: 100 - wrongPercent, arbitrary: inner }, { weight: wrongPercent, arbitrary: ODD })
}

function fittingArbitrary(schema: JsonSchema, schemas: Schemas, wrongPercent: number): fc.Arbitrary<unknown> {
  const { $ref, anyOf } = schema
  if ($ref) return fittingArbitrary(schemas[$ref.replace('#/components/schemas/', '')]!, schemas, wrongPercent)
  if (anyOf) return fc.oneof(...anyOf.map((member) => fittingArbitrary(member, schemas, wrongPercent)))
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'object':
      return objectArbitrary(schema, schemas, wrongPercent)
    case 'array':
      return fc.array(arbitraryOf(schema.items ?? {}, schemas, wrongPercent), {
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      })
    case 'string':
      return stringArbitrary(schema)
    case 'integer':
    case 'number':
      return numberArbitrary(schema)
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return ODD
  }
}

function objectArbitrary(schema: JsonSchema, schemas: Schemas, wrongPercent: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], patternProperties } = schema
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [name, arbitraryOf(field, schemas, wrongPercent)]),
  )
  const [values] = Object.values(patternProperties ?? {})
  if (values)
    return fc.dictionary(fc.string({ maxLength: 8 }), arbitraryOf(values, schemas, wrongPercent), { maxKeys: 3 })
  const complete = fc.record(fields, { requiredKeys: required })
  return fc.oneof(
    { weight: 15, arbitrary: complete },
    { weight: 1, arbitrary: fc.record(fields, { requiredKeys: [] }) },
  )
}

function stringArbitrary({ pattern, minLength = 0, maxLength = 200, example }: JsonSchema): fc.Arbitrary<unknown> {
  const shown = typeof example === 'string' ? [fc.constant(example)] : []
  if (pattern) return fc.oneof(...shown, fc.stringMatching(new RegExp(pattern)))
  const longest = Math.min(maxLength, 30_000)
  return fc.oneof(
    ...shown,
    fc.string({ minLength, maxLength: Math.min(longest, minLength + 20) }),
    fc.constantFrom('x'.repeat(minLength), 'x'.repeat(longest)),
  )
}

function numberArbitrary({ type, minimum = -1e12, maximum = 1e12 }: JsonSchema): fc.Arbitrary<unknown> {
  const bounds = fc.constantFrom(minimum, maximum, Math.max(minimum, 0))
  if (type === 'integer')
    return fc.oneof(bounds, fc.integer({ min: Math.ceil(minimum), max: Math.min(maximum, 2 ** 31) }))
  return fc.oneof(
    bounds,
    fc.integer({ min: 0, max: 1000 }).map((cents) => cents / 100),
  )
}
