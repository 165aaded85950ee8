/**
 * Upstream accounts as an operator sets them up (ACC). Credentials come in in clear, are checked, sealed for their account and
 * never leave again; what is shown is the hint stored beside them (ACC-8).
 */
import type { Static } from '@sinclair/typebox'
import { fromStoredBlocks, toStoredBlock } from '../core/account-block.ts'
import { type Fault, isFault } from '../core/fault.ts'
import {
  type AccountFilter,
  deleteAccountById,
  findAccountById,
  insertAccount,
  listAccounts,
  updateAccountById,
  updateAccountStateById,
} from '../db/accounts.ts'
import { notifyChange } from '../db/changes.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { newId } from '../lib/ids.ts'
import type { OutboundPolicy } from '../lib/outbound-guard.ts'
import { readCredentials } from '../schema/account-credentials.ts'
import { AccountCreate, AccountPatch } from '../schema/account-views.ts'
import type { AccountRecord } from '../schema/accounts.ts'
import { checkCredentials, checkModelMapping, checkPlatformAndType } from './account-checks.ts'
import { createAccountSecrets } from './account-secrets.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type AccountsAdmin = ReturnType<typeof createAccountsAdmin>
type CreateBody = Static<typeof AccountCreate.schema>
type PatchBody = Static<typeof AccountPatch.schema>

const CLEAR = { errorMessage: null, rateLimitedUntil: null, overloadedUntil: null, unschedulableUntil: null }

export function createAccountsAdmin(deps: AdminDeps) {
  const { db, outbound } = deps
  const idOf = ({ id }: AccountRecord) => id

  const { seal, replace } = createAccountSecrets(deps)

  return {
    list: (query: PageQuery & AccountFilter) => listAccounts(db, query),
    find: (id: string) => findAccountById(db, id),

    async create(actor: Actor, body: CreateBody): Promise<AccountRecord | Fault | null> {
      const read = readNewAccount(body, outbound)
      if (isFault(read)) return read
      const { columns, credentials } = read
      const id = newId()
      const work = (transaction: Db) => insertAccount(transaction, { ...columns, id, ...seal(id, credentials) })
      return write(deps, { actor, verb: 'create', kind: 'account', changes: body, work, idOf })
    },

    async patch(actor: Actor, id: string, body: PatchBody): Promise<AccountRecord | Fault | null> {
      const columns = AccountPatch.read(body)
      if (isFault(columns)) return columns
      const fault = checkModelMapping(columns.modelMapping ?? {})
      if (fault) return fault
      let isMended = false
      const work = async (transaction: Db) => {
        const account = await findAccountById(transaction, id)
        if (account === null) return null
        const replaced = body.credentials ? await replace(transaction, account, body.credentials) : 'same'
        if (isFault(replaced)) return replaced
        isMended = replaced === 'replaced' && account.status === 'error' && columns.status === undefined
        if (isMended) await forgetError(transaction, account)
        return updateAccountById(transaction, id, isMended ? { ...columns, status: 'active' } : columns)
      }
      const result = await write(deps, { actor, verb: 'patch', kind: 'account', changes: body, work, idOf })
      if (isMended && result !== null && !isFault(result)) await deps.onChange({ kind: 'account_reset', id })
      return result
    },

    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteAccountById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'account', work, idOf: () => id })
    },

    /** Clears cooldowns and errors; an account switched off by an operator stays off. */
    async reset(actor: Actor, id: string): Promise<AccountRecord | Fault | null> {
      const work = (transaction: Db) => clear(transaction, id)
      const result = await write(deps, { actor, verb: 'reset', kind: 'account', work, idOf })
      if (result !== null && !isFault(result)) await deps.onChange({ kind: 'account_reset', id })
      return result
    },
  }
}

/** What was wrong with the old credentials says nothing about the new ones (ACC-10); cooldowns with a time stay. */
async function forgetError(db: Db, { id, extra }: AccountRecord): Promise<void> {
  const blocks = fromStoredBlocks(extra.blocks).filter(({ cause }) => cause !== 'error')
  await updateAccountStateById(db, id, { extra: { blocks: blocks.map(toStoredBlock) } })
  await notifyChange(db, 'account_reset', id)
}

async function clear(db: Db, id: string): Promise<AccountRecord | null> {
  const account = await findAccountById(db, id)
  if (account === null) return null
  const state = { ...CLEAR, extra: { blocks: [] } }
  await updateAccountStateById(db, id, account.status === 'error' ? { ...state, status: 'active' } : state)
  // Every instance forgets what it has learned (ACC-6).
  await notifyChange(db, 'account_reset', id)
  return findAccountById(db, id)
}

function readNewAccount(body: CreateBody, outbound: OutboundPolicy) {
  const columns = AccountCreate.read(body)
  if (isFault(columns)) return columns
  const { platform, type, modelMapping = {} } = columns
  const fault = checkPlatformAndType(platform, type) ?? checkModelMapping(modelMapping)
  if (fault) return fault
  const credentials = readCredentials(type, body.credentials)
  if (isFault(credentials)) return credentials
  return checkCredentials(credentials, outbound) ?? { columns, credentials }
}
