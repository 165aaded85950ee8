/** Subscriptions as an operator works with them (BIL-10): assigned, extended, revoked. */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { Db } from '../db/client.ts'
import type { PageQuery } from '../db/page.ts'
import {
  findSubscriptionById,
  insertSubscription,
  listSubscriptions,
  revokeSubscriptionById,
  type SubscriptionFilter,
  updateSubscriptionById,
} from '../db/subscriptions.ts'
import { SubscriptionCreate, SubscriptionPatch, type SubscriptionRow } from '../schema/subscriptions.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type SubscriptionsAdmin = ReturnType<typeof createSubscriptionsAdmin>

export function createSubscriptionsAdmin(deps: AdminDeps) {
  const { db, clock } = deps
  const idOf = ({ id }: SubscriptionRow) => id

  return {
    list: (query: PageQuery & SubscriptionFilter) => listSubscriptions(db, query),
    find: (id: string) => findSubscriptionById(db, id),

    async create(
      actor: Actor,
      body: Static<typeof SubscriptionCreate.schema>,
    ): Promise<SubscriptionRow | Fault | null> {
      const columns = SubscriptionCreate.read(body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => insertSubscription(transaction, columns, new Date(clock.nowMs()))
      return write(deps, { actor, verb: 'create', kind: 'subscription', changes: body, work, idOf })
    },

    /** A revoked one stays as it is: null. */
    async patch(
      actor: Actor,
      id: string,
      body: Static<typeof SubscriptionPatch.schema>,
    ): Promise<SubscriptionRow | Fault | null> {
      const columns = SubscriptionPatch.read(body)
      if (isFault(columns)) return columns
      const work = async (transaction: Db) => {
        const row = await updateSubscriptionById(transaction, id, columns)
        if (row === null || isFault(row) || row.expiresAt > row.startsAt) return row
        return invalid('expires_at', 'the subscription would end before it starts')
      }
      return write(deps, { actor, verb: 'patch', kind: 'subscription', changes: body, work, idOf })
    },

    /** Ends it now; what was used stays. */
    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await revokeSubscriptionById(transaction, id)) !== null || null
      return write(deps, { actor, verb: 'revoke', kind: 'subscription', work, idOf: () => id })
    },
  }
}
