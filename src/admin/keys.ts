/** API keys as an operator hands them out (KEY). The key itself is shown once, by create and rotate (KEY-1). */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import {
  type ApiKeyFilter,
  deleteApiKeyById,
  findApiKeyById,
  insertApiKey,
  listApiKeys,
  rotateApiKeyById,
  updateApiKeyById,
} from '../db/api-keys.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { parseCidr } from '../lib/ip-address.ts'
import { ApiKeyCreate, ApiKeyPatch } from '../schema/api-key-views.ts'
import type { ApiKeyRecord } from '../schema/api-keys.ts'
import type { ColumnsOf } from '../schema/resource.ts'
import { checkPattern } from './account-checks.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { makeSecret, storedForm } from './key-material.ts'
import { write } from './write.ts'

export type KeysAdmin = ReturnType<typeof createKeysAdmin>
export type KeyCreateBody = Static<typeof ApiKeyCreate.schema>
type PatchBody = Static<typeof ApiKeyPatch.schema>

/** A key and the secret that is shown this once. */
export interface IssuedKey {
  key: ApiKeyRecord
  apiKey: string
}

/** A key of another gateway, in clear, and what it shall be here. */
export type KeyImport = KeyCreateBody & { api_key: string }

export function createKeysAdmin(deps: AdminDeps) {
  const { db, pepper, apiKeyPrefix, clock } = deps
  const idOf = ({ id }: ApiKeyRecord) => id
  const issuedId = ({ key }: IssuedKey) => key.id

  return {
    list: (query: PageQuery & ApiKeyFilter) => listApiKeys(db, query),
    find: (id: string) => findApiKeyById(db, id),

    async create(actor: Actor, body: KeyCreateBody): Promise<IssuedKey | Fault | null> {
      const columns = readColumns(ApiKeyCreate, body)
      if (isFault(columns)) return columns
      const { secret, ...material } = makeSecret(apiKeyPrefix, pepper)
      const work = async (transaction: Db) =>
        issued(await insertApiKey(transaction, { ...columns, ...material }, actor.name), secret)
      return write(deps, { actor, verb: 'create', kind: 'key', changes: body, work, idOf: issuedId })
    },

    /** Keys that people have in their hands already, from another gateway (KEY-1): all of them, or none. */
    async importAll(
      actor: Actor,
      imports: readonly KeyImport[],
      fieldOf: (index: number) => string,
    ): Promise<ApiKeyRecord[] | Fault | null> {
      const imported: ApiKeyRecord[] = []
      const work = async (transaction: Db) => {
        for (const [index, { api_key: key, ...body }] of imports.entries()) {
          const columns = readColumns(ApiKeyCreate, body)
          if (isFault(columns)) return under(fieldOf(index), columns)
          const material = storedForm(key, pepper, apiKeyPrefix.length + 4)
          const record = await insertApiKey(transaction, { ...columns, ...material }, actor.name)
          if (isFault(record)) return under(fieldOf(index), record)
          imported.push(record)
        }
        return imported
      }
      const changes = { names: imports.map(({ name }) => name) }
      const result = await write(deps, {
        actor,
        verb: 'import',
        kind: 'key',
        changes,
        work,
        idOf: ([first]) => first?.id ?? '',
      })
      for (const { id } of imported.slice(1)) if (result === imported) await deps.onChange({ kind: 'key', id })
      return result
    },

    async patch(actor: Actor, id: string, body: PatchBody): Promise<ApiKeyRecord | Fault | null> {
      const columns = readColumns(ApiKeyPatch, body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => updateApiKeyById(transaction, id, columns, actor.name)
      return write(deps, { actor, verb: 'patch', kind: 'key', changes: body, work, idOf })
    },

    /** A new secret for the same key; the old one works on for `graceSeconds` (KEY-10). */
    rotate(actor: Actor, id: string, graceSeconds: number): Promise<IssuedKey | Fault | null> {
      const { secret, ...material } = makeSecret(apiKeyPrefix, pepper)
      const graceUntil = graceSeconds === 0 ? null : new Date(clock.nowMs() + graceSeconds * 1000)
      const work = async (transaction: Db) =>
        issued(await rotateApiKeyById(transaction, id, { ...material, graceUntil }), secret)
      const changes = { grace_seconds: graceSeconds }
      return write(deps, { actor, verb: 'rotate', kind: 'key', changes, work, idOf: issuedId })
    },

    /** Its usage stays, and its name in reports (KEY-12). */
    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteApiKeyById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'key', work, idOf: () => id })
    },
  }
}

function issued(key: ApiKeyRecord | Fault | null, apiKey: string): IssuedKey | Fault | null {
  return key === null || isFault(key) ? key : { key, apiKey }
}

/** "keys.3." in front of the field that is to blame. */
function under(prefix: string, fault: Fault): Fault {
  return { ...fault, field: fault.field === null ? null : `${prefix}${fault.field}` }
}

type KeyBody = typeof ApiKeyCreate | typeof ApiKeyPatch

/** The columns of a body whose lists make sense too. */
function readColumns<B extends KeyBody>(definition: B, body: Static<B['schema']>): ColumnsOf<B> | Fault {
  const columns = definition.read(body as never) as ColumnsOf<B> | Fault
  if (isFault(columns)) return columns
  const { ipAllow, ipDeny, models } = columns as ColumnsOf<typeof ApiKeyPatch>
  return checkCidrs('ip_allow', ipAllow) ?? checkCidrs('ip_deny', ipDeny) ?? checkModels(models) ?? columns
}

function checkCidrs(field: string, ranges: readonly string[] = []): Fault | null {
  const wrong = ranges.find((range) => parseCidr(range) === null)
  return wrong === undefined ? null : invalid(field, `"${wrong}" is neither an IP address nor a CIDR range`)
}

function checkModels(models: readonly string[] = []): Fault | null {
  for (const model of models) {
    const fault = checkPattern('models', model)
    if (fault) return fault
  }
  return null
}
