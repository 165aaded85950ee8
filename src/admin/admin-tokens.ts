/**
 * Admin tokens (OPS-9): the root one of the configuration, and named ones with a role. A named token is stored as a keyed hash
 * and shown once.
 */
import type { Static } from '@sinclair/typebox'
import { conflict, type Fault, invalid, isFault } from '../core/fault.ts'
import {
  deleteAdminTokenById,
  findAdminTokenByHash,
  insertAdminToken,
  listAdminTokens,
  updateAdminTokenLastUsedById,
} from '../db/admin-tokens.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { hashApiKey } from '../lib/hash-api-key.ts'
import { sameSecret } from '../lib/same-secret.ts'
import { AdminTokenCreate, type AdminTokenRow } from '../schema/admin-tokens.ts'
import { type Actor, CLI_ACTOR, ROOT_NAME } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { makeSecret } from './key-material.ts'
import { write } from './write.ts'

export type AdminTokensAdmin = ReturnType<typeof createAdminTokensAdmin>

export interface IssuedToken {
  row: AdminTokenRow
  token: string
}

const PREFIX = 'tpa_'
/** `last_used_at` is for people who clean up: to the minute is enough, and a poll a second writes nothing. */
const LAST_USED_STEP_MS = 60_000

export function createAdminTokensAdmin(deps: AdminDeps & { rootToken: string | null }) {
  const { db, pepper, clock, rootToken } = deps

  async function noteUse({ id, lastUsedAt }: AdminTokenRow): Promise<void> {
    const nowMs = clock.nowMs()
    if (lastUsedAt !== null && nowMs - lastUsedAt.getTime() < LAST_USED_STEP_MS) return
    await updateAdminTokenLastUsedById(db, id, new Date(nowMs))
  }

  return {
    /** Whose token this is. The root token needs no database: it still opens the door when that is away. */
    async verify(token: string): Promise<Pick<Actor, 'name' | 'role'> | null> {
      if (rootToken !== null && sameSecret(token, rootToken)) return { name: ROOT_NAME, role: 'admin' }
      const row = await findAdminTokenByHash(db, hashApiKey(pepper, token))
      if (row === null || (row.expiresAt !== null && row.expiresAt.getTime() <= clock.nowMs())) return null
      await noteUse(row)
      return { name: row.name, role: row.role }
    },

    list: (query: PageQuery) => listAdminTokens(db, query),

    async create(actor: Actor, body: Static<typeof AdminTokenCreate.schema>): Promise<IssuedToken | Fault | null> {
      const columns = AdminTokenCreate.read(body)
      if (isFault(columns)) return columns
      if ([ROOT_NAME, CLI_ACTOR.name].includes(columns.name))
        return conflict('name', `"${columns.name}" is a name of turnpike's own`)
      const { expiresAt } = columns
      if (expiresAt && expiresAt.getTime() <= clock.nowMs()) return invalid('expires_at', 'expires_at is in the past')
      const { secret, keyHash, keyLast4 } = makeSecret(PREFIX, pepper)
      const work = async (transaction: Db) => {
        const row = await insertAdminToken(transaction, { ...columns, tokenHash: keyHash, tokenLast4: keyLast4 })
        return isFault(row) ? row : { row, token: secret }
      }
      return write(deps, { actor, verb: 'create', kind: 'admin_token', changes: body, work, idOf: ({ row }) => row.id })
    },

    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteAdminTokenById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'admin_token', work, idOf: () => id })
    },
  }
}
