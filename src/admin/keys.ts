/** API keys as an operator hands them out (KEY). The key itself is shown once, by create and rotate (KEY-1). */
import type { Static } from '@sinclair/typebox'
import { type Fault, isFault } from '../core/fault.ts'
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
import type { Page, PageQuery } from '../db/page.ts'
import { ApiKeyCreate, ApiKeyPatch } from '../schema/api-key-views.ts'
import type { ApiKeyRecord, LiveApiKey } from '../schema/api-keys.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { readKeyColumns } from './key-columns.ts'
import { createKeyImport, type KeyImport } from './key-import.ts'
import { makeSecret } from './key-material.ts'
import { createLiveKeys, type KeyUsages } from './live-keys.ts'
import { write } from './write.ts'

export type KeysAdmin = ReturnType<typeof createKeysAdmin>
export type KeyCreateBody = Static<typeof ApiKeyCreate.schema>
type PatchBody = Static<typeof ApiKeyPatch.schema>

/** A key and the secret that is shown this once. */
export interface IssuedKey {
  key: LiveApiKey
  apiKey: string
}

type StoredIssue = { key: ApiKeyRecord; apiKey: string }

export interface KeysDeps extends AdminDeps {
  keyUsages: KeyUsages
}

export function createKeysAdmin(deps: KeysDeps) {
  const { db, pepper, apiKeyPrefix, clock } = deps
  const idOf = ({ id }: ApiKeyRecord) => id
  const issuedId = ({ key }: StoredIssue) => key.id
  const importAll = createKeyImport(deps)
  const live = createLiveKeys(deps.keyUsages)

  async function withSecret(work: Promise<StoredIssue | Fault | null>): Promise<IssuedKey | Fault | null> {
    const stored = await work
    return stored === null || isFault(stored) ? stored : { ...stored, key: await live.one<never>(stored.key) }
  }

  return {
    async importAll(actor: Actor, imports: readonly KeyImport[], fieldOf: (index: number) => string) {
      const imported = await importAll(actor, imports, fieldOf)
      return imported === null || isFault(imported) ? imported : live.many(imported)
    },

    async list(query: PageQuery & ApiKeyFilter): Promise<Page<LiveApiKey> | Fault> {
      const page = await listApiKeys(db, query)
      return isFault(page) ? page : { ...page, rows: await live.many(page.rows) }
    },

    find: async (id: string): Promise<LiveApiKey | null> => live.one(await findApiKeyById(db, id)),

    async create(actor: Actor, body: KeyCreateBody): Promise<IssuedKey | Fault | null> {
      const columns = readKeyColumns(ApiKeyCreate, body)
      if (isFault(columns)) return columns
      const { secret, ...material } = makeSecret(apiKeyPrefix, pepper)
      const work = async (transaction: Db) =>
        issued(await insertApiKey(transaction, { ...columns, ...material }, actor.name), secret)
      return withSecret(write(deps, { actor, verb: 'create', kind: 'key', changes: body, work, idOf: issuedId }))
    },

    async patch(actor: Actor, id: string, body: PatchBody): Promise<LiveApiKey | Fault | null> {
      const columns = readKeyColumns(ApiKeyPatch, body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => updateApiKeyById(transaction, id, columns, actor.name)
      return live.one(await write(deps, { actor, verb: 'patch', kind: 'key', changes: body, work, idOf }))
    },

    /** A new secret for the same key; the old one works on for `graceSeconds` (KEY-10). */
    async rotate(actor: Actor, id: string, graceSeconds: number): Promise<IssuedKey | Fault | null> {
      const { secret, ...material } = makeSecret(apiKeyPrefix, pepper)
      const graceUntil = graceSeconds === 0 ? null : new Date(clock.nowMs() + graceSeconds * 1000)
      const work = async (transaction: Db) =>
        issued(await rotateApiKeyById(transaction, id, { ...material, graceUntil }), secret)
      const changes = { grace_seconds: graceSeconds }
      return withSecret(write(deps, { actor, verb: 'rotate', kind: 'key', changes, work, idOf: issuedId }))
    },

    /** Its usage stays, and its name in reports (KEY-12). */
    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteApiKeyById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'key', work, idOf: () => id })
    },
  }
}

function issued(key: ApiKeyRecord | Fault | null, apiKey: string): StoredIssue | Fault | null {
  return key === null || isFault(key) ? key : { key, apiKey }
}
