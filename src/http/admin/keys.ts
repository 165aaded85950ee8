/** `/admin/keys`: API keys (KEY). */
import { type Static, Type } from '@sinclair/typebox'
import type { KeyImport } from '../../admin/key-import.ts'
import type { IssuedKey, KeysAdmin } from '../../admin/keys.ts'
import { type Fault, invalid, isFault } from '../../core/fault.ts'
import { ApiKeyCreate, ApiKeyPatch, ApiKeyView } from '../../schema/api-key-views.ts'
import { type Call, call } from './call.ts'
import { listQuery, toPageQuery } from './lists.ts'
import { resourceCalls } from './resource-calls.ts'

const tag = 'Keys'
const path = '/admin/keys'

const query = listQuery({
  user_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only keys of this user' })),
  group_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only keys of this group' })),
  active: Type.Optional(Type.Boolean({ description: 'Only these' })),
  tag: Type.Optional(Type.String({ maxLength: 300, description: 'Only keys with this tag' })),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'Part of the name, or the beginning of the key' })),
})

/** What create and rotate answer: the key as always, and, this once, the secret itself (KEY-1). */
const IssuedKeyView = Type.Object(
  {
    ...ApiKeyView.schema.properties,
    api_key: Type.String({ description: 'The key itself: shown only now', example: 'tp_4f2a…9c1e' }),
  },
  { title: 'IssuedApiKey' },
)

const CREATE_EXAMPLE = {
  name: 'laptop',
  description: 'Ada’s laptop',
  permissions: ['all'],
  rpm: 60,
  daily_cost_limit_usd: 10,
}

const shown = (result: IssuedKey | Fault | null) =>
  result === null || isFault(result) ? result : { ...ApiKeyView.show(result.key), api_key: result.apiKey }

export function keyCalls(keys: KeysAdmin): Call[] {
  const calls = resourceCalls({
    path,
    tag,
    nouns: ['a key', 'keys'],
    view: ApiKeyView,
    about: {
      list: 'Newest first; of the key itself only its beginning and its last four characters (KEY-1).',
      get: 'With its limits and what it used so far (KEY-5).',
      patch:
        'Only the fields given are changed; counters never are (KEY-10). A new `balance_usd` is booked in the ledger (BIL-11).',
      delete: 'It stops at once everywhere; its usage and name stay in reports (KEY-12).',
    },
    query,
    list: ({ limit, cursor, user_id: userId, group_id: groupId, ...filter }) =>
      keys.list({ ...toPageQuery({ limit, cursor }), ...filter, userId, groupId }),
    find: keys.find,
    patchBody: ApiKeyPatch.schema,
    patchExample: { rpm: 30, expires_at: '2027-01-01T00:00:00.000Z' },
    patch: keys.patch,
    remove: keys.remove,
  })
  return [createCall(keys), ...calls, rotateCall(keys), importCall(keys)]
}

function createCall(keys: KeysAdmin): Call {
  return call({
    method: 'POST',
    path,
    tag,
    summary: 'Create a key',
    description:
      'The key itself is in this answer only: afterwards nobody can read it (KEY-1). Limits of 0 are none (KEY-5).',
    body: ApiKeyCreate.schema,
    bodyExample: CREATE_EXAMPLE,
    status: 201,
    answer: IssuedKeyView,
    problems: [],
    handle: async ({ actor, body }) => shown(await keys.create(actor, body)),
  })
}

const Rotate = Type.Object(
  {
    grace_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_592_000,
        description: 'How long the old key works on; 0: not at all',
        example: 3600,
      }),
    ),
  },
  { title: 'Rotation', additionalProperties: false },
)

function rotateCall(keys: KeysAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/:id/rotate`,
    tag,
    summary: 'Give a key a new secret',
    description:
      'Same key, same limits and counters, new secret; the old one works on for `grace_seconds` (KEY-10). The body may be empty.',
    body: Rotate,
    bodyMayBeEmpty: true,
    status: 200,
    answer: IssuedKeyView,
    problems: [404],
    handle: async ({ actor, id, body }) => shown(await keys.rotate(actor, id, body.grace_seconds ?? 0)),
  })
}

const MAX_IMPORT = 1000
const PlainKey = Type.String({
  minLength: 8,
  maxLength: 500,
  pattern: '^[\\x21-\\x7e]+$',
  description: 'The key as people have it: printable characters without spaces',
  example: 'sk-from-the-old-gateway-0001',
})
const { properties: createProperties } = ApiKeyCreate.schema
const ImportEntry = Type.Object(
  { api_key: PlainKey, ...createProperties },
  { title: 'KeyImport', additionalProperties: false },
)
const Import = Type.Object(
  {
    keys: Type.Optional(Type.Array(ImportEntry, { minItems: 1, maxItems: MAX_IMPORT })),
    ...Type.Partial(ImportEntry).properties,
  },
  { title: 'KeyImports', additionalProperties: false, minProperties: 1 },
)
const Imported = Type.Object(
  {
    ...Type.Partial(ApiKeyView.schema).properties,
    data: Type.Array(ApiKeyView.schema),
    imported: Type.Integer({ example: 1 }),
  },
  { title: 'ImportedKeys' },
)

/** One key (`api_key`, `name`, …) or many (`keys`). */
function importCall(keys: KeysAdmin): Call {
  return call({
    method: 'POST',
    path: `${path}/import`,
    tag,
    summary: 'Import keys in clear',
    description:
      `For migrating from another gateway (KEY-1): people keep the keys that they have. One key (\`api_key\`, \`name\` and the fields of create) ` +
      `or up to ${MAX_IMPORT} as \`keys\`: all of them, or none. Stored like any other, as a hash. A single key's fields are at the answer's top too.`,
    body: Import,
    bodyExample: { api_key: 'sk-from-the-old-gateway-0001', name: 'laptop', rpm: 60 },
    maxBodyBytes: 8 * 1024 * 1024,
    status: 201,
    answer: Imported,
    problems: [409],
    handle: async ({ actor, body: { keys: many, ...single } }) => {
      const imports = many ?? readSingle(single)
      if (isFault(imports)) return imports
      if (many && Object.keys(single).length > 0)
        return invalid(Object.keys(single)[0]!, 'give one key, or `keys`, not both')
      const fieldOf = (index: number) => (many ? `keys.${index}.` : '')
      const imported = await keys.importAll(actor, imports, fieldOf)
      if (imported === null || isFault(imported)) return imported
      const data = imported.map((record) => ApiKeyView.show(record))
      return { ...(many ? {} : data[0]), data, imported: data.length }
    },
  })
}

function readSingle(single: Omit<Static<typeof Import>, 'keys'>): KeyImport[] | Fault {
  const { api_key, name, ...rest } = single
  if (api_key === undefined) return invalid('api_key', 'api_key is required: the key as people have it')
  return name === undefined ? invalid('name', 'name is required') : [{ ...rest, api_key, name }]
}
