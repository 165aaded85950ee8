/** Groups: which accounts serve whom, at what multiplier (ACC-12). */
import type { Static } from '@sinclair/typebox'
import { type Fault, invalid, isFault } from '../core/fault.ts'
import type { Db } from '../db/client.ts'
import {
  deleteGroupById,
  findGroupById,
  findGroupByName,
  type GroupFilter,
  insertGroup,
  listGroups,
  updateGroupById,
} from '../db/groups.ts'
import type { PageQuery } from '../db/page.ts'
import { GroupCreate, GroupPatch, type GroupRecord } from '../schema/groups.ts'
import type { Actor } from './actor.ts'
import type { AdminDeps } from './deps.ts'
import { write } from './write.ts'

export type GroupsAdmin = ReturnType<typeof createGroupsAdmin>

export function createGroupsAdmin(deps: AdminDeps) {
  const { db } = deps
  const idOf = ({ id }: GroupRecord) => id

  return {
    list: (query: PageQuery & GroupFilter) => listGroups(db, query),
    find: (id: string) => findGroupById(db, id),
    findByName: (name: string) => findGroupByName(db, name),

    async create(actor: Actor, body: Static<typeof GroupCreate.schema>): Promise<GroupRecord | Fault | null> {
      const columns = GroupCreate.read(body)
      if (isFault(columns)) return columns
      const work = (transaction: Db) => insertGroup(transaction, columns)
      return write(deps, { actor, verb: 'create', kind: 'group', changes: body, work, idOf })
    },

    async patch(actor: Actor, id: string, body: Static<typeof GroupPatch.schema>): Promise<GroupRecord | Fault | null> {
      const columns = GroupPatch.read(body)
      if (isFault(columns)) return columns
      const work = async (transaction: Db) => {
        const circle = await refuseCircle(transaction, id, columns.fallbackGroupId)
        return circle ?? updateGroupById(transaction, id, columns)
      }
      return write(deps, { actor, verb: 'patch', kind: 'group', changes: body, work, idOf })
    },

    remove(actor: Actor, id: string): Promise<true | Fault | null> {
      const work = async (transaction: Db) => (await deleteGroupById(transaction, id)) || null
      return write(deps, { actor, verb: 'delete', kind: 'group', work, idOf: () => id })
    },
  }
}

/** A group that falls back to itself, over however many others, would fall for ever. */
async function refuseCircle(db: Db, id: string, fallbackId: string | null | undefined): Promise<Fault | null> {
  const seen = new Set<string>()
  for (let next = fallbackId; next && !seen.has(next); ) {
    if (next === id) return invalid('fallback_group_id', 'the group would fall back to itself')
    seen.add(next)
    next = (await findGroupById(db, next))?.fallbackGroupId
  }
  return null
}
