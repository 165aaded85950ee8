/**
 * Upstream accounts as an operator sets them up (ACC). Credentials come in in clear, are checked, sealed for their account and
 * never leave again; what is shown is the hint stored beside them (ACC-8).
 */
import type { Static } from '@sinclair/typebox'
import type { AccountCredentials } from '../core/entities.ts'
import { conflict, type Fault, isFault } from '../core/fault.ts'
import { openCredentials, sealCredentials } from '../db/account-credentials.ts'
import {
  type AccountFilter,
  deleteAccountById,
  findAccountById,
  insertAccount,
  listAccounts,
  type SealedCredentials,
  updateAccountById,
  updateAccountCredentialsById,
  updateAccountStateById,
} from '../db/accounts.ts'
import { notifyChange } from '../db/changes.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import { newId } from '../lib/ids.ts'
import {
  type CredentialsBody,
  type CredentialsPatchBody,
  hintOf,
  readCredentials,
} from '../schema/account-credentials.ts'
import { AccountCreate, AccountPatch } from '../schema/account-views.ts'
import type { AccountRecord } from '../schema/accounts.ts'
import { checkCredentials, checkModelMapping, checkPlatformAndType } from './account-checks.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type AccountsAdmin = ReturnType<typeof createAccountsAdmin>
type CreateBody = Static<typeof AccountCreate.schema>
type PatchBody = Static<typeof AccountPatch.schema>

export function createAccountsAdmin(deps: AdminDeps) {
  const { db, box, outbound } = deps
  const idOf = ({ id }: AccountRecord) => id

  function seal(id: string, credentials: AccountCredentials): SealedCredentials {
    return { sealedCredentials: sealCredentials(box, id, credentials), credentialHint: hintOf(credentials) }
  }

  /** What was given replaces what was there, field by field: a new api_key doesn't lose the base_url, null does. */
  async function replaceCredentials(
    transaction: Db,
    account: AccountRecord,
    body: CredentialsPatchBody,
  ): Promise<Fault | null> {
    const stored = openCredentials(box, account.id, account.sealedCredentials)
    const given = readCredentials(account.type, merged(toBody(stored), body))
    if (isFault(given)) return given
    const fault = checkCredentials(given, outbound)
    if (fault) return fault
    const previousSealed = account.sealedCredentials
    const replaced = await updateAccountCredentialsById(transaction, account.id, {
      ...seal(account.id, given),
      previousSealed,
    })
    return replaced ? null : conflict('credentials', 'the credentials were refreshed at this very moment; try again')
  }

  return {
    list: (query: PageQuery & AccountFilter) => listAccounts(db, query),
    find: (id: string) => findAccountById(db, id),

    async create(actor: Actor, body: CreateBody): Promise<AccountRecord | Fault | null> {
      const columns = AccountCreate.read(body)
      if (isFault(columns)) return columns
      const credentials = readCredentials(columns.type, body.credentials)
      const fault =
        checkPlatformAndType(columns.platform, columns.type) ?? checkModelMapping(columns.modelMapping ?? {})
      if (fault) return fault
      if (isFault(credentials)) return credentials
      const refused = checkCredentials(credentials, outbound)
      if (refused) return refused
      const id = newId()
      const work = (transaction: Db) => insertAccount(transaction, { ...columns, id, ...seal(id, credentials) })
      return write(deps, { actor, verb: 'create', kind: 'account', changes: body, work, idOf })
    },

    async patch(actor: Actor, id: string, body: PatchBody): Promise<AccountRecord | Fault | null> {
      const columns = AccountPatch.read(body)
      if (isFault(columns)) return columns
      const fault = checkModelMapping(columns.modelMapping ?? {})
      if (fault) return fault
      const work = async (transaction: Db) => {
        const account = await findAccountById(transaction, id)
        if (account === null) return null
        const refused = body.credentials ? await replaceCredentials(transaction, account, body.credentials) : null
        return refused ?? updateAccountById(transaction, id, columns)
      }
      return write(deps, { actor, verb: 'patch', kind: 'account', changes: body, work, idOf })
    },

    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteAccountById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'account', work, idOf: () => id })
    },

    /** Clears cooldowns and errors; an account switched off by an operator stays off. */
    async reset(actor: Actor, id: string): Promise<AccountRecord | Fault | null> {
      const work = async (transaction: Db) => {
        const account = await findAccountById(transaction, id)
        if (account === null) return null
        await updateAccountStateById(transaction, id, {
          ...(account.status === 'error' ? { status: 'active' as const } : {}),
          errorMessage: null,
          rateLimitedUntil: null,
          overloadedUntil: null,
          unschedulableUntil: null,
          extra: { blocks: [] },
        })
        await notifyChange(transaction, 'account_reset', id)
        return findAccountById(transaction, id)
      }
      const result = await write(deps, { actor, verb: 'reset', kind: 'account', work, idOf })
      if (result !== null && !isFault(result)) await deps.onChange({ kind: 'account_reset', id })
      return result
    },
  }
}

/** Null takes a field away; only of `expires_at` it is a value of its own ("unknown"). */
function merged(stored: CredentialsBody, patch: CredentialsPatchBody): CredentialsBody {
  const entries = Object.entries({ ...stored, ...patch })
  return Object.fromEntries(entries.filter(([name, value]) => value !== null || name === 'expires_at'))
}

/** Stored credentials as a body would give them. */
function toBody(stored: AccountCredentials): CredentialsBody {
  const { expiresAtMs } = stored
  const body: { [Name in keyof Required<CredentialsBody>]: CredentialsBody[Name] } = {
    api_key: stored.apiKey,
    base_url: stored.baseUrl,
    access_token: stored.accessToken,
    refresh_token: stored.refreshToken,
    expires_at: typeof expiresAtMs === 'number' ? new Date(expiresAtMs).toISOString() : expiresAtMs,
    chatgpt_account_id: stored.chatgptAccountId,
    aws_access_key_id: stored.awsAccessKeyId,
    aws_secret_access_key: stored.awsSecretAccessKey,
    aws_session_token: stored.awsSessionToken,
    aws_region: stored.awsRegion,
    user_agent: stored.userAgent,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}
