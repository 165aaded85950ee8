/** Users, their balance and its ledger, as an operator works with them (BIL-10, BIL-11). */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import { NANO_PER_USD } from '../core/money.ts'
import type { Db } from '../db/client.ts'
import { type BalanceMovement, changeBalance, listLedgerEntriesByPayer } from '../db/ledger.ts'
import type { PageQuery } from '../db/page.ts'
import {
  deleteUserById,
  findUserByEmail,
  findUserById,
  insertUser,
  listUsers,
  type UserFilter,
  updateUserById,
} from '../db/users.ts'
import { BalanceChange } from '../schema/ledger-entries.ts'
import { UserCreate, UserPatch, type UserRecord } from '../schema/users.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type UsersAdmin = ReturnType<typeof createUsersAdmin>

export function createUsersAdmin(deps: AdminDeps) {
  const { db } = deps
  const idOf = ({ id }: UserRecord) => id

  return {
    list: (query: PageQuery & UserFilter) => listUsers(db, query),
    find: (id: string) => findUserById(db, id),
    findByEmail: (email: string) => findUserByEmail(db, email),

    async create(actor: Actor, body: Static<typeof UserCreate.schema>): Promise<UserRecord | Fault | null> {
      const columns = UserCreate.read(body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => insertUser(transaction, columns, actor.name)
      return write(deps, { actor, verb: 'create', kind: 'user', changes: body, work, idOf })
    },

    async patch(actor: Actor, id: string, body: Static<typeof UserPatch.schema>): Promise<UserRecord | Fault | null> {
      const columns = UserPatch.read(body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => updateUserById(transaction, id, columns)
      return write(deps, { actor, verb: 'patch', kind: 'user', changes: body, work, idOf })
    },

    /** Their keys go with them; usage and ledger stay. */
    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteUserById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'user', work, idOf: () => id })
    },

    /** A top-up when positive, a deduction when negative; answers with the user as they are then. */
    async changeBalance(
      actor: Actor,
      id: string,
      body: Static<typeof BalanceChange.schema>,
    ): Promise<UserRecord | Fault | null> {
      const columns = BalanceChange.read(body)
      if (isFault(columns)) return columns
      const { amountNano, note } = columns
      if (amountNano === 0n) return invalid('amount_usd', 'amount_usd is 0: there is nothing to book')
      const kind = amountNano > 0n ? 'top_up' : 'adjustment'
      const movement = { payerId: id, amountNano, kind, note, actor: actor.name } as const
      const work = (transaction: Db) => moveBalance(transaction, movement)
      return write(deps, { actor, verb: 'balance', kind: 'user', changes: body, work, idOf })
    },

    /** Null: no such user. */
    async ledger(id: string, query: PageQuery) {
      return (await findUserById(db, id)) === null ? null : listLedgerEntriesByPayer(db, id, query)
    },
  }
}

/** What `balance_usd` can show, and a JSON number still tells apart to the micro-dollar. */
const MOST_NANO = 1_000_000_000n * NANO_PER_USD

/** Null: no such user. A deleted one's row is still there, but its balance rests. */
async function moveBalance(db: Db, movement: Omit<BalanceMovement, 'payer'>): Promise<UserRecord | Fault | null> {
  if ((await findUserById(db, movement.payerId)) === null) return null
  await changeBalance(db, { payer: 'user', ...movement })
  const user = await findUserById(db, movement.payerId)
  const isTooMuch = user !== null && (user.balanceNano > MOST_NANO || user.balanceNano < -MOST_NANO)
  return isTooMuch ? invalid('amount_usd', 'the balance would be beyond 1,000,000,000 USD') : user
}
