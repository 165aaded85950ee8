/**
 * A write of an operator: one transaction, in which a Fault undoes everything and comes back as a value, and in which what a
 * constraint refuses is a Fault too, naming the field of the wire. Operators never see a raw database error.
 *
 * Inside another transaction it is a savepoint: the caller's transaction survives the refusal.
 * If it fails: errors that are no refusal of a known constraint reject.
 */
import { conflict, type Fault, invalid, isFault } from '../core/fault.ts'
import type { Db } from './client.ts'

const UNIQUE: Record<string, [field: string, message: string]> = {
  users_email: ['email', 'another user has this e-mail address'],
  groups_name: ['name', 'another group has this name'],
  groups_default: ['is_default', 'the platform has a default group already'],
  proxies_name: ['name', 'another proxy has this name'],
  api_keys_hash: ['api_key', 'this key exists already'],
  subscriptions_active: ['group_id', 'the user has an active subscription to this group already'],
  prices_identity: ['model', 'a price of this model with this date exists already'],
  admin_tokens_name: ['name', 'another admin token has this name'],
  admin_tokens_hash: ['token', 'this token exists already'],
  ledger_entries_pkey: ['request_id', 'this request is charged already'],
}

const REFERENCES: Record<string, [field: string, message: string]> = {
  accounts_proxy_id_proxies_id_fk: ['proxy_id', 'there is no such proxy'],
  account_groups_group_id_groups_id_fk: ['group_ids', 'there is no such group'],
  group_users_user_id_users_id_fk: ['user_ids', 'there is no such user'],
  groups_fallback_group_id_groups_id_fk: ['fallback_group_id', 'there is no such group'],
  api_keys_user_id_users_id_fk: ['user_id', 'there is no such user'],
  api_keys_group_id_groups_id_fk: ['group_id', 'there is no such group'],
  subscriptions_user_id_users_id_fk: ['user_id', 'there is no such user'],
  subscriptions_group_id_groups_id_fk: ['group_id', 'there is no such group'],
  prices_account_id_accounts_id_fk: ['account_id', 'there is no such account'],
}

/** NUL characters and halves of surrogate pairs, in text and in JSON. */
const UNSTORABLE: ReadonlySet<string> = new Set(['22021', '22P05', '22P02'])

export async function transact<T>(db: Db, work: (transaction: Db) => Promise<T>): Promise<T | Fault> {
  let refusal: Fault | null = null
  try {
    return await db.transaction(async (transaction) => {
      const result = await work(transaction)
      if (!isFault(result)) return result
      refusal = result
      throw new Error('rolled back')
    })
  } catch (error) {
    const fault = refusal ?? faultOf(error)
    if (fault === null) throw error
    return fault
  }
}

function faultOf(error: unknown): Fault | null {
  // Drizzle wraps the driver's error.
  const { code, constraint_name: constraint = '' } = ((error as Error).cause ?? error) as {
    code?: string
    constraint_name?: string
  }
  const unique = UNIQUE[constraint]
  if (code === '23505' && unique) return conflict(...unique)
  const reference = REFERENCES[constraint]
  if (code === '23503' && reference) return invalid(...reference)
  if (UNSTORABLE.has(code ?? '')) return invalid(null, 'a text holds a character that cannot be stored')
  return null
}
