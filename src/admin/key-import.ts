/** Keys that people have in their hands already, from another gateway, taken over in clear (KEY-1): all of them, or none. */
import { type Fault, isFault } from '../core/fault.ts'
import { insertApiKey } from '../db/api-keys.ts'
import type { Db } from '../db/client.ts'
import { ApiKeyCreate } from '../schema/api-key-views.ts'
import type { ApiKeyRecord } from '../schema/api-keys.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { readKeyColumns } from './key-columns.ts'
import { storedForm } from './key-material.ts'
import type { KeyCreateBody } from './keys.ts'
import { write } from './write.ts'

/** The key in clear, and what it shall be here. */
export type KeyImport = KeyCreateBody & { api_key: string }

/** `fieldOf` tells where the n-th key stands in the body, for a Fault's field: "keys.3.". */
export type ImportKeys = (
  actor: Actor,
  imports: readonly KeyImport[],
  fieldOf: (index: number) => string,
) => Promise<ApiKeyRecord[] | Fault | null>

export function createKeyImport(deps: AdminDeps): ImportKeys {
  const { pepper, apiKeyPrefix, onChange } = deps

  async function insertOne(transaction: Db, actor: Actor, { api_key: key, ...body }: KeyImport) {
    const columns = readKeyColumns(ApiKeyCreate, body)
    if (isFault(columns)) return columns
    return insertApiKey(transaction, { ...columns, ...storedForm(key, apiKeyPrefix, pepper) }, actor.name)
  }

  return async (actor, imports, fieldOf) => {
    const work = async (transaction: Db) => {
      const imported: ApiKeyRecord[] = []
      for (const [index, wanted] of imports.entries()) {
        const record = await insertOne(transaction, actor, wanted)
        if (isFault(record)) return under(fieldOf(index), record)
        imported.push(record)
      }
      return imported
    }
    const changes = { names: imports.map(({ name }) => name) }
    const idOf = ([first]: ApiKeyRecord[]) => first?.id ?? ''
    const result = await write(deps, { actor, verb: 'import', kind: 'key', changes, work, idOf })
    if (result === null || isFault(result)) return result
    // `write` has told of the first one.
    for (const { id } of result.slice(1)) await onChange({ kind: 'key', id })
    return result
  }
}

function under(prefix: string, fault: Fault): Fault {
  return { ...fault, field: fault.field === null ? null : `${prefix}${fault.field}` }
}
